"""Choose the rows of the probe; models with a fixed batch size get whole batches."""

import keras
import numpy as np

from pipeline.foundations.untyped import Batch
from pipeline.recorder.layers import batch_size, states
from pipeline.recorder.probe import Rows


def spread(model: keras.Model, inputs: Batch, targets: Batch, most: int) -> Rows:
    """Return at most `most` rows, evenly from first to last, so that sorted rows give each label its share.

    Stateful layers need consecutive rows: they get the first rows, at least one batch.

    Raises:
        ValueError: there are fewer rows than the model's fixed batch size.
    """
    count = len(keras.tree.flatten(inputs)[0])
    indices = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))
    if model.built and states(model):
        indices = np.arange(min(count, max(most, batch_size(model) or 1)))

    def chosen(leaf: Batch) -> Batch:
        return None if leaf is None else np.asarray(leaf)[indices]

    return in_batches(model, Rows.of(*keras.tree.map_structure(chosen, (inputs, targets, None))))


def in_batches(model: keras.Model, data: Rows) -> Rows:
    """Return all rows; for a built model with a fixed batch size, the first rows in whole batches.

    Raises:
        ValueError: there are fewer rows than one batch.
    """
    batch = batch_size(model) if model.built else None
    if batch is None:
        return data
    if data.size < batch:
        raise ValueError(f"{data.size} rows: must be at least {batch}, the model's batch size")
    return data.between(0, data.size // batch * batch)
