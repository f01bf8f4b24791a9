"""Keras's own layers around a network, so that a model takes raw rows and gives raw targets.

A table of numbers is one input [row, column]. A table with categories, booleans or missing values, or with numbers that
need double precision, is a map of inputs [row, 1] by the columns' names: text for a category, a number for all else,
NaN or an empty text where it is missing.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pipeline.data.split.samples import SINGLE, InputColumn, Origin, is_plain
from pipeline.foundations.tensorflow import keras

Inputs = Any  # a Keras tensor, or a map of them by name
# The names of a model's other layers: all must differ.
_TAKEN: Final = re.compile(r"(hidden|column|output|encoded|unscaling)(_.*)?")


def raw_inputs(origin: Origin) -> tuple[Inputs, keras.KerasTensor]:
    """What a model takes, and what a network gets of it, [row, input] or with more dimensions."""
    if is_plain(origin.columns):
        given = keras.Input(origin.shape, name="inputs")
        factors, offsets = ([getattr(each, name) for each in origin.columns] for name in ("factor", "offset"))
        return given, keras.layers.Rescaling(factors, offsets, name="scaling")(given)
    given = {name: _input(column, name) for name, column in zip(input_names(origin), origin.columns, strict=True)}
    encoded = [
        _Column(each, number).encoded(given[name]) for number, (name, each) in enumerate(_named(origin), start=1)
    ]
    joined = keras.layers.Concatenate(name="encoded")(encoded) if len(encoded) > 1 else encoded[0]
    return given, joined


def raw_outputs(origin: Origin, predictions: keras.KerasTensor) -> keras.KerasTensor:
    """The targets as the raw rows have them, of a regression whose targets were scaled."""
    if all((each.offset, each.factor) == (0.0, 1.0) for each in origin.targets):
        return predictions
    factors = [1 / each.factor for each in origin.targets]
    offsets = [-each.offset / each.factor for each in origin.targets]
    return keras.layers.Rescaling(factors, offsets, name="unscaling")(predictions)


def input_names(origin: Origin) -> list[str]:
    """The columns' names; another where Keras takes none such: with a slash, empty, or the name of a layer."""
    names: list[str] = []
    for column in origin.columns:
        name = column.name.replace("/", "_") or "unnamed"
        while name in names or _TAKEN.fullmatch(name):
            name = f"_{name}"
        names.append(name)
    return names


def missing_text(column: InputColumn) -> str:
    """What stands for a category that is missing, and is none itself."""
    text = ""
    while text in column.categories:
        text += "?"
    return text


def _named(origin: Origin) -> list[tuple[str, InputColumn]]:
    return list(zip(input_names(origin), origin.columns, strict=True))


def _input(column: InputColumn, name: str) -> keras.KerasTensor:
    return keras.Input((1,), name=name, dtype="string" if column.kind == "category" else "float64")


@dataclass(frozen=True)
class _Column:
    """What makes inputs of a column.

    Every layer and every operation has a name of its own. Keras would number those without one as they come, so that a
    file would depend on what was built before.
    """

    column: InputColumn
    number: int

    def encoded(self, given: keras.KerasTensor) -> keras.KerasTensor:
        """Of [row, 1], [row, 1] or [row, category]."""
        column = self.column
        if column.kind == "category":
            return self._one_hot(given)
        if column.fill is not None:
            is_missing = self._called("is_missing", keras.ops.isnan(given))
            given = self._called("filled", keras.ops.where(is_missing, float(column.fill), given))
        return self._scaled(given)

    def _scaled(self, given: keras.KerasTensor) -> keras.KerasTensor:
        """Around a number near the mean, in double precision: 100000001 and 100000002 are one in single precision.

        Keras takes a layer's factor and offset in single precision all the same, so that number is one of those.
        """
        column = self.column
        centre = float(np.float32(-column.offset / column.factor)) if abs(column.offset) >= SINGLE else 0.0
        if centre:
            given = keras.layers.Rescaling(1.0, -centre, name=self._name("centring"), dtype="float64")(given)
        offset = column.offset + column.factor * centre
        return keras.layers.Rescaling(column.factor, offset, name=self._name("scaling"), dtype="float64")(given)

    def _one_hot(self, given: keras.KerasTensor) -> keras.KerasTensor:
        column = self.column
        lookup = keras.layers.StringLookup(
            vocabulary=list(column.categories),
            num_oov_indices=1,
            oov_token=missing_text(column),
            output_mode="one_hot",
            name=self._name("categories"),
        )
        codes = lookup(given)  # [row, 1 + category]: the first says that it is none of them
        known = self._called("known", codes[:, 1:])
        if column.fill is None:
            return known
        instead = [float(category == column.fill) for category in column.categories]
        unknown = self._called("unknown", codes[:, :1])
        filled = keras.layers.Rescaling(instead, 0.0, name=self._name("missing"))(unknown)
        return keras.layers.Add(name=self._name("filled"))([known, filled])

    def _called(self, part: str, made: keras.KerasTensor) -> keras.KerasTensor:
        made._keras_history.operation.name = self._name(part)
        return made

    def _name(self, part: str) -> str:
        return f"column_{self.number:02d}_{part}"
