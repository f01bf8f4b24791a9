"""`data`: the points, before any scaling."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.params.file import Section


class DataParams(Section):
    """Arguments of scikit-learn's generator of the same name."""

    generator: Literal["make_circles"]
    samples: Annotated[int, Field(ge=4, le=10_000_000)]
    noise: Annotated[float, Field(ge=0, le=100)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]

    @property
    def inputs(self) -> int:
        """How many numbers a point has."""
        return 2
