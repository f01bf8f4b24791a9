"""`training`: the settings that all variants share, so that they can be compared."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.params.file import StrictSection


class TrainingParams(StrictSection):
    """The section `training`; params.yaml explains each key."""

    epochs: Annotated[int, Field(ge=0, le=1_000_000)]
    batch_size: Annotated[int, Field(ge=1, le=10_000_000)]
    replicas: Annotated[int, Field(ge=1, le=100_000)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    chunk: Annotated[int, Field(ge=1, le=100_000)]
    record_first: Annotated[int, Field(ge=0, le=1_000_000)]
    record_every: Annotated[int, Field(ge=1, le=1_000_000)]
    histograms: bool
    surface_resolution: Annotated[int, Field(ge=2, le=1000)]
    device: Literal["cpu", "auto"]
