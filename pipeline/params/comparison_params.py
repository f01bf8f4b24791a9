"""`comparison`: which two variants are set against each other, and what the tutorial says of its one run each."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.foundations.errors import UserError
from pipeline.params.file import StrictSection, one_of


def _two(pair: tuple[str, str]) -> tuple[str, str]:
    if pair[0] == pair[1]:
        raise ValueError("must be two different variants")
    return pair


Pair = Annotated[tuple[str, str], Field(strict=False), AfterValidator(_two)]
Share = Annotated[float, Field(ge=0, le=1)]


class TutorialClaim(StrictSection):
    """What the tutorial reports of a variant; what it does not say is left out."""

    train_accuracy: Share | None = None
    test_accuracy: Share | None = None
    learns: bool | None = None
    converged_by_epoch: Annotated[int, Field(ge=0, le=1_000_000)] | None = None


class GradientClaim(StrictSection):
    """The tutorial's "more gradient flows back": more in the first layer of `more` than of `less`."""

    more: str
    less: str


class ComparisonParams(StrictSection):
    """Every key is optional; what would show it is left out with it. All names are names of variants."""

    pair: Pair | None = None
    weights: Pair | None = None
    claims: dict[str, TutorialClaim] = Field(default_factory=dict)
    gradient_claim: GradientClaim | None = None

    def without_claims(self) -> "ComparisonParams":
        """For data that are not the tutorial's, of which it says nothing."""
        return self.model_copy(update={"claims": {}, "gradient_claim": None})

    def expect_variants(self, variants: Sequence[str]) -> None:
        """Raises: UserError: a name is no variant's."""
        for path, name in self._names():
            if name not in variants:
                raise UserError(f"comparison.{path}: {name}: {one_of(variants, name, 'the variants ')}")

    def _names(self) -> Iterator[tuple[str, str]]:
        """For every name: where it stands in the section, and the name."""
        for key, pair in (("pair", self.pair), ("weights", self.weights)):
            yield from ((f"{key}.{place}", name) for place, name in enumerate(pair or ()))
        yield from (("claims", name) for name in self.claims)
        if self.gradient_claim is not None:
            yield "gradient_claim.more", self.gradient_claim.more
            yield "gradient_claim.less", self.gradient_claim.less
