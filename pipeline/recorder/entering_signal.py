"""Run a model once on a few rows, and keep what enters its first kernel and recurrent layers. Imports TensorFlow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Concatenate, Final, ParamSpec, TypeVar

import keras
import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Array, Batch
from pipeline.history import scales
from pipeline.recorder.layers import BESIDE, BESIDE_NAMES, Row, every_layer, inference_mode
from pipeline.recorder.probe import Probe, Rows
from pipeline.recorder.replaced_attributes import Change, replaced

SIGNAL_ROWS: Final = 256  # rows of the pass
P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class FirstCalls:
    """The inputs of the layer that the model calls first among some layers.

    layer: None before the pass.
    signals: its inputs, [row, ...] by call.
    """

    layer: keras.layers.Layer | None = None
    signals: list[Array] = field(default_factory=list)

    def add(self, layer: keras.layers.Layer, signal: Batch) -> None:
        """Add the input of a call, if the layer is the first one."""
        self.layer = self.layer or layer
        if self.layer is layer and tf.is_tensor(signal):
            self.signals.append(np.asarray(signal))


class EnteringSignal:
    """The results of one eager pass in inference mode; the model does not change.

    Scales and embeddings have weights, but no kernel.
    """

    def __init__(self, model: keras.Model, rows: Sequence[Row], probe: Probe, data: Rows) -> None:
        """Run the model on the first rows of the data."""
        self._few = probe.few(data, SIGNAL_ROWS)
        self._owners = {id(row.owner): row for row in rows}
        self._of_weights, self._of_kernels = FirstCalls(), FirstCalls()
        self._masks: list[Batch] = []
        kernels = {id(row.owner) for row in rows if row.variable.name not in BESIDE_NAMES}
        layers = [each for each in every_layer(model) if isinstance(each, keras.layers.RNN) or id(each) in self._owners]
        changes: list[Change] = [(layer, "call", self._noting(layer, id(layer) in kernels)) for layer in layers]
        with replaced(changes), keras.StatelessScope():
            for piece in probe.pieces(self._few):
                model(piece.inputs, **inference_mode(model))

    def scale(self) -> dict[str, float]:
        """Return `input_scale` and `input_decades` of the signal that enters the first kernel.

        Empty if a layer with weights, such as an embedding or a normalisation, comes before this kernel.
        """
        layer, signals = self._of_weights.layer, self._of_weights.signals
        if layer is None or self._owners[id(layer)].role == BESIDE:
            return {}
        floats = [each.astype(np.float64) for each in signals if each.dtype.kind not in "biuSUO"]
        return scales.of_inputs(np.concatenate([each.reshape(-1, each.shape[-1]) for each in floats])) if floats else {}

    def spread(self) -> dict[str, float]:
        """Return `entering_spread`; empty if all rows of the data are equal, or for several inputs.

        A normalisation before the first kernel is measured, too.
        """
        leaves = keras.tree.flatten(self._few.inputs)
        if len(leaves) != 1 or _spread([np.asarray(leaves[0])]) == 0:
            return {}
        signals = [each.astype(np.float64) for each in self._of_kernels.signals]
        if not signals or sum(map(len, signals)) != self._few.size:  # such as a layer that several time steps share
            return {}
        return {"entering_spread": _spread(signals)}

    def masks(self) -> dict[str, float]:
        """Return `masks_padding`; empty without a recurrent layer."""
        return {"masks_padding": float(any(mask is not None for mask in self._masks))} if self._masks else {}

    def _noting(self, layer: keras.layers.Layer, has_kernel: bool) -> Callable[Concatenate[Batch, P], R]:
        call: Callable[Concatenate[Batch, P], R] = layer.call

        def noting_call(signal: Batch, *args: P.args, **kwargs: P.kwargs) -> R:
            if id(layer) in self._owners:
                self._of_weights.add(layer, signal)
            if has_kernel:
                self._of_kernels.add(layer, signal)
            if isinstance(layer, keras.layers.RNN):
                self._masks.append(args[1] if len(args) > 1 else kwargs.get("mask"))  # after the initial state
            return call(signal, *args, **kwargs)

        return noting_call


def _spread(signals: Sequence[Array]) -> float:
    """Return the greatest standard deviation over all rows, of one number of a row."""
    values = np.concatenate([each.reshape(len(each), -1) for each in signals])
    return float(values[np.isfinite(values).all(axis=1)].std(axis=0).max(initial=0.0)) if values.size else 0.0
