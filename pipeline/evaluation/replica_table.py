"""What became of each replica."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pipeline.data.split.samples import Split, TargetScaling
from pipeline.diagnosis import evidence
from pipeline.diagnosis.causes import diagnose
from pipeline.evaluation.learned import Rule, epochs_to_learn, has_score, learned_at, score_curve
from pipeline.history import record
from pipeline.params.diagnosis_params import DiagnosisParams

OUTCOME = ("replica", "outcome", "cause", "symptom")
COURSE = {
    "epochs_to_learn": "first epoch from which the replica stays above the threshold",
    "diverged": "1 if its loss became NaN or infinite, else 0",
    "living_at_start": "1 if no layer was dead before training, else 0",
    "living_at_end": "1 if no layer is dead at the end, else 0",
}


def curves(history: xr.Dataset, rule: Rule) -> dict[str, xr.DataArray]:
    """All scores and losses that there are, [replica, epoch], by names such as `train_accuracy`: the score that decides
    comes first, the losses last."""
    parts = record.parts_of(history)
    scored = [part for part in parts if has_score(history, rule.score, part)]
    found = {f"{part}_{rule.score}": score_curve(history, rule.score, part) for part in scored}
    names = [f"{part}_{score}" for score in record.task_of(history).of_kind.scores for part in parts]
    found |= {name: history[name] for name in names if name in history}
    return found | {f"{part}_loss": history[f"{part}_loss"] for part in parts}


def of_predictions(predictions: xr.Dataset, split: Split, targets: Sequence[TargetScaling]) -> pd.DataFrame:
    """One row per replica: of its final predictions for every part what `Task.of_predictions` tells, by names such as
    `test_macro_f1`; the judged part first.

    Args:
        targets: how those of a regression were scaled.
    """
    offset, factor = (np.array([getattr(each, name) for each in targets]) for name in ("offset", "factor"))
    found: dict[str, np.ndarray] = {}
    for part, samples in reversed(split.parts.items()):
        true, given = samples.targets, predictions[f"{part}_prediction"].values
        if targets:
            true, given = (true - offset) / factor, (given - offset) / factor
        rows = pd.DataFrame([split.task.of_predictions(true, each) for each in given])
        known = rows.where(np.isfinite(rows))  # of one that diverged there is none
        found |= {f"{part}_{name}": significant(known[name].to_numpy()) for name in known}
    return pd.DataFrame(found)


def evaluate(
    history: xr.Dataset, rule: Rule, params: DiagnosisParams, predicted: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row per replica: its outcome and cause, the final value of every curve, the scores of its predictions if
    they are given, its course, and the evidence."""
    predicted = pd.DataFrame() if predicted is None else predicted
    learned = learned_at(history, rule).values
    living = record.living(history).values
    on_train = has_score(history, rule.score, "train")
    train_learned = learned_at(history, rule, "train").values[:, -1] if on_train else None
    found = evidence.measure(history, params, train_learned)
    reached = pd.DataFrame(
        {
            "replica": history.replica.values,
            **{name: rounded(values.isel(epoch=-1).values) for name, values in curves(history, rule).items()},
            "epochs_to_learn": epochs_to_learn(learned),
            "diverged": record.diverged(history).values.astype(int),
            "living_at_start": living[:, 0].astype(int),
            "living_at_end": living[:, -1].astype(int),
        }
    )
    judged = diagnose(learned[:, -1], found, params)
    columns = [*OUTCOME, *curves(history, rule), *predicted, *COURSE, *evidence.COLUMNS]
    return pd.concat([reached, judged, predicted, found.apply(significant)], axis=1)[columns]


def rounded(values: np.ndarray) -> np.ndarray:
    """Float32 without the digits that it does not have: 0.84, not 0.8399999738."""
    return np.round(np.asarray(values, np.float64), 7)


def significant(values: np.ndarray, digits: int = 7) -> np.ndarray:
    """Rounded to as many significant digits as a float32 has."""
    known = np.asarray(values, np.float64)
    scale = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(np.where((known == 0) | ~np.isfinite(known), 1.0, known)))))
    return np.round(known * scale) / scale
