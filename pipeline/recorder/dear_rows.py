"""Decide how many rows the probe needs where each row takes long, as in convolutional and recurrent networks."""

from typing import Final

import keras

from pipeline.recorder.layers import every_layer
from pipeline.recorder.structure import graph

# In a dear row, arithmetic takes longer than calling the layers. Then a measurement takes about as long as training on
# the probe's rows, so a sixteenth of an epoch's rows keeps each measurement near a tenth of the epoch.
DEAR_LAYERS: Final = (keras.layers.RNN, keras.layers.MultiHeadAttention)
DEAR_NUMBERS: Final = 1024  # that all layers return for one row; a dense network of 5 layers of 128 units has 714
PART: Final = 16  # of the rows of an epoch, at most one in so many is in the probe
FEWEST: Final = 256  # rows; with fewer, a score's standard error is above 0.03


def probe_limit(model: keras.Model, count: int | None, most: int) -> int:
    """Return the largest number of rows in the probe.

    Args:
        count: the number of training rows; None if it is unknown.
        most: the largest number of rows where they are not dear.
    """
    if not _are_dear(model):
        return most
    return min(most, max(FEWEST, (count or 0) // PART))


def _are_dear(model: keras.Model) -> bool:
    layers = every_layer(model)
    if any(isinstance(each, DEAR_LAYERS) for each in layers):
        return True
    structure = graph(model)
    if structure is not None:
        return structure.number_count > DEAR_NUMBERS
    return any(len(each.kernel.shape) > 2 for each in layers if hasattr(each, "kernel"))  # convolutions
