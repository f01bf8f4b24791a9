"""Train replicas with the compiled loops, some epochs of one after some of another, as many at a time as there are
threads.

Each replica is computed by itself, so none depends on how many there are, or on the chunk, by a bit.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event, Lock

import numpy as np

from pipeline.data.split.samples import Split
from pipeline.history.record import GRADIENT_EDGES, SLOPE_FRACTIONS, WEIGHT_EDGES, count_type
from pipeline.history.recorded_epochs import is_recorded, recorded_epochs
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams
from pipeline.training.common.trainer import EPOCH_VALUES, Chunk, Observer, curve_names, orders, places
from pipeline.training.compiled import epochs, initial
from pipeline.training.compiled.elementwise import greatest_slope
from pipeline.training.compiled.eligible import ACTIVATIONS, KINDS, OPTIMIZERS, DenseStack
from pipeline.training.compiled.epochs import DataParts, Learner, Plan
from pipeline.training.compiled.measures import LayerRecord, Limits
from pipeline.training.compiled.shapes import Shape
from pipeline.training.compiled.steps import SLOTS, Optimizer

_HISTOGRAMS = ("gradient_histogram", "weight_histogram")


class DenseTrainer:
    """A dense stack's replicas; see `training.common.trainer.Trainer`."""

    def __init__(
        self, stack: DenseStack, variant: VariantParams, name: str, split: Split, params: TrainingParams, threads: int
    ) -> None:
        """Args: `name` is the variant's, for error messages; `threads` how many replicas are trained at a time."""
        self._stack, self._variant, self._name = stack, variant, name
        self._split, self._params, self._threads = split, params, threads
        self._plan = Plan(
            Shape(np.array(stack.sizes), ACTIVATIONS.index(stack.activation), KINDS.index(stack.task.kind)),
            Optimizer(list(OPTIMIZERS).index(stack.optimizer), np.array(stack.numbers)),
            _limits(stack),
            _data(split),
            params.batch_size,
        )
        self.layers = stack.layers

    def train(self, replicas: Sequence[int], observer: Observer) -> Chunk:
        """See `training.common.trainer.Trainer`."""
        stacks = initial.draw(self._stack, self._variant, self._name, self._params.seed, replicas)
        flat = np.concatenate([stacks[path].reshape(len(replicas), -1) for path in self._stack.variables], axis=1)
        weights = np.ascontiguousarray(flat, np.float32)
        names = curve_names(self._split)
        curves = np.empty((len(replicas), self._params.epochs + 1, len(names)), np.float32)
        records = self._records(len(replicas))
        waiting: deque[tuple[int, Iterator[range]]] = deque()
        for place, replica in enumerate(replicas):
            record = LayerRecord(*(values[place] for values in records))
            waiting.append((place, self._trained(replica, weights[place], curves[place], record)))
        telling, ended = Lock(), Event()

        def work() -> None:
            while not ended.is_set():
                try:
                    place, training = waiting.popleft()
                except IndexError:  # as many as are left are in other threads' hands
                    return
                epochs = next(training, None)
                if epochs is None:
                    continue
                told = curves[place : place + 1, epochs.start : epochs.stop]
                with telling:
                    observer.trained([replicas[place]], epochs, {name: told[..., i] for i, name in enumerate(names)})
                waiting.append((place, training))

        with ThreadPoolExecutor(self._threads) as pool:
            running = [pool.submit(work) for _ in range(min(self._threads, len(replicas)))]
            try:
                wait(running, return_when=FIRST_EXCEPTION)
            finally:  # an interrupt or a failure waits for the epochs under way alone
                ended.set()
            for each in running:
                each.result()
        return Chunk(
            {name: curves[:, :, place] for place, name in enumerate(names)},
            self._layer_values(records),
            self._stacks(weights),
            self._predictions(weights),
        )

    def _trained(self, replica: int, weights: np.ndarray, curves: np.ndarray, records: LayerRecord) -> Iterator[range]:
        """Train one replica in place; yields the epochs done, some at a time."""
        learner = Learner(weights, np.zeros((SLOTS, len(weights)), np.float32), np.zeros(1, np.int64))
        epochs.start(self._plan, learner, curves[0], records)
        yield range(1)
        done, row = 1, 1
        for order in orders(self._params, [replica], len(self._split.train)):
            ahead = slice(done, done + len(order))
            recorded = np.array([is_recorded(epoch, self._params) for epoch in range(ahead.start, ahead.stop)])
            rest = LayerRecord(*(values[row:] for values in records))
            epochs.train(self._plan, order[:, 0], recorded, learner, curves[ahead], rest)
            done, row = ahead.stop, row + int(recorded.sum())
            del order  # of each replica that waits it would take memory
            yield range(ahead.start, ahead.stop)

    def _records(self, replicas: int) -> LayerRecord:
        """Arrays for what is recorded, with axes for replica and recorded epoch in front."""
        rows = (replicas, len(recorded_epochs(self._params)), len(self.layers))
        wanted = self._params.histograms
        further = {
            "saturated_share": np.zeros((*rows, len(SLOPE_FRACTIONS)), np.float32),
            "gradient_histogram": np.zeros((*rows, len(GRADIENT_EDGES) + 1 if wanted else 0), np.int32),
            "weight_histogram": np.zeros((*rows, len(WEIGHT_EDGES) + 1 if wanted else 0), np.int32),
        }
        plain = [name for name in LayerRecord._fields if name not in further]
        return LayerRecord(**{name: np.zeros(rows, np.float32) for name in plain}, **further)

    def _layer_values(self, records: LayerRecord) -> dict[str, np.ndarray]:
        values = records._asdict()
        for name in EPOCH_VALUES:
            values[name][:, 0] = np.nan
        largest = max(inputs * units for inputs, units in self._stack.kernels.values())
        for name in _HISTOGRAMS:
            counts = values.pop(name)
            if self._params.histograms:
                values[name] = counts.astype(count_type(largest))
        return {**values, "dead": values["dead_unit_share"] == 1}

    def _stacks(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        shapes = self._stack.variables
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
        pieces = np.split(weights, ends, axis=1)
        return {path: piece.reshape(-1, *shape) for (path, shape), piece in zip(shapes.items(), pieces, strict=True)}

    def _predictions(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        found = {}
        for name, inputs in places(self._split, self._params.surface_resolution).items():
            columns = np.ascontiguousarray(inputs.T)
            found[name] = np.stack([epochs.predict(self._plan.shape, own, columns).T for own in weights])
        return found


def _data(split: Split) -> DataParts:
    """All parts side by side."""
    parts = split.parts.values()
    inputs = np.concatenate([part.inputs for part in parts])
    targets = np.concatenate([split.task.target_matrix(part.targets) for part in parts])
    ends = np.cumsum([len(part) for part in parts])
    return DataParts(np.ascontiguousarray(inputs.T, np.float32), np.ascontiguousarray(targets.T, np.float32), ends)


def _limits(stack: DenseStack) -> Limits:
    fractions = np.array(SLOPE_FRACTIONS, np.float32)
    # A softmax has no slope by unit; its row is there and nobody looks at it.
    last = "sigmoid" if stack.task.kind == "binary" else "linear"
    slopes = np.stack([fractions * greatest_slope(ACTIVATIONS.index(name)) for name in (stack.activation, last)])
    return Limits(slopes, np.array(GRADIENT_EDGES, np.float32), np.array(WEIGHT_EDGES, np.float32))
