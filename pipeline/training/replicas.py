"""Train all replicas of a variant, chunk by chunk, and record what happened.

There are two ways, and the variant decides. `dense` is for plain stacks of dense layers with a common activation and
optimizer: compiled loops over samples, some seven times faster at five layers of five units. `stacked` is for all else
that Keras can say. The tests hold one to the other, and the second to Keras itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pipeline.data.points import Split
from pipeline.foundations.errors import UserError
from pipeline.history import record as history
from pipeline.params.training import TrainingParams
from pipeline.params.variants import VariantParams
from pipeline.training.chunk import Chunk, OnEpoch, Trainer, recorded_epochs
from pipeline.training.compiled.stack import dense_stack
from pipeline.training.machine import cores, memory


@dataclass(frozen=True)
class Trained:
    """All replicas of a variant after training.

    history: see the history room.
    weights: every variable by path, float32 [replica, *shape].
    predictions: probability of label 1 over (replica, train_sample), (replica, test_sample) and, where there are two
        inputs, over the grid (replica, x2, x1).
    pretraining: its history, if there was any; epoch 0 of `history` comes after it.
    """

    history: xr.Dataset
    weights: dict[str, np.ndarray]
    predictions: xr.Dataset
    pretraining: xr.Dataset | None


def trainer_of(variant: VariantParams, name: str, split: Split, params: TrainingParams, threads: int) -> Trainer:
    """The fastest that trains this variant exactly."""
    stack = dense_stack(variant, split.inputs)
    if stack is not None:
        from pipeline.training.compiled.trainer import DenseTrainer

        return DenseTrainer(stack, variant, name, split, params, threads)
    return stacked(variant, name, split, params, threads)


def stacked(variant: VariantParams, name: str, split: Split, params: TrainingParams, threads: int) -> Trainer:
    """The one that trains every variant; its threads are TensorFlow's."""
    # Here, for TensorFlow takes seconds to import.
    from pipeline.training.stacked.trainer import StackedTrainer

    return StackedTrainer(variant, name, split, params)


def train(
    variant: VariantParams,
    name: str,
    split: Split,
    params: TrainingParams,
    on_epoch: OnEpoch = lambda trainings: None,
    replicas: Sequence[int] | None = None,
    threads: int | None = None,
    choose: Callable[[VariantParams, str, Split, TrainingParams, int], Trainer] = trainer_of,
) -> Trained:
    """Train the replicas of a variant.

    Args:
        name: the variant's name, for the model and for error messages.
        on_epoch: told of epochs done, those of pre-training too: how many, summed over replicas.
        replicas: which to train; all of them, 0, 1, ..., by default.
        threads: how many replicas may be trained at a time, where that is done one by one; this process's cores by
            default. No result depends on it.
        choose: what makes the trainer.

    Raises:
        UserError: Keras does not know a name in `variant`, it cannot be trained exactly, or what is recorded does not
            fit into this machine's memory.
    """
    indices = list(range(params.replicas)) if replicas is None else list(replicas)
    _expect_room(variant, split, params, len(indices))
    trainer = choose(variant, name, split, params, threads or cores())
    histories, predictions, weights, before = [], [], [], []
    for start in range(0, len(indices), params.chunk):
        numbers = indices[start : start + params.chunk]
        chunk = trainer.train(numbers, on_epoch)
        histories.append(_history(chunk, numbers, trainer, split, params))
        predictions.append(_predictions(chunk, numbers, split, params.surface_resolution))
        weights.append(chunk.weights)
        before.append(chunk.pretraining)
    trained = _joined(histories)
    if before[0] is not None:
        trained.attrs["extra_epochs"] = variant.extra_epochs
    return Trained(
        trained,
        {path: np.concatenate([stacks[path] for stacks in weights]) for path in weights[0]},
        _joined(predictions),
        None if before[0] is None else _joined(before),
    )


def _expect_room(variant: VariantParams, split: Split, params: TrainingParams, replicas: int) -> None:
    """Where memory is handed out before it is there, a process is killed for want of it, and cannot say why."""
    layers, samples = variant.hidden_layers + 1, len(split.train) + len(split.test)
    bins = len(history.GRADIENT_EDGES) + len(history.WEIGHT_EDGES) + 2 if params.histograms else 0
    by_layer = len(history.LAYER_VALUES) + len(history.SLOPE_FRACTIONS)
    entries = (params.epochs + 1) * len(history.CURVES) + len(recorded_epochs(params)) * layers * by_layer
    surface = params.surface_resolution**2 if split.inputs == 2 else 0
    weights = variant.units * (split.inputs + 1 + (variant.units + 1) * (layers - 2) + 1)
    # Counts of histograms are whole numbers of a byte at least, all else is of four.
    needed = replicas * (4 * (entries + samples + surface + weights) + len(recorded_epochs(params)) * layers * bins)
    there = memory()
    if there is not None and needed > there:
        raise UserError(
            f"{replicas} replicas: the record needs {needed / 2**30:,.0f} GiB of memory, and this machine has "
            f"{there / 2**30:,.0f}: lower training.replicas, epochs, record_first or surface_resolution, raise "
            "record_every, or set histograms to false"
        )


def _joined(parts: list) -> xr.Dataset:
    return xr.concat(parts, "replica", data_vars="minimal") if len(parts) > 1 else parts[0]


def _history(
    chunk: Chunk, replicas: Sequence[int], trainer: Trainer, split: Split, params: TrainingParams
) -> xr.Dataset:
    architecture = history.Architecture(trainer.units, trainer.bypassed)
    return history.assemble(
        replicas, recorded_epochs(params), chunk.curves, chunk.layer_values, architecture, split.train.constant_loss
    )


def _predictions(chunk: Chunk, replicas: Sequence[int], split: Split, resolution: int) -> xr.Dataset:
    predictions = xr.Dataset(coords={"replica": np.asarray(replicas, np.int32)})
    for part in ("train", "test"):
        predictions[f"{part}_probability"] = (("replica", f"{part}_sample"), chunk.probabilities[part])
    if "surface" in chunk.probabilities:
        x1, x2 = split.surface_axes(resolution)
        predictions = predictions.assign_coords(x1=x1, x2=x2)
        surface = chunk.probabilities["surface"].reshape(len(replicas), resolution, resolution)
        predictions["surface"] = (("replica", "x2", "x1"), surface)
    return predictions
