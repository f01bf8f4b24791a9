"""Compare the validation rows with the training rows: means, deviations and classes."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from pipeline.foundations.untyped import Array
from pipeline.recorder.row_samples import sampled_columns

ROUNDING: Final = 1e-7  # relative to the mean; a column with a smaller standard deviation counts as constant
SMALLEST_RATIO: Final = 1e-6  # of standard deviations; counts for a column that is constant in the validation rows


def input_shift(training: Sequence[Array], validation: Sequence[Array]) -> dict[str, float]:
    """Return `validation_shift` and `validation_spread`; empty if no column varies, or if shapes differ.

    Args:
        training: the numeric inputs of the training rows, [row, ...] each.
        validation: the same of the validation rows.
    """
    if [leaf.shape[1:] for leaf in training] != [leaf.shape[1:] for leaf in validation]:
        return {}
    shifts, spreads = [], []
    for leaves in zip(training, validation, strict=True):
        train, held_out = (_finite_rows(sampled_columns(leaf)) for leaf in leaves)
        if not len(train) or not len(held_out):
            continue
        mean, deviation = train.mean(axis=0), train.std(axis=0)
        varies = deviation > ROUNDING * np.abs(mean)
        mean, deviation, held_out = mean[varies], deviation[varies], held_out[:, varies]
        shifts.append(np.abs(held_out.mean(axis=0) - mean) / deviation)
        spreads.append(np.log10(np.maximum(held_out.std(axis=0) / deviation, SMALLEST_RATIO)))
    if not sum(map(len, shifts)):
        return {}
    return {
        "validation_shift": float(np.concatenate(shifts).mean()),
        "validation_spread": float(np.median(np.concatenate(spreads))),
    }


def new_classes(training: Array | None, validation: Array | None) -> dict[str, float]:
    """Return `validation_new_classes`; empty without classes.

    Args:
        training: the class of each training row; None if there are no classes.
        validation: the class of each validation row.
    """
    if training is None or validation is None or not len(validation):
        return {}
    return {"validation_new_classes": float((~np.isin(validation, np.unique(training))).mean())}


def _finite_rows(columns: Array) -> Array:
    return columns[np.isfinite(columns).all(axis=1)]
