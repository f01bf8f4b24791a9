"""Define the interface of the trainers: their arguments, results and observers."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import xarray as xr

from pipeline.data.split.samples import Split
from pipeline.foundations.seeds import Shuffles
from pipeline.history.record import Layer
from pipeline.params.training_params import TrainingParams

OnEpoch = Callable[[int, Mapping[str, float]], None]  # called with the number of an epoch and its curves
EPOCHS_PER_SHUFFLE = 50  # the orders of so many epochs are drawn at once, which limits their memory
# Values that describe the steps of an epoch. Epoch 0 has no steps, and so none of these values.
EPOCH_VALUES = ("gradient_mean_abs", "gradient_norm", "gradient_zero_share", "weight_change_l1")


@dataclass(frozen=True)
class Chunk:
    """Several replicas after training.

    curves: float32 [replica, epoch], by their names in the record.
    layer_values: [replica, recorded epoch, layer] or [replica, recorded epoch, layer, entry], by their names in the
        record.
    weights: every variable by path, float32 [replica, *shape].
    predictions: float32 [replica, sample, output] for the rows of `prediction_inputs`, by their names there.
    pretraining: the history of the pre-training; None without pre-training.
    """

    curves: dict[str, np.ndarray]
    layer_values: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    predictions: dict[str, np.ndarray]
    pretraining: xr.Dataset | None = None


class Observer(Protocol):
    """Follows a running training, such as a progress bar or a progress file."""

    def on_epochs(self, replicas: Sequence[int], epochs: range, curves: Mapping[str, np.ndarray]) -> None:
        """Receive the epochs that replicas have just finished.

        Args:
            replicas: the numbers of the replicas.
            epochs: the numbers of these epochs. Epoch 0, before the first step, is reported alone.
            curves: the curves of these epochs, float32 [replica, epoch], by their names in the record; read only. Empty
                for epochs of pre-training, which have their own numbers from 1.
        """


class Observers:
    """Passes epochs to several observers; an observer that raises an error is reported and removed."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = list(observers)

    def on_epochs(self, replicas: Sequence[int], epochs: range, curves: Mapping[str, np.ndarray]) -> None:
        """See `Observer`."""
        for observer in list(self._observers):
            try:
                observer.on_epochs(replicas, epochs, curves)
            except Exception as error:
                self._observers.remove(observer)
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                print(
                    f"warning: {type(observer).__name__} failed ({reason}): the training goes on without it",
                    file=sys.stderr,
                )


class Trainer(Protocol):
    """Trains the replicas of one variant.

    layers: the layer table of the variant's network.
    """

    layers: tuple[Layer, ...]

    def train(self, replicas: Sequence[int], observer: Observer) -> Chunk:
        """Train replicas.

        Args:
            replicas: the numbers of the replicas.
            observer: called with all epochs of each replica in order, from epoch 0 on, by one thread at a time.

        Raises:
            UserError: Keras does not know a name in the variant, or the replicas cannot be trained exactly.
        """


def curve_names(split: Split) -> list[str]:
    """Return the names of the recorded curves: `train_loss`, `train_accuracy`, ..., part by part."""
    return [f"{part}_{what}" for part in split.parts for what in split.task.curves]


def main_curves(split: Split) -> list[str]:
    """Return the names of the curves to show while a training runs: the loss and the main score, part by part."""
    return [f"{part}_{what}" for part in split.parts for what in ("loss", split.task.score)]


def draw_orders(params: TrainingParams, replicas: Sequence[int], samples: int) -> Iterator[np.ndarray]:
    """Yield the order of the training samples in each epoch, in blocks of epochs: int32 [epoch, replica, sample]."""
    shuffles = Shuffles(params.seed, replicas, samples)
    for start in range(0, params.epochs, EPOCHS_PER_SHUFFLE):
        yield shuffles.next_epochs(min(EPOCHS_PER_SHUFFLE, params.epochs - start))


def prediction_inputs(split: Split, resolution: int) -> dict[str, np.ndarray]:
    """Return the inputs to predict for, by name, float32 [sample, input].

    These are the rows of each part and, if a decision surface can be drawn, the surface's grid.
    """
    inputs = {name: part.inputs for name, part in split.parts.items()}
    if has_surface(split):
        inputs["surface"] = np.stack(np.meshgrid(*split.surface_axes(resolution)), axis=-1).reshape(-1, 2)
    return {name: rows.astype(np.float32) for name, rows in inputs.items()}


def has_surface(split: Split) -> bool:
    """Return whether a decision surface can be drawn, which needs two inputs."""
    return split.inputs == 2
