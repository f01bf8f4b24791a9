"""Measure whether the rows still differ where they enter a model's first kernel. Imports TensorFlow."""

from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, TypeVar

import keras
import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Array
from pipeline.recorder.input_facts import SIGNAL_ROWS
from pipeline.recorder.layers import BESIDE_NAMES, Row, inference_mode
from pipeline.recorder.probe import Probe, Rows
from pipeline.recorder.replaced_attributes import replaced

P = ParamSpec("P")
R = TypeVar("R")


def entering_spread(model: keras.Model, rows: Sequence[Row], probe: Probe, data: Rows) -> dict[str, float]:
    """Return `entering_spread`; empty if all rows of the data are equal, or for several inputs.

    Scales and embeddings are no kernels here, so a normalisation before the first kernel is measured.
    """
    few = probe.few(data, SIGNAL_ROWS)
    leaves = keras.tree.flatten(few.inputs)
    if len(leaves) != 1 or _spread([np.asarray(leaves[0])]) == 0:
        return {}
    signals: list[Array] = []
    first: list[keras.layers.Layer] = []

    def measuring(
        owner: keras.layers.Layer, call: Callable[Concatenate[tf.Tensor, P], R]
    ) -> Callable[Concatenate[tf.Tensor, P], R]:
        def measuring_call(signal: tf.Tensor, *args: P.args, **kwargs: P.kwargs) -> R:
            if not first:
                first.append(owner)
            if first[0] is owner and tf.is_tensor(signal):
                signals.append(np.asarray(signal, np.float64))
            return call(signal, *args, **kwargs)

        return measuring_call

    owners = {id(row.owner): row.owner for row in rows if row.variable.name not in BESIDE_NAMES}
    changes = [(owner, "call", measuring(owner, owner.call)) for owner in owners.values()]
    with replaced(changes), keras.StatelessScope():
        for piece in probe.pieces(few):
            model(piece.inputs, **inference_mode(model))
    if not signals or sum(map(len, signals)) != few.size:  # such as a layer that is shared by several time steps
        return {}
    return {"entering_spread": _spread(signals)}


def _spread(signals: Sequence[Array]) -> float:
    """Return the greatest standard deviation over all rows, of one number of a row."""
    values = np.concatenate([each.reshape(len(each), -1) for each in signals])
    return float(values[np.isfinite(values).all(axis=1)].std(axis=0).max(initial=0.0)) if values.size else 0.0
