"""Put Keras's own layers around a network, so that a model takes raw rows and returns raw targets.

A table of plain numbers is one input [row, column]. Any other table (with categories, booleans, missing values, or
numbers that need float64) is a map of inputs [row, 1] by column name: texts for categories, numbers for all else. A
missing value is NaN, or an empty text for a category.
"""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from pipeline.data.split.samples import LARGEST_OFFSET, InputColumn, Origin, is_plain
from pipeline.foundations.tensorflow import keras

Inputs: TypeAlias = "keras.KerasTensor | dict[str, keras.KerasTensor]"  # one input, or inputs by name
# The names of a model's other layers; an input must have another name.
_RESERVED: Final = re.compile(r"(hidden|column|output|encoded|unscaling)(_.*)?")


def raw_inputs(origin: Origin) -> tuple[Inputs, keras.KerasTensor]:
    """Return a model's inputs, and the encoded and scaled rows for its network, [row, input] or [row, ..., input]."""
    if is_plain(origin.columns):
        inputs = keras.Input(origin.shape, name="inputs")
        factors, offsets = ([getattr(each, name) for each in origin.columns] for name in ("factor", "offset"))
        return inputs, keras.layers.Rescaling(factors, offsets, name="scaling")(inputs)
    columns = dict(zip(input_names(origin), origin.columns, strict=True))
    by_name = {name: _input(column, name) for name, column in columns.items()}
    encoded = [
        _Column(column, number).encoded(by_name[name]) for number, (name, column) in enumerate(columns.items(), start=1)
    ]
    joined = keras.layers.Concatenate(name="encoded")(encoded) if len(encoded) > 1 else encoded[0]
    return by_name, joined


def raw_outputs(origin: Origin, predictions: keras.KerasTensor) -> keras.KerasTensor:
    """Return predictions in the unit of the raw targets, by undoing the scaling of a regression's targets."""
    if all((each.offset, each.factor) == (0.0, 1.0) for each in origin.targets):
        return predictions
    factors = [1 / each.factor for each in origin.targets]
    offsets = [-each.offset / each.factor for each in origin.targets]
    return keras.layers.Rescaling(factors, offsets, name="unscaling")(predictions)


def input_names(origin: Origin) -> list[str]:
    """Return a name for each column's input: the column's own, changed if Keras rejects it.

    Keras rejects empty names, names with a slash, and names of other layers.
    """
    names: list[str] = []
    for column in origin.columns:
        name = column.name.replace("/", "_") or "unnamed"
        while name in names or _RESERVED.fullmatch(name):
            name = f"_{name}"
        names.append(name)
    return names


def missing_text(column: InputColumn) -> str:
    """Return the text of a missing value: a text that is no category."""
    text = ""
    while text in column.categories:
        text += "?"
    return text


def _input(column: InputColumn, name: str) -> keras.KerasTensor:
    return keras.Input((1,), name=name, dtype="string" if column.kind == "category" else "float64")


@dataclass(frozen=True)
class _Column:
    """The layers that turn a column into inputs.

    Every layer and operation gets a name. Without names, Keras would number them across models, and a saved file would
    depend on the models that were built before.
    """

    column: InputColumn
    number: int

    def encoded(self, raw: keras.KerasTensor) -> keras.KerasTensor:
        """Return the inputs, [row, 1] or [row, category], from the raw column, [row, 1]."""
        column = self.column
        if column.kind == "category":
            return self._one_hot(raw)
        if column.fill is not None:
            is_missing = self._named("is_missing", keras.ops.isnan(raw))
            raw = self._named("filled", keras.ops.where(is_missing, float(column.fill), raw))
        return self._scaled(raw)

    def _scaled(self, raw: keras.KerasTensor) -> keras.KerasTensor:
        """Return the scaled column; if its offset is large, first subtract a number near the mean, in float64.

        Otherwise 100000001 and 100000002 would become equal, as in float32. The subtracted number is one that float32
        holds exactly, because Keras stores a layer's factor and offset as float32.
        """
        column = self.column
        centre = float(np.float32(-column.offset / column.factor)) if abs(column.offset) >= LARGEST_OFFSET else 0.0
        if centre:
            raw = keras.layers.Rescaling(1.0, -centre, name=self._name("centring"), dtype="float64")(raw)
        offset = column.offset + column.factor * centre
        return keras.layers.Rescaling(column.factor, offset, name=self._name("scaling"), dtype="float64")(raw)

    def _one_hot(self, raw: keras.KerasTensor) -> keras.KerasTensor:
        column = self.column
        lookup = keras.layers.StringLookup(
            vocabulary=list(column.categories),
            num_oov_indices=1,
            oov_token=missing_text(column),
            output_mode="one_hot",
            name=self._name("categories"),
        )
        codes = lookup(raw)  # [row, 1 + category]; the first column is 1 if the text is no category
        one_hot = self._named("known", codes[:, 1:])
        if column.fill is None:
            return one_hot
        fill = [float(category == column.fill) for category in column.categories]
        unknown = self._named("unknown", codes[:, :1])
        filled = keras.layers.Rescaling(fill, 0.0, name=self._name("missing"))(unknown)
        return keras.layers.Add(name=self._name("filled"))([one_hot, filled])

    def _named(self, part: str, result: keras.KerasTensor) -> keras.KerasTensor:
        """Name the operation that made `result`, and return `result`."""
        result._keras_history.operation.name = self._name(part)
        return result

    def _name(self, part: str) -> str:
        return f"column_{self.number:02d}_{part}"
