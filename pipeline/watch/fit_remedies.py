"""Remedies applied to one `fit` of a script, just before it."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from pipeline.foundations.untyped import Batch, FitArguments
from pipeline.remedies.on_keras.keras_compile import is_traced
from pipeline.remedies.on_keras.keras_remedies import apply, inapplicable
from pipeline.remedies.on_keras.trial import TRAIN, InapplicableError, Trial

VALIDATION = "validation"


class FitRemedies:
    """Called with each model and the arguments of its `fit`; changes those of the `fit` with the right number.

    change: what was changed, in words. not_done: why a remedy could not be applied.
    number: of the `fit` that began last, from 0; -1 before the first.
    """

    def __init__(self, remedies: Sequence[str], number: int, has_checks: bool) -> None:
        """Choose the `fit` to change.

        Args:
            remedies: their names. number: of the `fit`, from 0. has_checks: whether `reasons` will be asked for.
        """
        self.change: str | None = None
        self.not_done: str | None = None
        self.number = -1
        self._remedies, self._target, self._has_checks = remedies, number, has_checks
        self._last: tuple[Trial, bool] | None = None  # the last `fit`, and whether its model was traced before

    def __call__(self, model: keras.Model, arguments: FitArguments) -> None:
        """Change the model and the arguments of its `fit` where it is this one's turn.

        Raises:
            InapplicableError: a remedy cannot be applied, so the training would tell nothing.
        """
        self.number += 1
        was_traced = is_traced(model)
        is_changed = bool(self._remedies) and self.number == self._target
        if is_changed or self._has_checks:
            trial = Trial(model, _parts(arguments), arguments, may_rebuild=False)
            if is_changed:
                self._apply(trial, arguments)
            self._last = Trial(model, trial.parts, dict(arguments), may_rebuild=False), was_traced

    def reasons(self) -> Mapping[str, str]:
        """Return why a further remedy cannot be applied to the last `fit`, by the remedy's name; nothing is changed.

        Ask after that `fit`: only then is every model built.
        """
        return inapplicable(*self._last) if self._has_checks and self._last is not None else {}

    def _apply(self, trial: Trial, arguments: FitArguments) -> None:
        try:
            self.change = apply(self._remedies, trial)
        except InapplicableError as error:
            self.not_done = str(error)
            raise
        if TRAIN in trial.parts:
            arguments["x"], arguments["y"] = trial.parts[TRAIN]
        if VALIDATION in trial.parts:
            arguments["validation_data"] = (*trial.parts[VALIDATION], *arguments["validation_data"][2:])


def _parts(arguments: FitArguments) -> dict[str, tuple[Batch, Batch]]:
    """Return inputs and targets by part of the data; nothing where they are no arrays."""
    x, y, validation = arguments.get("x"), arguments.get("y"), arguments.get("validation_data")
    if y is None or not all(hasattr(leaf, "shape") for leaf in keras.tree.flatten((x, y))):
        return {}
    parts = {TRAIN: (_arrays(x), _arrays(y))}
    if isinstance(validation, list | tuple) and len(validation) > 1:
        parts[VALIDATION] = (_arrays(validation[0]), _arrays(validation[1]))
    return parts


def _arrays(values: Batch) -> Batch:
    return keras.tree.map_structure(np.asarray, values)
