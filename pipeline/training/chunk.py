"""What the two ways of training have in common: what they are given, and what they give back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import xarray as xr

from pipeline.data.points import Split
from pipeline.foundations.seeds import Shuffles
from pipeline.params.training import TrainingParams

SHUFFLED_AHEAD = 50  # epochs; bounds the memory that the orders take
# What belongs to an epoch's steps and not to a state: there is none before the first.
EPOCH_VALUES = ("gradient_mean_abs", "gradient_norm", "gradient_zero_share", "weight_change_l1")

OnEpoch = Callable[[int], None]  # told of trainings that went an epoch further: how many, summed over epochs


@dataclass(frozen=True)
class Chunk:
    """Some replicas after training.

    curves: by name as in the history room, float32 [replica, epoch].
    layer_values: by name, those of each layer and what has an axis more: [replica, recorded epoch, layer, ...].
    weights: every variable by path, float32 [replica, *shape].
    probabilities: of label 1: `train` and `test` [replica, sample], and `surface` where there are two inputs.
    pretraining: its history, if there was any.
    """

    curves: dict[str, np.ndarray]
    layer_values: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    probabilities: dict[str, np.ndarray]
    pretraining: xr.Dataset | None = field(default=None)


class Trainer(Protocol):
    """Trains the replicas of one variant.

    units: of each layer, the output's included. bypassed: of each, whether a path goes around it.
    """

    units: list[int]
    bypassed: list[bool]

    def train(self, replicas: Sequence[int], on_epoch: OnEpoch) -> Chunk:
        """Train these replicas, by their numbers.

        Raises:
            UserError: Keras does not know a name in the variant, or the replicas cannot be trained exactly.
        """


def is_recorded(epoch: int, params: TrainingParams) -> bool:
    """Whether per-layer values are recorded: at 0, the first epochs, every so many, and the last."""
    return epoch <= params.record_first or epoch % params.record_every == 0 or epoch == params.epochs


def recorded_epochs(params: TrainingParams) -> list[int]:
    """All that are."""
    return [epoch for epoch in range(params.epochs + 1) if is_recorded(epoch, params)]


def orders(params: TrainingParams, replicas: Sequence[int], samples: int) -> Iterator[np.ndarray]:
    """The order of the samples in every epoch, some epochs at once: int32 [epoch, replica, sample]."""
    shuffles = Shuffles(params.seed, replicas, samples)
    for start in range(0, params.epochs, SHUFFLED_AHEAD):
        yield shuffles.next_epochs(min(SHUFFLED_AHEAD, params.epochs - start))


def places(split: Split, resolution: int) -> dict[str, np.ndarray]:
    """Where predictions are wanted, by name: float32 [sample, input]."""
    wanted = {"train": split.train.inputs, "test": split.test.inputs}
    if split.inputs == 2:
        wanted["surface"] = np.stack(np.meshgrid(*split.surface_axes(resolution)), axis=-1).reshape(-1, 2)
    return {name: inputs.astype(np.float32) for name, inputs in wanted.items()}
