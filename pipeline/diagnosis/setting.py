"""Describe a network's inputs and layers, because advice must fit them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import xarray as xr

from pipeline.history.record import HIDDEN, INPUT_KINDS

DENSE: Final = "dense"
CONVOLUTION: Final = "convolution"
RECURRENT: Final = "recurrent"
GATED: Final = "gated"  # a recurrent layer with gates: LSTM or GRU


@dataclass(frozen=True)
class Setting:
    """The inputs and layers of a network, as far as its record has them.

    inputs: a name of INPUT_KINDS; None if unknown.
    layers: the kind of each hidden layer, by path and by number; empty if unknown.
    evidence: the evidence of one replica, or empty.
    """

    inputs: str | None = None
    layers: Mapping[float | str, str] = field(default_factory=dict)
    evidence: Mapping[str, float | str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, history: xr.Dataset, evidence: Mapping[str, float | str | None]) -> "Setting":
        """Return the setting of a recorded network.

        Args:
            evidence: the evidence of one replica, with layers by path or number.
        """
        kind = int(history.input_kind.values[0]) if "input_kind" in history else 0
        hidden = history.isel(layer=(history.role.values == HIDDEN).nonzero()[0])
        kinds = [kind_of_layer(str(each)) for each in hidden.kind.values]
        layers = [dict(zip(each.values.tolist(), kinds, strict=True)) for each in (hidden.path, hidden.layer)]
        return cls(INPUT_KINDS[kind] if kind else None, layers[0] | layers[1], evidence)

    def at(self, column: str | None) -> "Setting":
        """Return the setting with only the layer that a column of the evidence names; unchanged if it names none."""
        layer = self.evidence.get(column) if column else None
        return replace(self, layers={layer: self.layers[layer]}) if layer is not None and layer in self.layers else self

    def is_recurrent(self) -> bool:
        """Return whether one of the layers is recurrent."""
        return any(map(is_recurrent_kind, self.layers.values()))

    def has_gates(self) -> bool:
        """Return whether one of the layers is an LSTM or a GRU."""
        return GATED in self.layers.values()

    def has_simple_cells(self) -> bool:
        """Return whether one of the layers is recurrent without being an LSTM or a GRU."""
        return RECURRENT in self.layers.values()

    def is_feedforward(self) -> bool:
        """Return whether one of the layers is dense or a convolution; also true if the layers are unknown."""
        return not self.layers or not all(map(is_recurrent_kind, self.layers.values()))

    def has_numbers(self) -> bool:
        """Return whether the inputs are numbers, which have a scale, and not ids."""
        return self.inputs != "ids"

    def has_pictures(self) -> bool:
        """Return whether the inputs are pictures; false if unknown."""
        return self.inputs == "pictures"

    def number(self, name: str) -> float | None:
        """Return a number of the evidence; None if it is missing or NaN."""
        value = self.evidence.get(name)
        return None if value is None or value != value else float(value)


def kind_of_layer(layer: str) -> str:
    """Return the kind of a layer by its class name."""
    if any(part in layer for part in ("LSTM", "GRU")):
        return GATED
    if "RNN" in layer:
        return RECURRENT
    return CONVOLUTION if "Conv" in layer else DENSE


def is_recurrent_kind(kind: str) -> bool:
    """Return whether layers of this kind, as `kind_of_layer` returns it, are recurrent."""
    return kind in (RECURRENT, GATED)
