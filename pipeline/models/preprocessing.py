"""Keras's own layers around a network, so that a model takes raw rows and gives raw targets.

A table of numbers is one input [row, column]. A table with categories, or with missing values, is a map of inputs
[row, 1] by the columns' names: text for a category, a number for all else, NaN or an empty text where it is missing.
"""

from collections.abc import Callable
from typing import Any

from pipeline.data.samples import InputColumn, Origin
from pipeline.foundations.tensorflow import keras

Inputs = Any  # a Keras tensor, or a map of them by name


def is_plain(origin: Origin) -> bool:
    """Whether raw rows are one array of numbers, nothing missing."""
    return all(column.kind != "category" and column.fill is None for column in origin.columns)


def raw_inputs(origin: Origin) -> tuple[Inputs, keras.KerasTensor]:
    """What a model takes, and what a network gets of it, [row, input] or with more dimensions."""
    if is_plain(origin):
        given = keras.Input(origin.shape, name="inputs")
        factors, offsets = ([getattr(each, name) for each in origin.columns] for name in ("factor", "offset"))
        return given, keras.layers.Rescaling(factors, offsets, name="scaling")(given)
    given = {name: _input(column, name) for name, column in zip(input_names(origin), origin.columns, strict=True)}
    encoded = [_encoded(given[name], column, number) for number, (name, column) in enumerate(_named(origin), start=1)]
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
    """The columns' names, but that Keras allows no slash in them."""
    return [column.name.replace("/", "_") for column in origin.columns]


def _named(origin: Origin) -> list[tuple[str, InputColumn]]:
    return list(zip(input_names(origin), origin.columns, strict=True))


def _input(column: InputColumn, name: str) -> keras.KerasTensor:
    return keras.Input((1,), name=name, dtype="string" if column.kind == "category" else "float32")


def _encoded(given: keras.KerasTensor, column: InputColumn, number: int) -> keras.KerasTensor:
    """Of one column, [row, 1] or [row, category]."""
    named: Callable[[str], str] = lambda part: f"column_{number:02d}_{part}"  # noqa: E731
    if column.kind != "category":
        if column.fill is not None:
            given = keras.ops.where(keras.ops.isnan(given), float(column.fill), given)
        return keras.layers.Rescaling(column.factor, column.offset, name=named("scaling"))(given)
    lookup = keras.layers.StringLookup(
        vocabulary=list(column.categories), num_oov_indices=1, output_mode="one_hot", name=named("categories")
    )
    codes = lookup(given)  # [row, 1 + category]: the first says that it is none of them
    known = codes[:, 1:]
    if column.fill is None:
        return known
    instead = [float(category == column.fill) for category in column.categories]
    filled = keras.layers.Rescaling(instead, 0.0, name=named("missing"))(codes[:, :1])
    return keras.layers.Add(name=named("filled"))([known, filled])
