"""`data`: where the rows come from, and what is to be learned of them; before any scaling."""

from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field

from pipeline.params.file import StrictSection

COMMA: Final = ","


def class_name(value: object) -> str:
    """Return what a class is called: 1 and 1.0 are one class."""
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) < 2**53:
        return str(int(value))
    return str(value)


def _named(value: object) -> object:
    """Return a number, true or false by the name of its class, and all else unchanged."""
    return class_name(value) if isinstance(value, bool | int | float) else value


def _delimiter(value: str) -> str:
    """Raises: ValueError: no single character that can stand between numbers and text."""
    if len(value) != 1 or not value.isascii() or value.isalnum() or value in '"\r\n.+-':
        raise ValueError('must be one character, such as ",", ";", "|" or "\\t"')
    return value


Column = Annotated[str, Field(min_length=1, max_length=200)]


class DataParams(StrictSection):
    """One of the sources that `data.sources` lists, with its arguments; or a file in `tables/`.

    task: `auto` decides by the target, and says what it decided. target: the column of a file that is predicted;
    features: those that it is predicted from, all others by default. missing: what is done about missing values.
    positive_class: of a binary task the class whose probability a model gives; the last one by default.
    delimiter: what separates the columns of a CSV.

    `positive_class` and `delimiter` are not written where they have their defaults: files from before they existed stay
    the same, byte by byte.
    """

    source: Annotated[str, Field(min_length=1, max_length=200)]
    config: dict[str, Any] = Field(default_factory=dict)
    task: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    target: Column = "label"
    positive_class: Annotated[str, BeforeValidator(_named)] | None = Field(None, exclude_if=lambda value: value is None)
    features: Literal["all"] | Annotated[tuple[Column, ...], Field(strict=False, min_length=1)] = "all"
    missing: Literal["error", "drop", "mean", "median", "most_frequent"] = "error"
    delimiter: Annotated[str, AfterValidator(_delimiter)] = Field(COMMA, exclude_if=lambda value: value == COMMA)
