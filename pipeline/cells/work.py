"""One cell's training, for a worker on this machine or another: parameters in, bytes out."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from pipeline.cells import code_fingerprint
from pipeline.data.samples import Split
from pipeline.foundations.errors import UserError
from pipeline.foundations.formats import packed
from pipeline.params.training import TrainingParams
from pipeline.params.variants import VariantParams

CELL = "cell"  # what the model is called: not by the cell's name, on which no result depends


@dataclass(frozen=True)
class Work:
    """All that a cell's result depends on.

    data: fingerprint of the split. sources: of the code that trains.
    """

    variant: VariantParams
    training: TrainingParams
    data: str
    sources: str

    @property
    def key(self) -> str:
        """SHA-256 of all of it: cells that say the same are one, in whatever study and under whatever name."""
        everything = [self.recipe, self.data, self.sources]
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()

    @property
    def recipe(self) -> dict[str, Any]:
        """Variant and training as plain values."""
        return {"variant": self.variant.model_dump(mode="json"), "training": self.training.model_dump(mode="json")}


def work(task: Work, split: Split) -> dict[str, bytes]:
    """Train a cell; its histories as the bytes of their files: `history`, and `pretraining` where there was any.

    Raises:
        UserError: this process runs other sources than the one that asks, or the cell cannot be trained.
    """
    if code_fingerprint.fingerprint() != task.sources:
        raise UserError(
            f"worker in {code_fingerprint.PACKAGE.parent}: runs other sources than the study "
            f"({code_fingerprint.fingerprint()[:12]}, not {task.sources[:12]}): must be of the same commit, and "
            "started anew"
        )
    # Here, for only a worker trains.
    from pipeline.training.replicas import train

    try:
        trained = train(task.variant, CELL, split, task.training, threads=1)
    except UserError as error:
        raise UserError(str(error).removeprefix(f"variants.{CELL}.")) from None
    histories = {"history": trained.history, "pretraining": trained.pretraining}
    return {name: packed(history) for name, history in histories.items() if history is not None}
