"""Train all replicas of a variant, chunk by chunk, and record what happened."""

import gc
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pipeline import history
from pipeline.data.points import Split
from pipeline.model import initial_weights, keras_objects, network
from pipeline.params.training import TrainingParams
from pipeline.params.variants import VariantParams
from pipeline.randomness import Shuffles
from pipeline.training.engine import Engine
from pipeline.training.forward import Forward, State, classification, tensors
from pipeline.training.measuring import Measures
from pipeline.training.pretraining import Pretraining

SHUFFLED_AHEAD = 50  # epochs; bounds the memory that the orders take
# What belongs to an epoch's steps and not to a state: there is none before the first.
EPOCH_VALUES = ("gradient_mean_abs", "gradient_norm", "gradient_zero_share", "weight_change_l1")
MEASURED_BEHIND = 2  # states that may wait to be measured while the next epochs train


@dataclass(frozen=True)
class Trained:
    """All replicas of a variant after training.

    history: see the history room.
    weights: every variable by path, float32 [replica, *shape].
    predictions: probability of label 1 over (replica, train_sample), (replica, test_sample) and, where there are two
        inputs, over the grid (replica, x2, x1).
    network: the architecture, its own weights a mere template.
    pretraining: its history, if there was any; epoch 0 of `history` comes after it.
    """

    history: xr.Dataset
    weights: dict[str, np.ndarray]
    predictions: xr.Dataset
    network: network.Network
    pretraining: xr.Dataset | None


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection but where it is asked for.

    A graph of TensorFlow's locks itself while the collector visits it, and while it is traced; a collection in one
    thread while another one traces can therefore stop both for ever. Measuring traces in a thread of its own, and in a
    worker of a cluster there are others.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_no_collection()
def train(
    variant: VariantParams,
    name: str,
    split: Split,
    params: TrainingParams,
    on_epoch: Callable[[int], None] = lambda replicas: None,
    replicas: Sequence[int] | None = None,
) -> Trained:
    """Train the replicas of a variant.

    Args:
        name: the variant's name, for the model and for error messages.
        on_epoch: called after each epoch of a chunk, those of pre-training too, with the number of its replicas.
        replicas: which to train; all of them, 0, 1, ..., by default.

    Raises:
        UserError: Keras does not know a name in `variant`, or the engine cannot replicate it exactly.
    """
    indices = list(range(params.replicas)) if replicas is None else list(replicas)
    net = network.build(variant, split.inputs, name)
    forward = Forward(net)
    measures = Measures(forward, split, params.histograms)
    pretraining = None if variant.pretraining == "none" else Pretraining(variant, name, split, params)
    task = classification(*tensors(split.train))
    histories, weights, predictions, before = [], [], [], []
    engine = None
    for start in range(0, len(indices), params.chunk):
        gc.collect()
        chunk = indices[start : start + params.chunk]
        initial = initial_weights.draw(net, params.seed, chunk)
        if pretraining is not None:
            initial, learned = pretraining.run(initial, chunk, on_epoch)
            before.append(learned)
        if engine is None or len(chunk) < params.chunk:
            optimizer, clipping = keras_objects.optimizer(variant.optimizer, f"variants.{name}.optimizer")
            engine = Engine(forward, optimizer, clipping, task, initial, params.batch_size)
        else:
            engine.restart(initial, task)
        histories.append(_train_chunk(engine, measures, chunk, split, params, on_epoch))
        weights.append(engine.stacks(engine.state))
        predictions.append(_predict(engine.state, measures, chunk, split, params.surface_resolution))
    trained = xr.concat(histories, "replica", data_vars="minimal")
    if before:
        trained.attrs["extra_epochs"] = variant.extra_epochs
    return Trained(
        trained,
        {path: np.concatenate([stacks[path] for stacks in weights]) for path in weights[0]},
        xr.concat(predictions, "replica", data_vars="minimal"),
        net,
        xr.concat(before, "replica", data_vars="minimal") if before else None,
    )


def is_recorded(epoch: int, params: TrainingParams) -> bool:
    """Whether per-layer values are recorded: at 0, the first epochs, every so many, and the last."""
    return epoch <= params.record_first or epoch % params.record_every == 0 or epoch == params.epochs


def _train_chunk(
    engine: Engine,
    measures: Measures,
    replicas: list[int],
    split: Split,
    params: TrainingParams,
    on_epoch: Callable[[int], None],
) -> xr.Dataset:
    """Train while a second thread measures the states left behind: training never waits, and is never touched."""
    curves: list[dict[str, np.ndarray]] = []
    layer_values: list[dict[str, np.ndarray]] = []
    pending: deque[Future] = deque()

    def measure(state: State, recorded: dict | None) -> tuple[dict, dict | None]:
        if recorded is None:
            return measures.curves(state), None
        now, values = measures.all(state)
        return now, {**values, **recorded}

    def collect() -> None:
        measured, values = pending.popleft().result()
        curves.append({key: value.numpy() for key, value in measured.items()})
        if values is not None:
            layer_values.append({key: np.asarray(value) for key, value in values.items()})

    unknown = np.full((len(replicas), measures.network.layers), np.nan, np.float32)
    before_training = dict.fromkeys(EPOCH_VALUES, unknown)
    with ThreadPoolExecutor(max_workers=1) as measuring:
        pending.append(measuring.submit(measure, engine.state, before_training))
        for epoch, order in enumerate(_orders(params, replicas, len(split.train)), start=1):
            record = is_recorded(epoch, params)
            recorded = engine.train_epoch(order, record)
            pending.append(measuring.submit(measure, engine.state, recorded if record else None))
            if len(pending) > MEASURED_BEHIND:
                collect()
            on_epoch(len(replicas))
        while pending:
            collect()
    recorded_epochs = [epoch for epoch in range(params.epochs + 1) if is_recorded(epoch, params)]
    values = _stacked(layer_values)
    return history.assemble(
        replicas,
        recorded_epochs,
        _stacked(curves),
        values,
        saturated_share=values.pop("saturated_share"),
        units=measures.network.units,
        constant_loss=split.train.constant_loss,
        bypassed=measures.network.bypassed,
        histograms={name: values.pop(name) for name in history.HISTOGRAMS if name in values},
    )


def _orders(params: TrainingParams, replicas: list[int], samples: int) -> Iterator[np.ndarray]:
    shuffles = Shuffles(params.seed, replicas, samples)
    for start in range(0, params.epochs, SHUFFLED_AHEAD):
        yield from shuffles.next_epochs(min(SHUFFLED_AHEAD, params.epochs - start))


def _stacked(rows: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}


def _predict(state: State, measures: Measures, replicas: list[int], split: Split, resolution: int) -> xr.Dataset:
    def probabilities(inputs: np.ndarray) -> np.ndarray:
        return measures.probabilities(state, inputs.astype(np.float32)).numpy()

    predictions = xr.Dataset(coords={"replica": np.asarray(replicas, np.int32)})
    predictions["train_probability"] = (("replica", "train_sample"), probabilities(split.train.inputs))
    predictions["test_probability"] = (("replica", "test_sample"), probabilities(split.test.inputs))
    if split.inputs == 2:
        x1, x2 = split.surface_axes(resolution)
        grid = np.stack(np.meshgrid(x1, x2), axis=-1)
        surface = probabilities(grid.reshape(-1, 2)).reshape(len(replicas), resolution, resolution)
        predictions = predictions.assign_coords(x1=x1, x2=x2)
        predictions["surface"] = (("replica", "x2", "x1"), surface)
    return predictions
