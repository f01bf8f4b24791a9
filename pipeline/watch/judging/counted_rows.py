"""Find the rows or time steps that count in scores: all but padding, masked steps and rows of weight 0.

Imports TensorFlow with the user's own settings.
"""

from typing import Final

import keras
import numpy as np

from pipeline.foundations.untyped import Array, Batch
from pipeline.recorder.layers import every_layer, inference_mode
from pipeline.recorder.probe import Probe, Rows

PADDING: Final = 0  # the id that fills rows of unequal length


def counted_rows(model: keras.Model, probe: Probe, data: Rows) -> Array | None:
    """Return which rows or steps count, bool [row] or [row, step] as the only target has them; None if all count."""
    targets = [leaf for leaf in keras.tree.flatten(data.targets) if leaf is not None]
    if len(targets) != 1:
        return None
    target = np.asarray(targets[0])
    masks = [_weighted(data.weights), _masked(model, probe, data), _padding(data.inputs, target)]
    known = [each for each in masks if each is not None and not each.all()]
    steps = next((each.shape for each in known if each.ndim > 1), None)
    if not known:
        return None
    if steps is None:
        rows = np.logical_and.reduce(known)
        return np.broadcast_to(rows[:, None], target.shape) if _has_steps(target) else rows
    return np.logical_and.reduce([each if each.ndim > 1 else each[:, None] for each in known])


def _has_steps(target: Array) -> bool:
    return target.ndim == 2 and target.dtype.kind in "iu" and target.shape[1] > 1


def _weighted(weights: Batch) -> Array | None:
    """Return where the sample weights are not 0."""
    leaves = [np.asarray(leaf) for leaf in keras.tree.flatten(weights) if leaf is not None]
    return leaves[0] != 0 if len(leaves) == 1 and leaves[0].ndim in (1, 2) else None


def _masked(model: keras.Model, probe: Probe, data: Rows) -> Array | None:
    """Return the mask of the outputs by step; None without a layer that makes one."""
    layers = every_layer(model)
    if not any(isinstance(each, keras.layers.Masking) or getattr(each, "mask_zero", False) for each in layers):
        return None
    masks = []
    with keras.StatelessScope():
        for piece in probe.pieces(data):
            outputs = keras.tree.flatten(model(piece.inputs, **inference_mode(model)))
            mask = getattr(outputs[0], "_keras_mask", None) if len(outputs) == 1 else None
            if mask is None:
                return None
            masks.append(np.asarray(mask))
    return np.concatenate(masks)


def _padding(inputs: Batch, target: Array) -> Array | None:
    """Return where a row's ids have not ended yet; after the end, all ids of inputs and targets are 0."""
    leaves = [np.asarray(leaf) for leaf in keras.tree.flatten(inputs)]
    are_ids = len(leaves) == 1 and leaves[0].dtype.kind in "iu" and leaves[0].shape == target.shape
    if not are_ids or not _has_steps(target):
        return None
    is_padding = (leaves[0] == PADDING) & (target == PADDING)
    return ~np.logical_and.accumulate(is_padding[:, ::-1], axis=1)[:, ::-1]
