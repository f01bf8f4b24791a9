"""What became of each replica."""

import numpy as np
import pandas as pd
import xarray as xr

from pipeline import history as record

COLUMNS = [
    "replica",
    "outcome",
    "train_accuracy",
    "test_accuracy",
    "train_loss",
    "test_loss",
    "epochs_to_learn",
    "living_at_start",
    "living_at_end",
]


def learned_at(history: xr.Dataset, threshold: float) -> xr.DataArray:
    """bool [replica, epoch]: test accuracy above `threshold`, and the replica never diverged."""
    return (history.test_accuracy > threshold) & ~record.diverged(history)


def epochs_to_learn(learned: np.ndarray) -> np.ndarray:
    """The first epoch from which each row of bool [replica, epoch] stays true; NaN where the last is false."""
    still_true = np.logical_and.accumulate(learned[:, ::-1], axis=1)[:, ::-1]
    return np.where(still_true[:, -1], still_true.argmax(axis=1), np.nan)


def evaluate(history: xr.Dataset, threshold: float) -> pd.DataFrame:
    """A row a replica, with the columns COLUMNS; `outcome` is learned, not_learned or diverged."""
    learned = learned_at(history, threshold).values
    living = record.living(history).values
    outcome = np.where(learned[:, -1], "learned", "not_learned")
    final = history.isel(epoch=-1)
    return pd.DataFrame(
        {
            "replica": history.replica.values,
            "outcome": np.where(record.diverged(history).values, "diverged", outcome),
            "train_accuracy": rounded(final.train_accuracy.values),
            "test_accuracy": rounded(final.test_accuracy.values),
            "train_loss": rounded(final.train_loss.values),
            "test_loss": rounded(final.test_loss.values),
            "epochs_to_learn": epochs_to_learn(learned),
            "living_at_start": living[:, 0].astype(int),
            "living_at_end": living[:, -1].astype(int),
        },
        columns=COLUMNS,
    )


def rounded(values: np.ndarray) -> np.ndarray:
    """Float32 without the digits that it does not have: 0.84, not 0.8399999738."""
    return np.round(np.asarray(values, np.float64), 7)
