"""Find padding at the end of sequences, masks that reach recurrent layers, and states that belong to shuffled rows."""

from collections.abc import Callable, Sequence
from typing import Concatenate, Final, ParamSpec, TypeVar

import keras
import numpy as np

from pipeline.foundations.untyped import Array, Batch
from pipeline.recorder.fit_arguments import FitArguments
from pipeline.recorder.layers import inference_mode, states
from pipeline.recorder.probe import Probe, Rows
from pipeline.recorder.replaced_attributes import replaced
from pipeline.recorder.row_samples import sampled

FEW: Final = 2  # rows are enough, because the existence of a mask depends on no row
P = ParamSpec("P")
R = TypeVar("R")


def padding_share(sequences: Sequence[Array]) -> dict[str, float]:
    """Return `padding_share` of the input with the largest share; empty without sequences.

    Args:
        sequences: inputs [row, step] or [row, step, feature].
    """
    shares = [_padding(sampled(leaf)) for leaf in sequences if leaf.ndim > 1 and leaf.shape[1] > 1]
    return {"padding_share": max(shares)} if shares else {}


def mask_facts(model: keras.Model, layers: Sequence[keras.layers.Layer], probe: Probe, data: Rows) -> dict[str, float]:
    """Return `masks_padding`; empty without a recurrent layer. The model does not change."""
    recurrent = [layer for layer in layers if isinstance(layer, keras.layers.RNN)]
    if not recurrent:
        return {}
    masks: list[Batch] = []

    def noting_mask(call: Callable[Concatenate[Batch, P], R]) -> Callable[Concatenate[Batch, P], R]:
        def noting_call(sequence: Batch, *args: P.args, **kwargs: P.kwargs) -> R:
            masks.append(args[1] if len(args) > 1 else kwargs.get("mask"))  # after the initial state
            return call(sequence, *args, **kwargs)

        return noting_call

    changes = [(layer, "call", noting_mask(layer.call)) for layer in recurrent]
    with replaced(changes), keras.StatelessScope():
        model(probe.few(data, FEW).inputs, **inference_mode(model))
    return {"masks_padding": float(any(mask is not None for mask in masks))} if masks else {}


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
