"""`comparison`: the variants that the report compares, and the tutorial's claims about one run of each variant."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.foundations.errors import UserError
from pipeline.params.file import StrictSection, one_of


def _expect_different(pair: tuple[str, str]) -> tuple[str, str]:
    if pair[0] == pair[1]:
        raise ValueError("must be two different variants")
    return pair


Pair = Annotated[tuple[str, str], Field(strict=False), AfterValidator(_expect_different)]
Share = Annotated[float, Field(ge=0, le=1)]


class TutorialClaim(StrictSection):
    """The tutorial's report on a variant; None for a value that it does not report."""

    train_accuracy: Share | None = None
    test_accuracy: Share | None = None
    learns: bool | None = None
    converged_by_epoch: Annotated[int, Field(ge=0, le=1_000_000)] | None = None


class GradientClaim(StrictSection):
    """The tutorial's claim "more gradient flows back": more reaches layer 1 in variant `more` than in `less`."""

    more: str
    less: str


class ComparisonParams(StrictSection):
    """Every key is optional: if it is missing, the report leaves out its part. All names are those of variants.

    pair: the two variants that are compared in detail.
    weights: the two variants whose weights are compared by layer.
    claims: the tutorial's claims, by variant.
    """

    pair: Pair | None = None
    weights: Pair | None = None
    claims: dict[str, TutorialClaim] = Field(default_factory=dict)
    gradient_claim: GradientClaim | None = None

    def without_claims(self) -> "ComparisonParams":
        """Return the section without the claims, for data other than the tutorial's."""
        return self.model_copy(update={"claims": {}, "gradient_claim": None})

    def expect_variants(self, variants: Sequence[str]) -> None:
        """Check that every name is that of a variant.

        Raises:
            UserError: a name is not that of a variant.
        """
        for path, name in self._names():
            if name not in variants:
                raise UserError(f"comparison.{path}: {name}: {one_of(variants, name, 'the variants ')}")

    def _names(self) -> Iterator[tuple[str, str]]:
        """Yield each name with its path in the section."""
        for key, pair in (("pair", self.pair), ("weights", self.weights)):
            yield from ((f"{key}.{place}", name) for place, name in enumerate(pair or ()))
        yield from (("claims", name) for name in self.claims)
        if self.gradient_claim is not None:
            yield "gradient_claim.more", self.gradient_claim.more
            yield "gradient_claim.less", self.gradient_claim.less
