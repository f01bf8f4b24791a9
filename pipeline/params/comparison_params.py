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
    """The tutorial's report on a variant; a value is None if the tutorial does not report it."""

    train_accuracy: Share | None = None
    test_accuracy: Share | None = None
    learns: bool | None = None
    converged_by_epoch: Annotated[int, Field(ge=0, le=1_000_000)] | None = None


class GradientClaim(StrictSection):
    """The tutorial's claim "more gradient flows back": layer 1 gets more gradient in variant `more` than in `less`."""

    more: str
    less: str


class ComparisonParams(StrictSection):
    """The section `comparison`. Every key is optional; without it the report leaves out the part about it.

    pair: the names of the two variants that are compared in detail.
    weights: the names of the two variants whose weights are compared by layer.
    claims: the tutorial's claims, by the variant's name.
    """

    pair: Pair | None = None
    weights: Pair | None = None
    claims: dict[str, TutorialClaim] = Field(default_factory=dict)
    gradient_claim: GradientClaim | None = None

    def without_claims(self) -> "ComparisonParams":
        """Return the section without the claims, for data other than the tutorial's."""
        return self.model_copy(update={"claims": {}, "gradient_claim": None})

    def expect_variants(self, variants: Sequence[str]) -> None:
        """Check that every name in the section is a variant's.

        Raises:
            UserError: there is no variant of a name.
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
