"""`data`: where the rows come from, and what a network must learn from them."""

from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field

from pipeline.params.file import Plain, StrictSection

COMMA: Final = ","


def class_name(value: object) -> str:
    """Return the name of a class: 1 and 1.0 are the same class."""
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) < 2**53:
        return str(int(value))
    return str(value)


def _as_class_name(value: Plain) -> Plain:
    """Convert a number or boolean to the name of its class; return any other value unchanged."""
    return class_name(value) if isinstance(value, bool | int | float) else value


def _expect_delimiter(value: str) -> str:
    """Check that a delimiter can separate numbers and text.

    Raises:
        ValueError: the delimiter is not one character that can.
    """
    if len(value) != 1 or not value.isascii() or value.isalnum() or value in '"\r\n.+-':
        raise ValueError('must be one character, such as ",", ";", "|" or "\\t"')
    return value


Column = Annotated[str, Field(min_length=1, max_length=200)]


class DataParams(StrictSection):
    """The section `data`: a source that `data.sources` lists, with its arguments, or a file in `tables/`.

    config: the arguments of the source.
    task: `auto` chooses the task by the target, and reports its choice.
    target: the column of a file to predict.
    features: the columns from which to predict the target; all other columns by default.
    missing: what to do with missing values.
    positive_class: the class of a binary task whose probability a model returns; the last class by default.
    delimiter: the character between the columns of a CSV.

    Files store `positive_class` and `delimiter` only if these differ from their defaults. So files stay the same, byte
    by byte, as in versions without these keys.
    """

    source: Annotated[str, Field(min_length=1, max_length=200)]
    config: dict[str, Any] = Field(default_factory=dict)
    task: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    target: Column = "label"
    positive_class: Annotated[str, BeforeValidator(_as_class_name)] | None = Field(
        None, exclude_if=lambda value: value is None
    )
    features: Literal["all"] | Annotated[tuple[Column, ...], Field(strict=False, min_length=1)] = "all"
    missing: Literal["error", "drop", "mean", "median", "most_frequent"] = "error"
    delimiter: Annotated[str, AfterValidator(_expect_delimiter)] = Field(COMMA, exclude_if=lambda value: value == COMMA)
