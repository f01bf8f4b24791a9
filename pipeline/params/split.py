"""`split`: scaling, and which rows train."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline.params.file import Section

Bound = Annotated[float, Field(ge=-1000, le=1000)]
NARROWEST = 0.001  # of a range of inputs


class SplitParams(Section):
    """The first `train_samples` rows train; the rest test, and validate at every epoch."""

    train_samples: Annotated[int, Field(ge=1, lt=10_000_000)]
    scale_to: Annotated[tuple[Bound, Bound], Field(strict=False)]
    fit_scaler_on: Literal["all", "train"]

    @field_validator("scale_to")
    @classmethod
    def _increasing(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if not bounds[0] < bounds[1]:
            raise ValueError("must be [lower, upper] with lower < upper")
        if bounds[1] - bounds[0] < NARROWEST:
            raise ValueError(f"must be [lower, upper], at least {NARROWEST} apart")
        return bounds
