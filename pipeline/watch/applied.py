"""Remedies done to one `fit` of a script, just before it."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from pipeline.remedies.keras_compile import is_traced
from pipeline.remedies.keras_remedies import apply, inapplicable
from pipeline.remedies.trial import TRAIN, InapplicableError, Trial

VALIDATION = "validation"


class Applied:
    """Takes a model and the arguments of its `fit`, and changes them where the number is right.

    change: what was changed, in words. not_done: why nothing could be.
    number: of the `fit` that began last, from 0; -1 before the first.

    Args:
        remedies: what to do to the `fit` of this number. checks: whether `reasons` are asked for.
    """

    def __init__(self, remedies: Sequence[str], number: int, checks: bool) -> None:
        self.change: str | None = None
        self.not_done: str | None = None
        self.number = -1
        self._remedies, self._changed, self._checks = remedies, number, checks
        self._last: tuple[Trial, bool] | None = None

    def __call__(self, model: keras.Model, given: dict[str, Any]) -> None:
        """Args: `given` are the arguments of `fit`.

        Raises:
            InapplicableError: one of them cannot be done; the training would say nothing of it.
        """
        self.number += 1
        was_traced = is_traced(model)
        is_changed = bool(self._remedies) and self.number == self._changed
        if is_changed or self._checks:
            trial = Trial(model, _parts(given), given, may_rebuild=False)
            if is_changed:
                self._change(trial, given)
            self._last = Trial(model, trial.parts, dict(given), may_rebuild=False), was_traced

    def reasons(self) -> Mapping[str, str]:
        """Return why a further remedy cannot be done to the last `fit`, by the remedy's name.

        After that `fit`, for only then every model is built; nothing is changed.
        """
        return inapplicable(*self._last) if self._checks and self._last is not None else {}

    def _change(self, trial: Trial, given: dict[str, Any]) -> None:
        try:
            self.change = apply(self._remedies, trial)
        except InapplicableError as error:
            self.not_done = str(error)
            raise
        if TRAIN in trial.parts:
            given["x"], given["y"] = trial.parts[TRAIN]
        if VALIDATION in trial.parts:
            given["validation_data"] = (*trial.parts[VALIDATION], *given["validation_data"][2:])


def _parts(given: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Inputs and targets, where they are arrays."""
    x, y, validation = given.get("x"), given.get("y"), given.get("validation_data")
    if y is None or not all(hasattr(leaf, "shape") for leaf in keras.tree.flatten((x, y))):
        return {}
    parts = {TRAIN: (_arrays(x), _arrays(y))}
    if isinstance(validation, list | tuple) and len(validation) > 1:
        parts[VALIDATION] = (_arrays(validation[0]), _arrays(validation[1]))
    return parts


def _arrays(values: Any) -> Any:
    return keras.tree.map_structure(np.asarray, values)
