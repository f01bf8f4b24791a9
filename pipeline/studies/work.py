"""One cell's training, for a worker on this machine or another: parameters in, bytes out.

A cell is a variant with all its replicas, or one replica of a network of the user's own, which takes long enough.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pipeline.data.split.samples import Split
from pipeline.foundations.errors import UserError
from pipeline.foundations.formats import packed, packed_npz
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.study_params import Cell
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams
from pipeline.studies import code_fingerprint, training_process
from pipeline.training.common.machine import choose_device

CELL = "cell"  # what the model is called: not by the cell's name, on which no result depends
OnEpoch = Callable[[int, Mapping[str, float]], None]  # the epoch, and its curves


def _nothing(epoch: int, curves: Mapping[str, float]) -> None:
    """Where nobody listens."""


class Work(Protocol):
    """All that a cell's result depends on, and how it is trained.

    key: SHA-256 of all of it: cells that say the same are one, in whatever study and under whatever name.
    recipe: of it as plain values, for people. size: how long it takes beside others.
    """

    @property
    def key(self) -> str: ...
    @property
    def recipe(self) -> dict[str, Any]: ...
    @property
    def size(self) -> float: ...
    def run(self, split: Split, on_epoch: OnEpoch = _nothing) -> dict[str, bytes]:
        """Train it; the files of its result by name.

        Raises:
            UserError: this process runs other sources than the one that asks, or the cell cannot be trained.
        """


@dataclass(frozen=True)
class VariantWork:
    """A described variant. data: fingerprint of the split. sources: of the code that trains."""

    variant: VariantParams
    training: TrainingParams
    data: str
    sources: str

    @property
    def key(self) -> str:
        """See `Work`."""
        return _digest(self.recipe, self.data, self.sources)

    @property
    def recipe(self) -> dict[str, Any]:
        """See `Work`."""
        return {"variant": self.variant.model_dump(mode="json"), "training": self.training.model_dump(mode="json")}

    @property
    def size(self) -> float:
        """See `Work`."""
        return self.training.epochs * self.training.replicas * self.variant.hidden_layers

    def run(self, split: Split, on_epoch: OnEpoch = _nothing) -> dict[str, bytes]:
        """See `Work`: `history.nc`, and `pretraining.nc` where there was any."""
        _expect_sources(self.sources, code_fingerprint.fingerprint())
        # Here, for only a worker trains.
        from pipeline.training.common.train_replicas import train

        try:
            trained = train(self.variant, CELL, split, self.training, threads=1)
        except UserError as error:
            raise UserError(str(error).removeprefix(f"variants.{CELL}.")) from None
        histories = {"history.nc": trained.history, "pretraining.nc": trained.pretraining}
        return {name: packed(history) for name, history in histories.items() if history is not None}


@dataclass(frozen=True)
class ReplicaWork:
    """One replica of a network. data: fingerprint of the split. sources: of the code that trains; the network's own
    is in its recipe."""

    name: str
    network: NetworkRecipe
    training: TrainingParams
    replica: int
    data: str
    sources: str

    @property
    def key(self) -> str:
        """See `Work`: not of the network's name, nor of how many replicas there are."""
        return _digest(self.recipe, self.data, self.sources)

    @property
    def recipe(self) -> dict[str, Any]:
        """See `Work`."""
        training = self.training.model_dump(mode="json", exclude={"replicas", "chunk"})
        return {"variant": self.network.model_dump(mode="json"), "training": training, "replica": self.replica}

    @property
    def size(self) -> float:
        """See `Work`."""
        return self.training.epochs

    def run(self, split: Split, on_epoch: OnEpoch = _nothing) -> dict[str, bytes]:
        """See `Work`: `history.nc`, `predictions.nc` and `weights.npz`."""
        _expect_sources(self.sources, _sources(self.network))
        choose_device(self.training.device)
        return training_process.train(self, split, on_epoch)

    def train(self, split: Split, on_epoch: OnEpoch) -> dict[str, bytes]:
        """What `run` does, in a process that does nothing else."""
        # Here, for only a worker trains.
        from pipeline.training.networks.replica import train_replica

        trained = train_replica(self.name, self.network, split, self.training, self.replica, on_epoch)
        weights = {name: np.asarray(each) for name, each in trained.weights.items()}
        return {
            "predictions.nc": packed(trained.predictions),
            "weights.npz": packed_npz(weights),
            "history.nc": packed(trained.history),
        }


def works(cell: Cell, data: str) -> Mapping[str, Work]:
    """What a study's cell is trained by, under names for people: a variant at once, a network by its replicas.

    Args:
        data: fingerprint of the split.
    """
    if isinstance(cell.variant, VariantParams):
        return {cell.name: VariantWork(cell.variant, cell.training, data, code_fingerprint.fingerprint())}
    return of_replicas(cell.name, cell.base, cell.variant, cell.training, data)


def of_replicas(
    what: str, name: str, network: NetworkRecipe, training: TrainingParams, data: str
) -> dict[str, ReplicaWork]:
    """All replicas of a network, under names for people."""
    sources = _sources(network)
    return {
        f"{what}, replica {replica}": ReplicaWork(name, network, training, replica, data, sources)
        for replica in range(training.replicas)
    }


def _sources(network: NetworkRecipe) -> str:
    """Return the fingerprint of the code that trains it: a changed remedy changes the networks with a remedy alone."""
    remedied = code_fingerprint.OF_REMEDIES if network.remedy else code_fingerprint.OF_NETWORKS
    return code_fingerprint.fingerprint(remedied)


def _digest(*everything: Any) -> str:
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def _expect_sources(sources: str, own: str) -> None:
    if own != sources:
        raise UserError(
            f"worker in {code_fingerprint.PACKAGE.parent}: runs other sources than the study "
            f"({own[:12]}, not {sources[:12]}): must be of the same commit, and started anew"
        )
