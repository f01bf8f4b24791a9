"""Remedies done to one `fit` of a script, just before it."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from pipeline.training.fit.rebuilt import InapplicableError
from pipeline.training.fit.remedied import TRAIN, Trial, apply

VALIDATION = "validation"


class Applied:
    """Takes a model and the arguments of its `fit`, and changes them where the number is right.

    change: what was changed, in words. not_done: why nothing could be.
    """

    def __init__(self, remedies: Sequence[str], number: int) -> None:
        self.change: str | None = None
        self.not_done: str | None = None
        self._remedies, self._number = remedies, number
        self._fits = 0

    def __call__(self, model: keras.Model, given: dict[str, Any]) -> None:
        """Args: `given` are the arguments of `fit`.

        Raises:
            InapplicableError: one of them cannot be done; the training would say nothing of it.
        """
        self._fits += 1
        if not self._remedies or self._fits - 1 != self._number:
            return
        trial = Trial(model, _parts(given), given, may_rebuild=False)
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
