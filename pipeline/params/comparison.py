"""`comparison`: which two variants are set against each other, and what the tutorial says of its one run each."""

from typing import Annotated

from pydantic import Field

from pipeline.params.file import Section

Pair = Annotated[tuple[str, str], Field(strict=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class Claim(Section):
    """What the tutorial reports of a variant; what it does not say is left out."""

    train_accuracy: Share | None = None
    test_accuracy: Share | None = None
    learns: bool | None = None
    converged_by_epoch: Annotated[int, Field(ge=0)] | None = None


class GradientClaim(Section):
    """The tutorial's "more gradient flows back": more in the first layer of `more` than of `less`."""

    more: str
    less: str


class ComparisonParams(Section):
    """Names here may be of variants that are gone: they are passed over."""

    pair: Pair
    weights: Pair
    claims: dict[str, Claim]
    gradient_claim: GradientClaim
