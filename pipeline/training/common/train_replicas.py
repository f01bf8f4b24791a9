"""Train all replicas of a variant, chunk by chunk, and record the trainings.

There are two trainers. `stacked` trains every variant that params.yaml can describe. `compiled` trains only plain
stacks of dense layers with a common activation and optimizer; its compiled loops are many times faster for five
layers of five units. Tests compare `compiled` with `stacked`, and `stacked` with Keras.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xarray as xr

from pipeline.data.split.samples import Split
from pipeline.foundations.errors import UserError
from pipeline.history import record as history
from pipeline.history import scales
from pipeline.history.recorded_epochs import recorded_epochs
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams
from pipeline.training.common.machine import cores, memory
from pipeline.training.common.trainer import Chunk, Observer, Observers, Trainer, curve_names, has_surface
from pipeline.training.compiled.eligible import dense_stack


@dataclass(frozen=True)
class Trained:
    """All replicas of a variant after training.

    history: see `history.record`.
    weights: every variable by path, float32 [replica, *shape].
    predictions: `train_prediction` (replica, train_sample, output), the same for every other part, and for two inputs
        also `surface` (replica, x2, x1, output) on a grid.
    pretraining: the history of the pre-training, which ends before epoch 0 of `history`; None without pre-training.
    """

    history: xr.Dataset
    weights: dict[str, np.ndarray]
    predictions: xr.Dataset
    pretraining: xr.Dataset | None


def trainer_of(variant: VariantParams, name: str, split: Split, params: TrainingParams, threads: int) -> Trainer:
    """Return the fastest trainer that trains this variant exactly."""
    stack = dense_stack(variant, split.inputs, split.task)
    if stack is not None:
        from pipeline.training.compiled.dense_trainer import DenseTrainer

        return DenseTrainer(stack, variant, name, split, params, threads)
    return stacked(variant, name, split, params, threads)


def stacked(variant: VariantParams, name: str, split: Split, params: TrainingParams, threads: int) -> Trainer:
    """Return the trainer that trains every variant; `threads` has no effect, because TensorFlow has its own."""
    # Imported late: TensorFlow takes seconds.
    from pipeline.training.stacked.stacked_trainer import StackedTrainer

    return StackedTrainer(variant, name, split, params)


def train(
    variant: VariantParams,
    name: str,
    split: Split,
    params: TrainingParams,
    observers: Sequence[Observer] = (),
    replicas: Sequence[int] | None = None,
    threads: int | None = None,
    choose: Callable[[VariantParams, str, Split, TrainingParams, int], Trainer] = trainer_of,
) -> Trained:
    """Train the replicas of a variant.

    Args:
        name: the variant's name, for the model and for error messages.
        observers: called after each epoch of each replica; an observer that fails does not stop the training.
        replicas: the numbers of the replicas to train; None for all.
        threads: the number of replicas that the compiled loops train at the same time, which does not affect the
            results; None for the number of processors that this process may use.
        choose: the function that returns the trainer.

    Raises:
        UserError: Keras does not know a name in `variant`, the variant cannot be trained exactly, or the record does
            not fit into this machine's memory.
    """
    all_numbers = list(range(params.replicas)) if replicas is None else list(replicas)
    _expect_memory(variant, split, params, len(all_numbers))
    trainer, observer = choose(variant, name, split, params, threads or cores()), Observers(observers)
    chunks = []
    for start in range(0, len(all_numbers), params.chunk):
        numbers = all_numbers[start : start + params.chunk]
        chunk = trainer.train(numbers, observer)
        history = _history(chunk, numbers, trainer, split, params)
        predictions = predictions_of(chunk.predictions, numbers, split, params.surface_resolution)
        chunks.append(Trained(history, chunk.weights, predictions, chunk.pretraining))
    trained = join_replicas(chunks)
    if trained.pretraining is not None:
        trained.history.attrs["extra_epochs"] = variant.extra_epochs
    return trained


def _expect_memory(variant: VariantParams, split: Split, params: TrainingParams, replicas: int) -> None:
    """Check that the record fits into memory; otherwise the system would kill the process without a message.

    Raises:
        UserError: the record needs more memory than this machine has.
    """
    outputs = split.task.outputs
    layers, samples = variant.hidden_layers + 1, sum(len(part) for part in split.parts.values())
    bins = len(history.GRADIENT_EDGES) + len(history.WEIGHT_EDGES) + 2 if params.histograms else 0
    values_per_layer = len(history.LAYER_VALUES) + len(history.SLOPE_FRACTIONS)
    entries = (params.epochs + 1) * len(curve_names(split)) + len(recorded_epochs(params)) * layers * values_per_layer
    surface = params.surface_resolution**2 if has_surface(split) else 0
    weights = sum((below + 1) * units for below, units in pairwise((split.inputs, *variant.widths, outputs)))
    # Counts of histograms take at least one byte each, all other numbers four.
    needed = replicas * (
        4 * (entries + outputs * (samples + surface) + weights) + len(recorded_epochs(params)) * layers * bins
    )
    available = memory()
    if available is not None and needed > available:
        raise UserError(
            f"{replicas} replicas: the record needs {needed / 2**30:,.0f} GiB of memory, and this machine has "
            f"{available / 2**30:,.0f}: lower training.replicas, epochs, record_first or surface_resolution, raise "
            "record_every, or set histograms to false"
        )


def join_replicas(parts: Sequence[Trained]) -> Trained:
    """Join the results of different replicas, in the given order."""
    pretrainings = [each.pretraining for each in parts if each.pretraining is not None]
    return Trained(
        join_records([each.history for each in parts]),
        {path: np.concatenate([each.weights[path] for each in parts]) for path in parts[0].weights},
        join_records([each.predictions for each in parts]),
        join_records(pretrainings) if pretrainings else None,
    )


def join_records(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join records of different replicas, in the given order."""
    return xr.concat(parts, "replica", data_vars="minimal", join="outer") if len(parts) > 1 else parts[0]


def _history(
    chunk: Chunk, replicas: Sequence[int], trainer: Trainer, split: Split, params: TrainingParams
) -> xr.Dataset:
    epochs, losses = recorded_epochs(params), split.constant_losses
    input_scales = scales.of_inputs(split.train.inputs) | scales.of_targets(split.train.targets)
    replica_values = {name: np.full(len(replicas), value) for name, value in input_scales.items()}
    return history.assemble(
        replicas, epochs, chunk.curves, chunk.layer_values, trainer.layers, split.task, losses, replica_values
    )


def predictions_of(
    predicted: Mapping[str, np.ndarray], replicas: Sequence[int], split: Split, resolution: int
) -> xr.Dataset:
    """Return predictions as a dataset with the layout of `Trained.predictions`.

    Args:
        predicted: the predictions for the rows of `prediction_inputs`, by name, float32 [replica, sample, output].
    """
    predictions = xr.Dataset(coords={"replica": np.asarray(replicas, np.int32)})
    for part in split.parts:
        predictions[f"{part}_prediction"] = (("replica", f"{part}_sample", "output"), predicted[part])
    if "surface" in predicted:
        x1, x2 = split.surface_axes(resolution)
        predictions = predictions.assign_coords(x1=x1, x2=x2)
        surface = predicted["surface"].reshape(len(replicas), resolution, resolution, -1)
        predictions["surface"] = (("replica", "x2", "x1", "output"), surface)
    return predictions
