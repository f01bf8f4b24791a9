"""Measure a model's data: the scale and the kind of its inputs, and whether the targets belong to the inputs.

Only rows are measured; names are not used. The model does not change.
"""

from collections.abc import Sequence
from math import prod
from typing import Final

import keras
import numpy as np

from pipeline.foundations.untyped import Array, Batch
from pipeline.history.record import INPUT_KINDS
from pipeline.recorder.layers import every_layer
from pipeline.recorder.neighbour_test import of_pairs
from pipeline.recorder.probe import Rows
from pipeline.recorder.row_samples import sampled

LONG: Final = 10  # times the median norm; among a million rows of normal numbers, no row is so long
PAIRS: Final = 512  # rows, evenly from first to last, whose inputs and targets are compared
NORM_NUMBERS: Final = 2**27  # the norms of rows with so many numbers take about 0.2 s
# Inputs are pixels if they are whole, >= 0, with a maximum in this range, and at least SMALL_PICTURE a row.
PIXELS: Final = (128, 255)
SMALL_PICTURE: Final = 8 * 8
PICTURE_LAYERS: Final = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.MaxPooling2D)
SEQUENCE_LAYERS: Final = (keras.layers.RNN, keras.layers.Conv1D, keras.layers.MultiHeadAttention)


def of_rows(inputs: Batch, targets: Batch) -> dict[str, float]:
    """Return the share of rows with NaN or infinity, and whether rows with similar inputs have similar targets.

    Args:
        inputs: arrays [row, ...], or structures of such arrays; None is left out.
        targets: as `inputs`.
    """
    flat = [_flat(inputs), _flat(targets)]
    floats = [leaf for leaves in flat for leaf in leaves if leaf.dtype.kind == "f"]
    is_broken = np.logical_or.reduce([~np.isfinite(leaf).all(axis=1) for leaf in floats]) if floats else np.zeros(1)
    facts = {"nonfinite_share": float(is_broken.mean())}
    if all(flat) and all(leaf.dtype.kind in "biuf" for leaves in flat for leaf in leaves):
        chosen = np.unique(np.linspace(0, len(flat[0][0]) - 1, PAIRS).astype(int))
        facts |= of_pairs(*(np.concatenate([leaf[chosen] for leaf in leaves], axis=1) for leaves in flat))
    return facts


def row_norms(leaves: Sequence[Array]) -> dict[str, float]:
    """Return `largest_row` and `long_rows`, of the rows' L2 norms; empty if the median norm is 0.

    Rows with NaN or infinity are left out. If there are more than NORM_NUMBERS numbers, some rows are left out, too.

    Args:
        leaves: inputs of numbers, [row, ...] each.
    """
    if not leaves:
        return {}
    rows = max(1, NORM_NUMBERS // max(1, sum(prod(leaf.shape[1:]) for leaf in leaves)))
    flat = [chosen.reshape(len(chosen), -1) for chosen in (sampled(leaf, rows) for leaf in leaves)]
    norms = np.sqrt(sum(np.einsum("ij,ij->i", leaf, leaf, dtype=np.float64) for leaf in flat))
    norms = norms[np.isfinite(norms)]
    median = float(np.median(norms)) if norms.size else 0.0
    if not median:
        return {}
    return {"largest_row": float(norms.max()) / median, "long_rows": float((norms > LONG * median).mean())}


def of_kind(model: keras.Model, data: Rows) -> dict[str, float]:
    """Return `input_kind`, from the shape and the numbers of the inputs and from the model's layers."""
    layers = every_layer(model)
    kinds = {kind_of_leaf(np.asarray(leaf), layers) for leaf in keras.tree.flatten(data.inputs)}
    return {"input_kind": float(INPUT_KINDS.index(kinds.pop() if len(kinds) == 1 else "other"))}


def _flat(values: Batch) -> list[Array]:
    """Return each array as [row, number]."""
    leaves = [np.asarray(leaf) for leaf in keras.tree.flatten(values) if leaf is not None]
    return [leaf.reshape(len(leaf), -1) for leaf in leaves if leaf.ndim]


def kind_of_leaf(values: Array, layers: Sequence[keras.layers.Layer]) -> str:
    """Return a name of INPUT_KINDS for one array of inputs.

    Args:
        layers: all layers of the model.
    """
    if values.dtype.kind not in "biuf":
        return "other"
    are_whole = bool((values == np.round(values)).all())
    if are_whole and any(isinstance(layer, keras.layers.Embedding) for layer in layers):
        return "ids"
    low, high = PIXELS
    are_many = prod(values.shape[1:]) >= SMALL_PICTURE
    are_pixels = are_whole and are_many and values.min() >= 0 and low <= values.max() <= high
    if are_pixels or any(isinstance(layer, PICTURE_LAYERS) for layer in layers):
        return "pictures"
    if any(isinstance(layer, SEQUENCE_LAYERS) for layer in layers):
        return "sequences"
    return "table" if values.ndim <= 2 else "other"
