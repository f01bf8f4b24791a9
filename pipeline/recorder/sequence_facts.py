"""Find padding at the end of sequences, and states that belong to shuffled rows."""

from collections.abc import Sequence

import keras
import numpy as np

from pipeline.foundations.untyped import Array
from pipeline.recorder.fit_arguments import FitArguments
from pipeline.recorder.layers import states
from pipeline.recorder.row_samples import sampled


def padding_share(sequences: Sequence[Array]) -> dict[str, float]:
    """Return `padding_share` of the input with the largest share; empty without sequences.

    Args:
        sequences: inputs [row, step] or [row, step, feature].
    """
    shares = [_padding(sampled(leaf)) for leaf in sequences if leaf.ndim > 1 and leaf.shape[1] > 1]
    return {"padding_share": max(shares)} if shares else {}


def state_facts(model: keras.Model, arguments: FitArguments) -> dict[str, float]:
    """Return `shuffles_state`; empty without a stateful layer, or if the order of the batches is unknown."""
    if not states(model) or not arguments.has_arrays:
        return {}
    return {"shuffles_state": float(bool(arguments.shuffle))}


def _padding(sequences: Array) -> float:
    """Return the mean share of the steps at a row's end that equal the most frequent last step of all rows."""
    steps = sequences.reshape(*sequences.shape[:2], -1)
    values, counts = np.unique(steps[:, -1], axis=0, return_counts=True)
    if counts.max() < 2:
        return 0.0
    is_padding = (steps == values[counts.argmax()]).all(axis=2)
    return float(np.logical_and.accumulate(is_padding[:, ::-1], axis=1).mean())
