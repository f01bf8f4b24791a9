"""What became of each replica."""

import numpy as np
import pandas as pd
import xarray as xr

from pipeline.diagnosis import evidence
from pipeline.diagnosis.causes import diagnose
from pipeline.history import record
from pipeline.params.diagnosis import DiagnosisParams

COLUMNS = [
    "replica",
    "outcome",
    "cause",
    "train_accuracy",
    "test_accuracy",
    "train_loss",
    "test_loss",
    "epochs_to_learn",
    "diverged",
    "living_at_start",
    "living_at_end",
    *evidence.COLUMNS,
]


def learned_at(history: xr.Dataset, threshold: float) -> xr.DataArray:
    """bool [replica, epoch]: test accuracy above `threshold`, and the replica never diverged."""
    return (history.test_accuracy > threshold) & ~record.diverged(history)


def epochs_to_learn(learned: np.ndarray) -> np.ndarray:
    """The first epoch from which each row of bool [replica, epoch] stays true; NaN where the last is false."""
    still_true = np.logical_and.accumulate(learned[:, ::-1], axis=1)[:, ::-1]
    return np.where(still_true[:, -1], still_true.argmax(axis=1), np.nan)


def evaluate(history: xr.Dataset, threshold: float, params: DiagnosisParams) -> pd.DataFrame:
    """A row a replica, with the columns COLUMNS: what it reached, its outcome and cause, and the evidence."""
    learned = learned_at(history, threshold).values
    living = record.living(history).values
    found = evidence.measure(history, params)
    final = history.isel(epoch=-1)
    reached = pd.DataFrame(
        {
            "replica": history.replica.values,
            "train_accuracy": rounded(final.train_accuracy.values),
            "test_accuracy": rounded(final.test_accuracy.values),
            "train_loss": rounded(final.train_loss.values),
            "test_loss": rounded(final.test_loss.values),
            "epochs_to_learn": epochs_to_learn(learned),
            "diverged": record.diverged(history).values.astype(int),
            "living_at_start": living[:, 0].astype(int),
            "living_at_end": living[:, -1].astype(int),
        }
    )
    judged = diagnose(learned[:, -1], found, params)
    return pd.concat([reached, judged, found.apply(significant)], axis=1)[COLUMNS]


def rounded(values: np.ndarray) -> np.ndarray:
    """Float32 without the digits that it does not have: 0.84, not 0.8399999738."""
    return np.round(np.asarray(values, np.float64), 7)


def significant(values: np.ndarray, digits: int = 7) -> np.ndarray:
    """Rounded to as many significant digits as a float32 has."""
    known = np.asarray(values, np.float64)
    scale = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(np.where((known == 0) | ~np.isfinite(known), 1.0, known)))))
    return np.round(known * scale) / scale
