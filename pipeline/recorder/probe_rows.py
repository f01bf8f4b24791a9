"""Which rows are the probe: some of those that the user gave, in whole batches where the model takes no others."""

import keras
import numpy as np

from pipeline.foundations.untyped import Batch
from pipeline.recorder.layers import batch_size, states
from pipeline.recorder.probe import Rows


def spread(model: keras.Model, inputs: Batch, targets: Batch, most: int) -> Rows:
    """Return at most so many rows, evenly from first to last, so that of sorted rows each label has its share.

    Stateful layers need rows that follow each other: these get the first rows, at least one batch.

    Raises:
        ValueError: the model takes batches of a fixed size, and there are fewer rows.
    """
    count = len(keras.tree.flatten(inputs)[0])
    places = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))
    if model.built and states(model):
        places = np.arange(min(count, max(most, batch_size(model) or 1)))

    def some(leaf: Batch) -> Batch:
        return None if leaf is None else np.asarray(leaf)[places]

    return in_batches(model, Rows.of(*keras.tree.map_structure(some, (inputs, targets, None))))


def in_batches(model: keras.Model, data: Rows) -> Rows:
    """Return the first rows in whole batches where a built model takes batches of a fixed size, else all rows.

    Raises:
        ValueError: there are fewer rows than one batch.
    """
    batch = batch_size(model) if model.built else None
    if batch is None:
        return data
    if data.size < batch:
        raise ValueError(f"{data.size} rows: the model takes batches of {batch} rows")
    return data.some(0, data.size // batch * batch)
