"""Compute what trainings are compared with: Keras's own steps and numbers, and the results of another trainer.

TensorFlow traces for seconds what then runs for milliseconds. So steps and measurements can be computed alone here, and
`Traced` uses its graphs for many trainings.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from pipeline.data.split.samples import Samples, Split
from pipeline.data.split.tasks import Task
from pipeline.foundations.tensorflow import keras
from pipeline.history import record
from pipeline.models import initial_weights, keras_objects
from pipeline.models.network import Network
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import KerasObject, VariantParams
from pipeline.training.common.train_replicas import Trained, train
from pipeline.training.stacked import objectives
from pipeline.training.stacked.engine import Engine
from pipeline.training.stacked.forward import Forward
from pipeline.training.stacked.measuring import Measures
from pipeline.training.stacked.stacked_trainer import StackedTrainer

# The precision of float32 is 1.2e-7, and rounding errors grow over steps. These are for at most 12 steps.
CLOSE = {"rtol": 2e-5, "atol": 2e-6}
LOSSES = {
    "binary": "binary_crossentropy",
    "multiclass": "categorical_crossentropy",
    "regression": "mean_squared_error",
}


def assert_close(left: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray]) -> None:
    """Check that variables and values are the same except for rounding errors."""
    assert left.keys() == right.keys()
    for path, stack in left.items():
        np.testing.assert_allclose(stack, right[path], **CLOSE, err_msg=path)


def assert_like(dense: Trained, general: Trained) -> None:
    """Check that records and weights agree; close to a limit, a pair of unit and sample may count on either side."""
    assert_close(dense.weights, general.weights)
    assert set(dense.history) == set(general.history)
    for name, values in general.history.items():
        actual = dense.history[name]
        assert (actual.dtype, actual.dims, actual.attrs) == (values.dtype, values.dims, values.attrs), name
        if name in record.HISTOGRAMS or name == "saturated_share":
            np.testing.assert_array_equal(np.isnan(actual), np.isnan(values), err_msg=name)
            assert (np.abs(actual.astype(float) - values) > 1e-6).mean() < 0.01, name
        elif values.dtype.kind == "U":
            np.testing.assert_array_equal(actual, values, err_msg=name)
        else:
            np.testing.assert_allclose(actual, values, **CLOSE, err_msg=name)
    xr.testing.assert_allclose(dense.predictions, general.predictions, rtol=2e-5, atol=2e-6)
    xr.testing.assert_equal(dense.history.coords.to_dataset(), general.history.coords.to_dataset())
    assert dense.history.attrs == general.history.attrs


def arrays(task: Task, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets for Keras, float32."""
    inputs, targets = samples.inputs.astype(np.float32), samples.targets
    if task.kind == "multiclass":
        return inputs, keras.utils.to_categorical(targets, len(task.names)).astype(np.float32)
    return inputs, targets.reshape(len(targets), -1).astype(np.float32)


def keras_steps(
    network: Network,
    stacks: Mapping[str, np.ndarray],
    optimizer: keras.optimizers.Optimizer,
    split: Split,
    *epochs: np.ndarray,
) -> dict[str, np.ndarray]:
    """Train replica after replica by Keras's `train_on_batch`, with a short last batch; slow, but independent.

    The steps are eager, because tracing takes longer. Each replica begins with its own weights and a new optimizer.

    Args:
        epochs: the order of the samples in each epoch, [replica, sample].

    Returns:
        Every variable by path, [replica, *shape].
    """
    model = network.model
    model.compile(optimizer=optimizer, loss=LOSSES[split.task.kind], run_eagerly=True)
    optimizer.build(model.trainable_variables)
    fresh = [np.asarray(variable) for variable in optimizer.variables]
    inputs, targets = arrays(split.task, split.train)
    trained: dict[str, list[np.ndarray]] = {variable.path: [] for variable in model.variables}
    for row in range(len(epochs[0])):
        for variable in model.variables:
            variable.assign(stacks[variable.path][row])
        for variable, value in zip(optimizer.variables, fresh, strict=True):
            variable.assign(value)
        for order in (orders[row] for orders in epochs):
            for start in range(0, len(order), 16):
                rows = order[start : start + 16]
                model.train_on_batch(inputs[rows], targets[rows])
        for variable in model.variables:
            trained[variable.path].append(np.array(variable))
    return {path: np.stack(rows) for path, rows in trained.items()}


def initial(network: Network, replicas: list[int], seed: int = 7) -> dict[str, np.ndarray]:
    """Return the initial value of every variable by path, [replica, *shape]."""
    return initial_weights.draw(network, seed, replicas)


def engine(
    network: Network, split: Split, stacks: dict[str, np.ndarray], spec: KerasObject, batch_size: int = 16
) -> Engine:
    """Return the engine of the stacked trainer, which takes its steps."""
    optimizer, clipping = keras_objects.optimizer(spec, "optimizer")
    objective = objectives.of_task(split.task, split.train)
    return Engine(Forward(network), optimizer, clipping, objective, stacks, batch_size)


def stacked_steps(
    network: Network, stacks: dict[str, np.ndarray], spec: KerasObject, split: Split, *epochs: np.ndarray
) -> dict[str, np.ndarray]:
    """Take the steps of `keras_steps` by the stacked trainer's engine."""
    chunk = engine(network, split, stacks, spec)
    for order in epochs:
        chunk.train_epoch(order, record=False)
    return chunk.stacks(chunk.state)


def measured(network: Network, split: Split, stacks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what the stacked trainer's probes measure at these weights."""
    forward = Forward(network)
    optimizer = keras.optimizers.SGD()
    state = Engine(forward, optimizer, None, objectives.of_task(split.task, split.train), stacks, batch_size=16).state
    measures = Measures(forward, split, histograms=True)
    _, values = measures.all(state)
    return {name: value.numpy() for name, value in values.items()}


class Traced:
    """The stacked trainer of one variant, whose graphs serve all trainings with the same number of replicas.

    These trainings may differ in their epochs, in their replicas, and in what they record."""

    def __init__(self, variant: VariantParams, split: Split, params: TrainingParams) -> None:
        self._variant, self._split = variant, split
        self._trainer = StackedTrainer(variant, "v", split, params)
        self._fixed = (params.batch_size, params.histograms, params.seed)

    def train(self, params: TrainingParams, replicas: list[int] | None = None, **more: Any) -> Trained:
        """Train as `train_replicas.train` does."""
        assert self._fixed == (params.batch_size, params.histograms, params.seed)  # these are traced in
        self._trainer._params = params
        return train(
            self._variant, "v", self._split, params, replicas=replicas, choose=lambda *_: self._trainer, **more
        )
