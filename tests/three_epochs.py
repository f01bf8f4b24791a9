"""Define a quick task for the training process, which imports this module; so it imports nothing slow."""

from dataclasses import dataclass

from pipeline.data.split.samples import Split
from pipeline.training.common.trainer import OnEpoch


@dataclass(frozen=True)
class ThreeEpochs:
    """Reports three epochs; `name` is in each of its messages."""

    name: str

    def train(self, split: Split, on_epoch: OnEpoch) -> dict[str, bytes]:
        for epoch in range(3):
            on_epoch(epoch, {self.name: 1.0})
        return {self.name: b""}
