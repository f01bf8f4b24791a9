"""Train replicas with the compiled loops, in several threads; a thread trains a block of epochs, then takes another.

Each replica is computed separately, so its results are the same to the bit, whichever other replicas are trained.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event, Lock

import numpy as np

from pipeline.data.split.samples import Split
from pipeline.history.record import GRADIENT_EDGES, HISTOGRAMS, SLOPE_FRACTIONS, WEIGHT_EDGES, count_type
from pipeline.history.recorded_epochs import is_recorded, recorded_epochs
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams
from pipeline.training.common.trainer import EPOCH_VALUES, Chunk, Observer, curve_names, draw_orders, prediction_inputs
from pipeline.training.compiled import epochs, initial
from pipeline.training.compiled.elementwise import greatest_slope
from pipeline.training.compiled.eligible import ACTIVATIONS, OPTIMIZERS, TASK_KINDS, DenseStack
from pipeline.training.compiled.epochs import Learner, Plan
from pipeline.training.compiled.measures import Limits, Records, bins_of
from pipeline.training.compiled.passes import DataParts
from pipeline.training.compiled.shapes import block_of, positions, shape_of, weight_count
from pipeline.training.compiled.steps import SLOTS, Optimizer


class DenseTrainer:
    """Trains the replicas of a dense stack; see `training.common.trainer.Trainer`."""

    def __init__(
        self, stack: DenseStack, variant: VariantParams, name: str, split: Split, params: TrainingParams, threads: int
    ) -> None:
        """Prepare the training.

        Args:
            name: the variant's name, for error messages.
            threads: the number of replicas that are trained at the same time.
        """
        self._stack, self._variant, self._name = stack, variant, name
        self._split, self._params, self._threads = split, params, threads
        self._plan = Plan(
            shape_of(stack.widths, ACTIVATIONS.index(stack.activation), TASK_KINDS.index(stack.task.kind)),
            Optimizer(list(OPTIMIZERS).index(stack.optimizer), np.array(stack.hyperparameters)),
            _limits(stack),
            _data(split),
            params.batch_size,
        )
        self.layers = stack.layers

    def train(self, replicas: Sequence[int], observer: Observer) -> Chunk:
        """See `training.common.trainer.Trainer`."""
        stacks = initial.draw(self._stack, self._variant, self._name, self._params.seed, replicas)
        flat = [stacks[path].reshape(len(replicas), -1) for path in self._stack.variables]
        weights = np.zeros((len(replicas), weight_count(self._plan.shape)), np.float32)
        weights[:, positions(self._plan.shape)] = np.concatenate(flat, axis=1)
        names = curve_names(self._split)
        curves = np.empty((len(replicas), self._params.epochs + 1, len(names)), np.float32)
        records = self._records(len(replicas))
        trainings: deque[tuple[int, Iterator[range]]] = deque()
        for row, replica in enumerate(replicas):
            record = Records(*(values[row] for values in records))
            trainings.append((row, self._epochs(replica, weights[row], curves[row], record)))
        observer_lock, should_stop = Lock(), Event()

        def train_in_turn() -> None:
            while not should_stop.is_set():
                try:
                    row, training = trainings.popleft()
                except IndexError:  # other threads train the remaining replicas
                    return
                epochs = next(training, None)
                if epochs is None:
                    continue
                latest = curves[row : row + 1, epochs.start : epochs.stop]
                with observer_lock:
                    observer.on_epochs([replicas[row]], epochs, {name: latest[..., i] for i, name in enumerate(names)})
                trainings.append((row, training))

        with ThreadPoolExecutor(self._threads) as pool:
            futures = [pool.submit(train_in_turn) for _ in range(min(self._threads, len(replicas)))]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:  # after an interrupt or an error, each thread still finishes its block of epochs
                should_stop.set()
            for future in futures:
                future.result()
        return Chunk(
            {name: curves[:, :, i] for i, name in enumerate(names)},
            self._layer_values(records),
            self._stacks(weights),
            self._predictions(weights),
        )

    def _epochs(self, replica: int, weights: np.ndarray, curves: np.ndarray, records: Records) -> Iterator[range]:
        """Train one replica; set its weights, curves and records in place; yield each finished block of epochs."""
        learner = Learner(weights, np.zeros((SLOTS, len(weights)), np.float32), np.zeros(1, np.int64))
        self._measure(np.array([True]), np.stack([weights, weights]), curves[:1], records)
        yield range(1)
        start, row = 1, 1
        for order in draw_orders(self._params, [replica], len(self._split.train)):
            block = slice(start, start + len(order))
            recorded = np.array([is_recorded(epoch, self._params) for epoch in range(block.start, block.stop)])
            remaining = Records(*(values[row:] for values in records))
            states = np.empty((1 + len(order), len(weights)), np.float32)
            batch = block_of(self._plan.shape, self._plan.batch_size)
            epochs.train(
                self._plan, order[:, 0], recorded, learner, batch, epochs.sums_of(self._plan), states, remaining
            )
            self._measure(recorded, states, curves[block], remaining)
            start, row = block.stop, row + int(recorded.sum())
            del order, states, batch  # to free their memory while the replica waits
            yield range(block.start, block.stop)

    def _measure(self, recorded: np.ndarray, states: np.ndarray, curves: np.ndarray, records: Records) -> None:
        """Set curves and records; see `epochs.measure`."""
        block = block_of(self._plan.shape, len(self._plan.data.rows))
        epochs.measure(self._plan, recorded, states, block, epochs.sums_of(self._plan), curves, records)

    def _records(self, replicas: int) -> Records:
        """Return records of zeros; the first axes are replica and recorded epoch."""
        rows = (replicas, len(recorded_epochs(self._params)), len(self.layers))
        with_more_axes = {"saturated_share": np.zeros((*rows, len(SLOPE_FRACTIONS)), np.float32)}
        for name, (_, edges, _) in HISTOGRAMS.items():
            with_more_axes[name] = np.zeros((*rows, len(edges) + 1 if self._params.histograms else 0), np.int32)
        by_layer = [name for name in Records._fields if name not in with_more_axes]
        return Records(**{name: np.zeros(rows, np.float32) for name in by_layer}, **with_more_axes)

    def _layer_values(self, records: Records) -> dict[str, np.ndarray]:
        values = records._asdict()
        for name in EPOCH_VALUES:
            values[name][:, 0] = np.nan
        largest_kernel = max(inputs * units for inputs, units in self._stack.kernels.values())
        for name in HISTOGRAMS:
            counts = values.pop(name)
            if self._params.histograms:
                values[name] = counts.astype(count_type(largest_kernel))
        return {**values, "dead": values["dead_unit_share"] == 1}

    def _stacks(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        shapes = self._stack.variables
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
        pieces = np.split(weights[:, positions(self._plan.shape)], ends, axis=1)
        return {path: piece.reshape(-1, *shape) for (path, shape), piece in zip(shapes.items(), pieces, strict=True)}

    def _predictions(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        predictions = {}
        for name, inputs in prediction_inputs(self._split, self._params.surface_resolution).items():
            data = _joined([(inputs, np.empty((len(inputs), 0)))])
            block = block_of(self._plan.shape, len(inputs))
            predictions[name] = np.empty((len(weights), len(inputs), self._stack.task.outputs), np.float32)
            for replica_weights, rows in zip(weights, predictions[name], strict=True):
                epochs.predict(self._plan.shape, replica_weights, data, block, rows)
        return predictions


def _data(split: Split) -> DataParts:
    parts = split.parts.values()
    return _joined([(part.inputs, split.task.target_matrix(part.targets)) for part in parts])


def _joined(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> DataParts:
    """Join parts of the data, each its inputs [sample, input] and targets [sample, output]."""
    inputs, targets = (np.concatenate(arrays, dtype=np.float32) for arrays in zip(*parts, strict=True))
    squares = [len(each) * each.var(axis=0, dtype=np.float64) for _, each in parts]
    rows, ends = np.arange(len(inputs), dtype=np.int32), np.cumsum([len(each) for each, _ in parts])
    return DataParts(inputs, targets, rows, ends, np.stack(squares))


def _limits(stack: DenseStack) -> Limits:
    fractions = np.array(SLOPE_FRACTIONS, np.float32)
    # A unit of a softmax has no slope of its own; for multiclass tasks this row is not used.
    last = "sigmoid" if stack.task.kind == "binary" else "linear"
    slopes = np.stack([fractions * greatest_slope(ACTIVATIONS.index(name)) for name in (stack.activation, last)])
    return Limits(slopes, bins_of(GRADIENT_EDGES), bins_of(WEIGHT_EDGES))
