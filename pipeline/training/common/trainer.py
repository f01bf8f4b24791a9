"""What the trainers have in common: what they are given, and what they give back."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import xarray as xr

from pipeline.data.split.samples import Split
from pipeline.foundations.seeds import Shuffles
from pipeline.history.record import Layer
from pipeline.params.training_params import TrainingParams

SHUFFLED_AHEAD = 50  # epochs; bounds the memory that the orders take
# What belongs to an epoch's steps and not to a state: there is none before the first.
EPOCH_VALUES = ("gradient_mean_abs", "gradient_norm", "gradient_zero_share", "weight_change_l1")


@dataclass(frozen=True)
class Chunk:
    """Some replicas after training.

    curves: by name as in the record, float32 [replica, epoch].
    layer_values: by name as in the record, [replica, recorded epoch, layer], some with an axis more.
    weights: every variable by path, float32 [replica, *shape].
    predictions: of the rows of `places`, by name, float32 [replica, sample, output].
    pretraining: its history, if there was any.
    """

    curves: dict[str, np.ndarray]
    layer_values: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    predictions: dict[str, np.ndarray]
    pretraining: xr.Dataset | None = field(default=None)


class Observer(Protocol):
    """Is told, while a training runs, what is behind it: a progress bar, a progress file."""

    def trained(self, replicas: Sequence[int], epochs: range, curves: Mapping[str, np.ndarray]) -> None:
        """These replicas have these epochs behind them.

        Args:
            replicas: their numbers.
            epochs: the next ones of each. Epoch 0, before the first step, is told by itself.
            curves: of these epochs by the record's names, float32 [replica, epoch], not to be changed; none of
                pre-training's epochs, which count from 1 by themselves.
        """


class Observers:
    """Several observers as one that never fails: one of them that does is told no more, which one line says."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = list(observers)

    def trained(self, replicas: Sequence[int], epochs: range, curves: Mapping[str, np.ndarray]) -> None:
        """See `Observer`."""
        for observer in list(self._observers):
            try:
                observer.trained(replicas, epochs, curves)
            except Exception as error:
                self._observers.remove(observer)
                reason = f"{type(observer).__name__}: {type(error).__name__}: {error}"
                print(f"warning: {' '.join(reason.split())}: left out; the training goes on", file=sys.stderr)


class Trainer(Protocol):
    """Trains the replicas of one variant. `layers` is the layer table of its network."""

    layers: tuple[Layer, ...]

    def train(self, replicas: Sequence[int], observer: Observer) -> Chunk:
        """Train these replicas, by their numbers.

        Args:
            observer: is told of epoch 0, and of all others, of each replica in order; by one thread at a time.

        Raises:
            UserError: Keras does not know a name in the variant, or the replicas cannot be trained exactly.
        """


def curve_names(split: Split) -> list[str]:
    """What is recorded at every epoch: `train_loss`, `train_accuracy`, ..., part by part."""
    return [f"{part}_{what}" for part in split.parts for what in split.task.curves]


def main_curves(split: Split) -> list[str]:
    """Of these what is followed: the loss and the main score, part by part."""
    return [f"{part}_{what}" for part in split.parts for what in ("loss", split.task.score)]


def orders(params: TrainingParams, replicas: Sequence[int], samples: int) -> Iterator[np.ndarray]:
    """The order of the samples in every epoch, some epochs at once: int32 [epoch, replica, sample]."""
    shuffles = Shuffles(params.seed, replicas, samples)
    for start in range(0, params.epochs, SHUFFLED_AHEAD):
        yield shuffles.next_epochs(min(SHUFFLED_AHEAD, params.epochs - start))


def places(split: Split, resolution: int) -> dict[str, np.ndarray]:
    """Where predictions are wanted: the rows of each part, and where a surface can be drawn its grid, by name;
    float32 [sample, input]."""
    wanted = {name: part.inputs for name, part in split.parts.items()}
    if has_surface(split):
        wanted["surface"] = np.stack(np.meshgrid(*split.surface_axes(resolution)), axis=-1).reshape(-1, 2)
    return {name: inputs.astype(np.float32) for name, inputs in wanted.items()}


def has_surface(split: Split) -> bool:
    """Whether predictions can be drawn over the plane of the inputs."""
    return split.inputs == 2
