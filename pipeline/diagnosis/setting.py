"""The inputs and layers of a network, as far as its record says: what is suggested must fit them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import xarray as xr

from pipeline.history.record import HIDDEN, INPUT_KINDS

DENSE: Final = "dense"
CONVOLUTION: Final = "convolution"
RECURRENT: Final = "recurrent"


@dataclass(frozen=True)
class Setting:
    """Inputs and layers of a network.

    inputs: a name of INPUT_KINDS, or None where the record does not say.
    layers: the kinds of the hidden layers, by path and by number; empty where they are not known.
    evidence: of one replica, or empty.
    """

    inputs: str | None = None
    layers: Mapping[float | str, str] = field(default_factory=dict)
    evidence: Mapping[str, float | str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, history: xr.Dataset, evidence: Mapping[str, float | str | None]) -> "Setting":
        """Read it from a record.

        Args:
            evidence: of `diagnosis.evidence`, for one replica; layers by path or number.
        """
        kind = int(history.input_kind.values[0]) if "input_kind" in history else 0
        hidden = history.isel(layer=(history.role.values == HIDDEN).nonzero()[0])
        kinds = [_kind(str(each)) for each in hidden.kind.values]
        layers = [dict(zip(each.values.tolist(), kinds, strict=True)) for each in (hidden.path, hidden.layer)]
        return cls(INPUT_KINDS[kind] if kind else None, layers[0] | layers[1], evidence)

    def at(self, column: str | None) -> "Setting":
        """Return the setting of the one layer that the evidence names in a column, if it names one."""
        layer = self.evidence.get(column) if column else None
        return replace(self, layers={layer: self.layers[layer]}) if layer is not None and layer in self.layers else self

    @property
    def is_recurrent(self) -> bool:
        """Whether one of the layers is recurrent."""
        return RECURRENT in self.layers.values()

    @property
    def is_feedforward(self) -> bool:
        """Whether one of the layers is dense or a convolution, or none is known."""
        return not self.layers or {*self.layers.values()} != {RECURRENT}

    @property
    def has_numbers(self) -> bool:
        """Whether the inputs are numbers, which have a scale; ids have none."""
        return self.inputs != "ids"

    @property
    def has_pictures(self) -> bool:
        """Whether the inputs are known to be pictures."""
        return self.inputs == "pictures"

    def number(self, name: str) -> float | None:
        """Return a number of the evidence; None where there is none."""
        value = self.evidence.get(name)
        return None if value is None or value != value else float(value)


def _kind(layer: str) -> str:
    """Return the kind of a layer by its class name."""
    if any(part in layer for part in ("LSTM", "GRU", "RNN")):
        return RECURRENT
    return CONVOLUTION if "Conv" in layer else DENSE
