"""Train one cell in a worker, on this machine or another. Its work takes parameters and returns the bytes of files.

A cell is a variant with all its replicas, or one replica of a user's own network, because such a replica trains long.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.data.split.samples import Split
from pipeline.foundations.errors import UserError
from pipeline.foundations.formats import pack_dataset, pack_npz
from pipeline.params.file import Plain
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.study_params import Cell
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams
from pipeline.studies import code_fingerprint, training_process
from pipeline.training.common.machine import choose_device
from pipeline.training.common.trainer import OnEpoch

CELL = "cell"  # the model's name in every cell, because no result may depend on the cell's own name


def _ignore_epoch(epoch: int, curves: Mapping[str, float]) -> None:
    """Do nothing."""


class Work(Protocol):
    """A cell to train: everything that its result depends on.

    key: the SHA-256 of everything that the result depends on. Cells with equal keys share a result, even if
        their names differ or they belong to different studies.
    recipe: the parameters as plain values.
    data: the fingerprint of the rows.
    size: the expected training time relative to other cells.
    """

    @property
    def key(self) -> str: ...
    @property
    def recipe(self) -> dict[str, Plain]: ...
    @property
    def data(self) -> str: ...
    @property
    def size(self) -> float: ...
    def run(self, split: Split, on_epoch: OnEpoch = _ignore_epoch) -> dict[str, bytes]:
        """Train the cell; return the files of its result by name.

        Raises:
            UserError: this worker runs other source code than the study, or the cell cannot be trained.
        """


@dataclass(frozen=True)
class VariantWork:
    """A variant of params.yaml with all its replicas.

    data: the fingerprint of the split.
    sources: the fingerprint of the code that trains.
    """

    variant: VariantParams
    training: TrainingParams
    data: str
    sources: str

    @property
    def key(self) -> str:
        """See `Work`."""
        return _digest(self.recipe, self.data, self.sources)

    @property
    def recipe(self) -> dict[str, Plain]:
        """See `Work`."""
        return {"variant": self.variant.model_dump(mode="json"), "training": self.training.model_dump(mode="json")}

    @property
    def size(self) -> float:
        """See `Work`."""
        return self.training.epochs * self.training.replicas * self.variant.hidden_layers

    def run(self, split: Split, on_epoch: OnEpoch = _ignore_epoch) -> dict[str, bytes]:
        """Return `history.nc`, and `pretraining.nc` if there was any; see `Work`."""
        _expect_sources(self.sources, code_fingerprint.fingerprint())
        # Imported late: only a worker trains.
        from pipeline.training.common.train_replicas import train

        try:
            trained = train(self.variant, CELL, split, self.training, threads=1)
        except UserError as error:
            raise UserError(str(error).removeprefix(f"variants.{CELL}.")) from None
        histories = {"history.nc": trained.history, "pretraining.nc": trained.pretraining}
        return {name: pack_dataset(history) for name, history in histories.items() if history is not None}


@dataclass(frozen=True)
class ReplicaWork:
    """One replica of a network.

    data: the fingerprint of the split.
    sources: the fingerprint of the code that trains; the fingerprint of the network's own files is in `network`.
    """

    name: str
    network: NetworkRecipe
    training: TrainingParams
    replica: int
    data: str
    sources: str

    @property
    def key(self) -> str:
        """See `Work`; the key does not depend on the network's name or the number of replicas."""
        return _digest(self.recipe, self.data, self.sources)

    @property
    def recipe(self) -> dict[str, Plain]:
        """See `Work`."""
        training = self.training.model_dump(mode="json", exclude={"replicas", "chunk"})
        return {"variant": self.network.model_dump(mode="json"), "training": training, "replica": self.replica}

    @property
    def size(self) -> float:
        """See `Work`."""
        return self.training.epochs

    def run(self, split: Split, on_epoch: OnEpoch = _ignore_epoch) -> dict[str, bytes]:
        """Return `history.nc`, `predictions.nc` and `weights.npz`; see `Work`."""
        _expect_sources(self.sources, _sources(self.network))
        choose_device(self.training.device)
        return training_process.train(self, split, on_epoch)

    def train(self, split: Split, on_epoch: OnEpoch) -> dict[str, bytes]:
        """Train the replica; `run` calls this in a process that does nothing else."""
        # Imported late: only a worker trains.
        from pipeline.training.networks.replica import train_replica

        trained = train_replica(self.name, self.network, split, self.training, self.replica, on_epoch)
        weights = {name: np.asarray(each) for name, each in trained.weights.items()}
        return {
            "predictions.nc": pack_dataset(trained.predictions),
            "weights.npz": pack_npz(weights),
            "history.nc": pack_dataset(trained.history),
        }


def cell_works(cell: Cell, data: str) -> Mapping[str, Work]:
    """Return the work of a study's cell, by task name: one task for a variant, one task per replica for a network.

    Args:
        data: the fingerprint of the split.
    """
    if isinstance(cell.variant, VariantParams):
        return {cell.name: VariantWork(cell.variant, cell.training, data, code_fingerprint.fingerprint())}
    return replica_works(cell.name, cell.base, cell.variant, cell.training, data)


def replica_works(
    prefix: str, name: str, network: NetworkRecipe, training: TrainingParams, data: str
) -> dict[str, ReplicaWork]:
    """Return the work of all replicas of a network, by task names that begin with `prefix`."""
    sources = _sources(network)
    return {
        f"{prefix}, replica {replica}": ReplicaWork(name, network, training, replica, data, sources)
        for replica in range(training.replicas)
    }


def _sources(network: NetworkRecipe) -> str:
    """Return the fingerprint of the code that trains a network; it includes remedies only if the network has one."""
    patterns = code_fingerprint.OF_REMEDIES if network.remedy else code_fingerprint.OF_NETWORKS
    return code_fingerprint.fingerprint(patterns)


def _digest(*parts: Plain) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _expect_sources(sources: str, worker_sources: str) -> None:
    if worker_sources != sources:
        raise UserError(
            f"worker in {code_fingerprint.PACKAGE.parent}: runs other source code than the study "
            f"({worker_sources[:12]}, not {sources[:12]}): update it to the study's commit, then restart it"
        )
