"""Choose the model to register, its name, and its descriptions in MLflow, as plain values.

It is the best model by the rule of `evaluation/ranking.py`, among the variants that have a model. `registry` registers
it.
"""

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

MODEL = "best"  # the name of the best replica's model among a variant's models
FLATTERED = "It was chosen by its test score, which is therefore too good: expect less on new rows."
UNSEEN = "The test data played no part in the choice."


def registered_name(stated: str, data: DataParams, task: Task) -> str:
    """Return the name of the registered model: `stated`, or for `auto` a name made from source and task.

    make_circles becomes `circles-classifier`, load_diabetes `diabetes-regressor`, tables/customers.csv
    `customers-classifier`. Characters that MLflow rejects, such as a slash, become `_`.
    """
    if stated != AUTO:
        return stated
    source = Path(data.source).stem if is_file(data) else data.source.removeprefix("make_").removeprefix("load_")
    return f"{re.sub('[^A-Za-z0-9_. -]', '_', source)}-{'classifier' if task.is_classification else 'regressor'}"


@dataclass(frozen=True)
class Best:
    """The variant of the best model.

    description: of the model's version in MLflow.
    model_description: of the registered model in MLflow, whose versions may come from several recipes.
    """

    content: VariantPayload
    description: str
    model_description: str


def choose(contents: Sequence[VariantPayload]) -> Best | None:
    """Return the variant with the best model, or None if no variant has a model.

    Args:
        contents: the variants in the order of params.yaml.
    """
    candidates = [content for content in contents if MODEL in content.models]
    if not candidates:
        return None
    content = candidates[ranking.best([_replica(candidate).score for candidate in candidates])]
    replica, replicas = _replica(content), sum(len(candidate.replicas) for candidate in candidates)
    score = score_in_words(content.chosen_by)
    choice = UNSEEN if content.is_validated else FLATTERED
    final = f"Its {score_in_words(content.final)} is {replica.final:.3f}. " if content.is_validated else ""
    rule = f"the replica with the highest final {score} of all variants; of equal scores the first in params.yaml"
    return Best(
        content,
        f"{content.variant}, {replica.name}: {score} {replica.score:.3f}, the highest of {replicas} replicas "
        f"of {', '.join(candidate.variant for candidate in candidates)}. {final}{choice}",
        f"{content.use} The alias `best` marks {rule}. {choice} Earlier versions were the best of other recipes.",
    )


def _replica(content: VariantPayload) -> ReplicaPayload:
    """Return the replica whose model is published, because its score is the model's."""
    return content.replicas[content.models[MODEL]]
