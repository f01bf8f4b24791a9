"""Run the first batches of a `fit` under the recorder, and measure the evidence before and after them."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import xarray as xr

from pipeline.diagnosis import evidence
from pipeline.diagnosis.rules.cause import Evidence
from pipeline.diagnosis.setting import Setting
from pipeline.evaluation.learned import Rule, rule_of
from pipeline.evaluation.replica_table import evaluate
from pipeline.foundations.untyped import FitKeywords, Logs
from pipeline.history.record import Layer
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.recorder.guard import LOG
from pipeline.recorder.watching import Watching
from pipeline.watch.autolog import arrays
from pipeline.watch.callback import Diagnosis
from pipeline.watch.checks.model_state import has_keras_step
from pipeline.watch.checks.trial_fit import TrialFit
from pipeline.watch.verdict import with_paths


@dataclass(frozen=True)
class FirstSteps:
    """What is known of a `fit` after its first batches.

    model: the model, whose weights are those after the first batches.
    fit: the arguments of the `fit`.
    watching: the record, and the probe.
    history: the record as data.
    start, after: the evidence before the first step and after the first batches, one row each.
    start_numbers, numbers: the same by name, with layers by path.
    setting: inputs and layers, which advice must fit.
    learning_rate: before the first step; None without an optimizer.
    rule: when the model counts as learned, with the scores of the reference; None if nothing can judge it.
    """

    model: keras.Model
    fit: TrialFit
    params: DiagnosisParams
    watching: Watching
    history: xr.Dataset
    start: pd.DataFrame
    after: pd.DataFrame
    start_numbers: Evidence
    numbers: Evidence
    setting: Setting
    learning_rate: float | None
    rule: Rule | None

    @property
    def table(self) -> Sequence[Layer]:
        """The layer table."""
        return self.watching.table

    def curve(self, name: str) -> float:
        """Return a loss or score before the first step; NaN if it is unknown."""
        return float(self.history[name][0, 0]) if name in self.history else float("nan")


class UnwatchableError(Exception):
    """The first steps could not be recorded; the text says why."""


def first_steps(model: keras.Model, fit: TrialFit, task: str = "auto") -> FirstSteps:
    """Run the trial and return what was measured; the caller restores the model's state.

    Raises:
        UnwatchableError: nothing was recorded.
        Every error of the model's own steps.
    """
    with quiet():
        rate = None if model.optimizer is None else float(np.asarray(model.optimizer.learning_rate))
        diagnosis = Diagnosis(*arrays(fit.arguments), task=task, mlflow=False, histograms=False)
        train(model, {**fit.trial, "callbacks": [diagnosis, _EarlyMeasuring(diagnosis)]})
        watching = diagnosis.watching
        if watching is None or not diagnosis.is_recorded:
            raise UnwatchableError(diagnosis.verdict.headline.rstrip("."))
        history, params = diagnosis.history, diagnosis.thresholds
    rule = rule_of(history, None)
    is_judged = rule is not None and rule.score is not None
    start_history = history.isel(epoch=[0], recorded_epoch=[0])
    start = evidence.measure(start_history, params)
    after = _after(history, rule if is_judged else None, params)
    start_numbers = with_paths(start.iloc[0].to_dict(), history)
    numbers = with_paths(after.iloc[0].to_dict(), history)
    return FirstSteps(
        model=model,
        fit=fit,
        params=params,
        watching=watching,
        history=history,
        start=start,
        after=after,
        start_numbers=start_numbers,
        numbers=numbers,
        setting=Setting.of(history, start_numbers),
        learning_rate=rate,
        rule=rule,
    )


class _EarlyMeasuring(keras.callbacks.Callback):
    """Measures the state before the first step at once: later, weights may be NaN, which hides the model's faults.

    Not for a training step of the user's, because some faults of its loss show only when it is traced.
    """

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__()
        self._diagnosis = diagnosis

    def on_train_begin(self, logs: Logs | None = None) -> None:
        watching = self._diagnosis.watching
        if watching is None or watching.probe is None or watching.probe_rows is None:
            return
        if has_keras_step(self.model):
            watching.record_initial()


def train(model: keras.Model, arguments: FitKeywords) -> None:
    """Call Keras's own `fit`: not one that the model overrides, because this already runs within it."""
    keras.Model.fit(model, **arguments)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide warnings and this project's log lines, which the lines of the checks repeat."""
    was_disabled, LOG.disabled = LOG.disabled, True
    level = logging.getLogger("tensorflow").level
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        LOG.disabled = was_disabled
        logging.getLogger("tensorflow").setLevel(level)


def _after(history: xr.Dataset, rule: Rule | None, params: DiagnosisParams) -> pd.DataFrame:
    """Return the evidence after the first batches; with a rule, it has the columns of the reference, too."""
    try:
        return evaluate(history, rule, params)[list(evidence.COLUMNS)] if rule else evidence.measure(history, params)
    except (KeyError, ValueError):  # the record has no such score
        return evidence.measure(history, params)
