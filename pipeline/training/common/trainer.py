"""The interface of the trainers: what they take and what they return."""

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

SHUFFLED_AHEAD = 50  # epochs whose orders are drawn at once; this limits their memory
# Values of an epoch's steps, not of a state: epoch 0 has none.
EPOCH_VALUES = ("gradient_mean_abs", "gradient_norm", "gradient_zero_share", "weight_change_l1")


@dataclass(frozen=True)
class Chunk:
    """Some replicas after training.

    curves: float32 [replica, epoch], by their names in the record.
    layer_values: [replica, recorded epoch, layer], some with a further axis, by their names in the record.
    weights: every variable by path, float32 [replica, *shape].
    predictions: for the rows of `places`, by name, float32 [replica, sample, output].
    pretraining: the history of the pre-training, if there was any.
    """

    curves: dict[str, np.ndarray]
    layer_values: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    predictions: dict[str, np.ndarray]
    pretraining: xr.Dataset | None = field(default=None)


class Observer(Protocol):
    """Follows a training while it runs, such as a progress bar or a progress file."""

    def on_epochs(self, replicas: Sequence[int], epochs: range, curves: Mapping[str, np.ndarray]) -> None:
        """Note that replicas have finished epochs.

        Args:
            replicas: the numbers of the replicas.
            epochs: the next epochs of each. Epoch 0, before the first step, is reported alone.
            curves: the curves of these epochs, float32 [replica, epoch], by the record's names; read only. They are
                empty for epochs of pre-training, which are counted from 1 on their own.
        """


class Observers:
    """Several observers as one that never fails: one that raises an error is reported and then left out."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = list(observers)

    def on_epochs(self, replicas: Sequence[int], epochs: range, curves: Mapping[str, np.ndarray]) -> None:
        """See `Observer`."""
        for observer in list(self._observers):
            try:
                observer.on_epochs(replicas, epochs, curves)
            except Exception as error:
                self._observers.remove(observer)
                reason = f"{type(observer).__name__}: {type(error).__name__}: {error}"
                print(
                    f"warning: {' '.join(reason.split())}: the training goes on without it",
                    file=sys.stderr,
                )


class Trainer(Protocol):
    """Trains the replicas of one variant.

    layers: the layer table of its network.
    """

    layers: tuple[Layer, ...]

    def train(self, replicas: Sequence[int], observer: Observer) -> Chunk:
        """Train replicas.

        Args:
            replicas: the numbers of the replicas.
            observer: gets all epochs of each replica in order, from epoch 0 on, from one thread at a time.

        Raises:
            UserError: Keras does not know a name in the variant, or the replicas cannot be trained exactly.
        """


def curve_names(split: Split) -> list[str]:
    """Return the curves that are recorded: `train_loss`, `train_accuracy`, ..., part by part."""
    return [f"{part}_{what}" for part in split.parts for what in split.task.curves]


def main_curves(split: Split) -> list[str]:
    """Return the curves to show while a training runs: the loss and the main score, part by part."""
    return [f"{part}_{what}" for part in split.parts for what in ("loss", split.task.score)]


def orders(params: TrainingParams, replicas: Sequence[int], samples: int) -> Iterator[np.ndarray]:
    """Yield the order of the samples in every epoch, some epochs at a time: int32 [epoch, replica, sample]."""
    shuffles = Shuffles(params.seed, replicas, samples)
    for start in range(0, params.epochs, SHUFFLED_AHEAD):
        yield shuffles.next_epochs(min(SHUFFLED_AHEAD, params.epochs - start))


def places(split: Split, resolution: int) -> dict[str, np.ndarray]:
    """Return the inputs to predict for, by name, float32 [sample, input].

    They are the rows of each part and, if a decision surface can be drawn, its grid.
    """
    inputs = {name: part.inputs for name, part in split.parts.items()}
    if has_surface(split):
        inputs["surface"] = np.stack(np.meshgrid(*split.surface_axes(resolution)), axis=-1).reshape(-1, 2)
    return {name: rows.astype(np.float32) for name, rows in inputs.items()}


def has_surface(split: Split) -> bool:
    """Whether a decision surface can be drawn: there are two inputs."""
    return split.inputs == 2
