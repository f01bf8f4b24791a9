"""Which model is registered, and what is said of it: plain values."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.tracking.payload import VariantPayload

MODEL = "best"  # among a variant's models: of the replica with the highest final test accuracy
RULE = "the replica with the highest final test accuracy of all variants; of equals the first in params.yaml"
USE = (
    "Takes raw points, a table with the columns x1 and x2 as in `data/raw/points.csv`: their scaling is the model's "
    "first layer. Gives P(label = 1), the probability of the inner circle, float32 [row, 1]."
)
FLATTERED = "Choosing on test data flatters: expect less of it on new points."


@dataclass(frozen=True)
class Best:
    """The chosen model's variant, and why it is that one."""

    content: VariantPayload
    description: str
    model_description: str


def choose(contents: Sequence[VariantPayload]) -> Best | None:
    """The best of all variants, given in the order of params.yaml; None where no variant has a model."""
    candidates = [content for content in contents if MODEL in content.models]
    if not candidates:
        return None
    content = max(candidates, key=lambda candidate: candidate.best.test_accuracy)  # the first of equals
    replicas = sum(len(candidate.replicas) for candidate in candidates)
    accuracy = f"{content.best.test_accuracy:.3f}"
    return Best(
        content,
        f"{content.variant}, {content.best.name}: test accuracy {accuracy}, the highest of {replicas} replicas of "
        f"{', '.join(candidate.variant for candidate in candidates)}. {FLATTERED}",
        f"{USE} The alias `best` stands at {RULE}. {FLATTERED} Earlier versions were the best of other recipes.",
    )
