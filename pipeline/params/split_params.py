"""`split`: which rows are for training, validation and test, and how inputs and targets are scaled."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from pipeline.params.file import Plain, StrictSection

Bound = Annotated[float, Field(ge=-1000, le=1000)]
NARROWEST = 0.001  # the smallest width of the range of inputs
ROWS_RULE = "must be a number of rows, or a share of the rows below 1"
Scaler = Literal["minmax", "standard", "none"]


def _expect_rows(value: Plain) -> int | float:
    """Accept a whole number of rows, or a share of the rows as a decimal number below 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(ROWS_RULE)
    if not 0 <= value < (1 if isinstance(value, float) else 1_000_000_000):
        raise ValueError(ROWS_RULE)
    return value


Rows = Annotated[int | float, BeforeValidator(_expect_rows)]


class ScaleParams(StrictSection):
    """The scaling of numbers: to a range (minmax), to mean 0 and standard deviation 1 (standard), or not at all (none).

    inputs: the scaling of number columns, each by itself. Inputs encoded as 0 and 1 are never scaled.
    range: the range of inputs and targets after `minmax`.
    targets: the scaling of a regression's targets.
    """

    inputs: Scaler
    range: Annotated[tuple[Bound, Bound], Field(strict=False)] = (-1.0, 1.0)
    targets: Scaler = "none"

    @field_validator("range")
    @classmethod
    def _expect_increasing(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if not bounds[0] < bounds[1]:
            raise ValueError("must be [lower, upper] with lower < upper")
        if bounds[1] - bounds[0] < NARROWEST:
            raise ValueError(f"must be [lower, upper], at least {NARROWEST} apart")
        return bounds


class SplitParams(StrictSection):
    """The section `split`: first the training rows, then the validation rows; all other rows are for the test.

    train, validation: the number of rows, or their share of all rows.

    shuffle: whether to shuffle the rows first, by `seed`.
    stratify: whether each part gets the same share of each class.
    fit_scaler_on: the rows that determine the scaling.
    """

    train: Rows
    validation: Rows = 0
    shuffle: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    stratify: bool = False
    scale: ScaleParams
    fit_scaler_on: Literal["all", "train"]
