"""Make the table of replicas: the outcome, cause, final scores, course and evidence of each replica."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pipeline.data.reference.yardstick import Yardstick
from pipeline.data.split.samples import Split, TargetScaling
from pipeline.diagnosis import evidence
from pipeline.diagnosis.causes import diagnose
from pipeline.evaluation.learned import Rule, epochs_to_learn, has_score, learned_at, score_curve
from pipeline.history import record
from pipeline.params.diagnosis_params import DiagnosisParams

TINY = 1e-6  # instead of 0, where guessing cannot stray from chance
OUTCOME = ("replica", "outcome", "cause", "symptom")
COURSE = {
    "epochs_to_learn": "first epoch from which the replica stays above the threshold",
    "diverged": "1 if its loss became NaN or infinite, else 0",
    "living_at_start": "1 if no layer was dead before training, else 0",
    "living_at_end": "1 if no layer is dead at the end, else 0",
}


def curves(history: xr.Dataset, rule: Rule) -> dict[str, xr.DataArray]:
    """Return all recorded scores and losses, float [replica, epoch], by names such as `train_accuracy`.

    The main score comes first, the losses come last.
    """
    parts = record.parts_of(history)
    with_score = [part for part in parts if has_score(history, rule.score, part)]
    scores = {f"{part}_{rule.score}": score_curve(history, rule.score, part) for part in with_score}
    names = [f"{part}_{score}" for score in record.task_of(history).of_kind.scores for part in parts]
    scores |= {name: history[name] for name in names if name in history}
    return scores | {f"{part}_loss": history[f"{part}_loss"] for part in parts}


def of_predictions(predictions: xr.Dataset, split: Split, targets: Sequence[TargetScaling]) -> pd.DataFrame:
    """Return the scores of each replica's final predictions, one row per replica, by names such as `test_macro_f1`.

    `Task.of_predictions` defines the scores. Every part of the data has them, the judged part first.

    Args:
        targets: the scaling of each target of a regression; empty for classes.
    """
    offset, factor = (np.array([getattr(each, name) for each in targets]) for name in ("offset", "factor"))
    scores: dict[str, np.ndarray] = {}
    for part, samples in reversed(split.parts.items()):
        true, predicted = samples.targets, predictions[f"{part}_prediction"].values
        if targets:
            true, predicted = (true - offset) / factor, (predicted - offset) / factor
        rows = pd.DataFrame([split.task.of_predictions(true, each) for each in predicted])
        finite = rows.where(np.isfinite(rows))  # no score for a diverged replica
        scores |= {f"{part}_{name}": significant(finite[name].to_numpy()) for name in finite}
    return pd.DataFrame(scores)


def evaluate(
    history: xr.Dataset, rule: Rule, params: DiagnosisParams, predicted: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return one row per replica: outcome, cause, final value of every curve, course and evidence.

    Args:
        predicted: the result of `of_predictions`; None without predictions.
    """
    predicted = pd.DataFrame() if predicted is None else predicted
    learned = learned_at(history, rule).values
    living = record.living(history).values
    has_train_score = has_score(history, rule.score, "train")
    train_learned = learned_at(history, rule, "train").values[:, -1] if has_train_score else None
    measured = evidence.measure(history, params, train_learned, against_reference(history, rule))
    course = pd.DataFrame(
        {
            "replica": history.replica.values,
            **{name: rounded(values.isel(epoch=-1).values) for name, values in curves(history, rule).items()},
            "epochs_to_learn": epochs_to_learn(learned),
            "diverged": record.diverged(history).values.astype(int),
            "living_at_start": living[:, 0].astype(int),
            "living_at_end": living[:, -1].astype(int),
        }
    )
    outcomes = diagnose(learned[:, -1], measured, params)
    columns = [*OUTCOME, *curves(history, rule), *predicted, *COURSE, *evidence.COLUMNS]
    return pd.concat([course, outcomes, predicted, measured.apply(significant)], axis=1)[columns]


def against_reference(history: xr.Dataset, rule: Rule) -> dict[str, np.ndarray]:
    """Return how the replicas compare with the better reference, [replica] by column of the evidence.

    Empty if no reference has the rule's score.
    """
    if rule.reference is None:
        return {}
    scores = score_curve(history, rule.score).values[:, -1]
    columns: dict[str, np.ndarray] = {}
    if (best := rule.reference.best(rule.score)) is not None:
        noise = max(rule.reference.bound[rule.score] - rule.guess, TINY)
        columns["below_reference"] = (best[1] - scores) / noise
    usual = Yardstick.of_task(record.task_of(history))  # in the unit of the gains of the network
    greatest = rule.reference.greatest(usual.score)
    if greatest is not None and rule.reference.inputs == "columns":
        columns["reference_gain"] = np.full(len(scores), (greatest - usual.guess) / max(1 - usual.guess, TINY))
    return columns


def rounded(values: np.ndarray) -> np.ndarray:
    """Return float32 values without the digits beyond their precision: 0.84, not 0.8399999738."""
    return np.round(np.asarray(values, np.float64), 7)


def significant(values: np.ndarray, digits: int = 7) -> np.ndarray:
    """Return values rounded to significant digits, by default to as many as a float32 has."""
    exact = np.asarray(values, np.float64)
    scale = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(np.where((exact == 0) | ~np.isfinite(exact), 1.0, exact)))))
    return np.round(exact * scale) / scale
