"""`split`: which rows train, validate and test, and how inputs and targets are scaled."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from pipeline.params.file import StrictSection

Bound = Annotated[float, Field(ge=-1000, le=1000)]
NARROWEST = 0.001  # of a range of inputs
Scaler = Literal["minmax", "standard", "none"]


def _rows(value: Any) -> Any:
    """A whole number is a number of rows, a number below 1 a share of them."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number of rows, or a share of them below 1")
    if isinstance(value, float) and not 0 <= value < 1:
        raise ValueError("must be a number of rows, or a share of them below 1")
    if value < 0 or value >= 1_000_000_000:
        raise ValueError("must be a number of rows, or a share of them below 1")
    return value


Rows = Annotated[int | float, BeforeValidator(_rows)]


class ScaleParams(StrictSection):
    """How numbers are scaled: to a range, to mean 0 and deviation 1, or not at all.

    inputs: the number columns, each by itself; what is encoded as 0 and 1 stays so. range: of `minmax`.
    targets: of a regression.
    """

    inputs: Scaler
    range: Annotated[tuple[Bound, Bound], Field(strict=False)] = (-1.0, 1.0)
    targets: Scaler = "none"

    @field_validator("range")
    @classmethod
    def _increasing(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if not bounds[0] < bounds[1]:
            raise ValueError("must be [lower, upper] with lower < upper")
        if bounds[1] - bounds[0] < NARROWEST:
            raise ValueError(f"must be [lower, upper], at least {NARROWEST} apart")
        return bounds


class SplitParams(StrictSection):
    """The first `train` rows train, the next `validation` rows validate, the rest tests and is watched at every epoch.

    shuffle: the rows beforehand, by `seed`. stratify: so that each part has as large a share of each class.
    """

    train: Rows
    validation: Rows = 0
    shuffle: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    stratify: bool = False
    scale: ScaleParams
    fit_scaler_on: Literal["all", "train"]
