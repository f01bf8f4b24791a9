"""Apply remedies to one `fit` of a script, just before it runs."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from pipeline.foundations.untyped import Batch, FitKeywords
from pipeline.remedies.on_keras.keras_compile import is_traced
from pipeline.remedies.on_keras.keras_remedies import apply, inapplicable
from pipeline.remedies.on_keras.trial import TRAIN, InapplicableError, Trial
from pipeline.watch.scripts.source_changes import Change, Site, Sites, Snapshot, call_site, changes

VALIDATION = "validation"


class FitRemedies:
    """Called before each `fit` with its model and arguments; changes both for the chosen `fit`.

    change: what was changed, in words.
    not_done: why a remedy could not be applied.
    source_changes: the same changes as calls in the script; None if they are not all known.
    site: file and line of the chosen `fit`.
    number: the number of the latest `fit`, from 0; -1 before the first.
    """

    def __init__(self, remedies: Sequence[str], number: int, has_checks: bool, sites: Sites) -> None:
        """Choose the `fit` to change.

        Args:
            remedies: the names of the remedies.
            number: the number of the `fit` to change, from 0.
            has_checks: whether `reasons` will be called.
            sites: where models are compiled.
        """
        self.change: str | None = None
        self.not_done: str | None = None
        self.source_changes: Sequence[Change] | None = None
        self.site: Site | None = None
        self._sites = sites
        self.number = -1
        self._remedies, self._target, self._has_checks = remedies, number, has_checks
        self._last: tuple[Trial, bool] | None = None  # the latest `fit`, and whether its model was traced before

    def __call__(self, model: keras.Model, arguments: FitKeywords) -> None:
        """Change the model and the arguments if this is the chosen `fit`.

        Raises:
            InapplicableError: a remedy cannot be applied, so the `fit` would show nothing.
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
        """Return why further remedies cannot be applied to the latest `fit`, by the remedies' names.

        Changes nothing. Call it after the `fit`, because before a `fit` some models are not built.
        """
        return inapplicable(*self._last) if self._has_checks and self._last is not None else {}

    def _apply(self, trial: Trial, arguments: FitKeywords) -> None:
        try:
            before, self.site = Snapshot.of(trial), call_site()
            self.change = apply(self._remedies, trial)
            self.source_changes = changes(self._remedies, before, trial, self._sites)
        except InapplicableError as error:
            self.not_done = str(error)
            raise
        if TRAIN in trial.parts:
            arguments["x"], arguments["y"] = trial.parts[TRAIN]
        if VALIDATION in trial.parts:
            arguments["validation_data"] = (*trial.parts[VALIDATION], *arguments["validation_data"][2:])


def _parts(arguments: FitKeywords) -> dict[str, tuple[Batch, Batch]]:
    """Return inputs and targets for each part of the data; empty if they are no arrays."""
    x, y, validation = arguments.get("x"), arguments.get("y"), arguments.get("validation_data")
    if y is None or not all(hasattr(leaf, "shape") for leaf in keras.tree.flatten((x, y))):
        return {}
    parts = {TRAIN: (_arrays(x), _arrays(y))}
    if isinstance(validation, list | tuple) and len(validation) > 1:
        parts[VALIDATION] = (_arrays(validation[0]), _arrays(validation[1]))
    return parts


def _arrays(values: Batch) -> Batch:
    return keras.tree.map_structure(np.asarray, values)
