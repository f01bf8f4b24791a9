"""One cell's training, as a task for a worker on this machine or another: plain values in, bytes out."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from pipeline.data.points import Split
from pipeline.foundations.errors import UserError
from pipeline.foundations.formats import packed
from pipeline.params.training import TrainingParams
from pipeline.params.variants import VariantParams
from pipeline.studies import sources

CELL = "cell"  # what the model is called: not by the cell's name, on which no result depends


@dataclass(frozen=True)
class Task:
    """All that a cell's result depends on.

    variant, training: as plain values. data: fingerprint of the split. sources: of the code that trains.
    """

    variant: dict[str, Any]
    training: dict[str, Any]
    data: str
    sources: str

    @property
    def key(self) -> str:
        """SHA-256 of all of it: cells that say the same are one, in whatever study and under whatever name."""
        everything = [self.variant, self.training, self.data, self.sources]
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def work(task: Task, split: Split) -> dict[str, bytes]:
    """Train a cell; its histories as the bytes of their files: `history`, and `pretraining` where there was any.

    Raises:
        UserError: this process runs other sources than the one that asks, or the cell cannot be trained.
    """
    if sources.fingerprint() != task.sources:
        raise UserError(
            f"worker in {sources.PACKAGE.parent}: runs other sources than the study "
            f"({sources.fingerprint()[:12]}, not {task.sources[:12]}): must be of the same commit, and started anew"
        )
    # Here, for only a worker trains.
    from pipeline.training.replicas import train

    variant, training = VariantParams.model_validate(task.variant), TrainingParams.model_validate(task.training)
    try:
        trained = train(variant, CELL, split, training, threads=1)
    except UserError as error:
        raise UserError(str(error).removeprefix(f"variants.{CELL}.")) from None
    histories = {"history": trained.history, "pretraining": trained.pretraining}
    return {name: packed(history) for name, history in histories.items() if history is not None}
