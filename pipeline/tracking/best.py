"""Which model is registered, and what is said of it: plain values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.sources import is_file
from pipeline.data.split.tasks import Task
from pipeline.evaluation import ranking
from pipeline.evaluation.learned import score_in_words
from pipeline.params.data_params import DataParams
from pipeline.params.tracking_params import AUTO
from pipeline.tracking.payload import ReplicaPayload, VariantPayload

MODEL = "best"  # among a variant's models: of the best replica by `ranking`
FLATTERED = "Choosing on test data flatters: expect less of it on new points."
UNSEEN = "The test data had no say in that."


def registered_name(stated: str, data: DataParams, task: Task) -> str:
    """Return the name under which the best model is registered: the stated one or, for `auto`, the source's and the
    task's.

    make_circles becomes `circles-classifier`, load_diabetes `diabetes-regressor`, tables/customers.csv
    `customers-classifier`. MLflow takes no slash and no colon in it; what a stated name may not have becomes `_`.
    """
    if stated != AUTO:
        return stated
    source = Path(data.source).stem if is_file(data) else data.source.partition("_")[2]
    return f"{re.sub('[^A-Za-z0-9_. -]', '_', source)}-{'classifier' if task.is_classification else 'regressor'}"


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
    content = candidates[ranking.best([_replica(candidate).score for candidate in candidates])]
    replica, replicas = _replica(content), sum(len(candidate.replicas) for candidate in candidates)
    score = score_in_words(content.chosen_by)
    expected = _expected(content)
    rule = f"the replica with the highest final {score} of all variants; of equals the first in params.yaml"
    return Best(
        content,
        f"{content.variant}, {replica.name}: {score} {replica.score:.3f}, the highest of {replicas} replicas "
        f"of {', '.join(candidate.variant for candidate in candidates)}. {expected}",
        f"{content.use} The alias `best` stands at {rule}. {FLATTERED if not content.is_validated else UNSEEN} "
        "Earlier versions were the best of other recipes.",
    )


def _replica(content: VariantPayload) -> ReplicaPayload:
    """The one whose model is published, so that score and model are of the same replica."""
    return content.replicas[content.models[MODEL]]


def _expected(content: VariantPayload) -> str:
    """What the model reaches on new rows, as far as the choice lets one know."""
    if not content.is_validated:
        return FLATTERED
    return f"Its {score_in_words(content.final)} is {_replica(content).final:.3f}. {UNSEEN}"
