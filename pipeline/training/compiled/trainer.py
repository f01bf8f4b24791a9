"""Train replicas one by one with the compiled loops, as many at a time as there are threads.

Each replica is computed by itself, so none depends on how many there are, or on the chunk, by a bit.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event, Lock

import numpy as np

from pipeline.data.points import Points, Split
from pipeline.history.record import CURVES, GRADIENT_EDGES, SLOPE_FRACTIONS, WEIGHT_EDGES, count_type
from pipeline.params.training import TrainingParams
from pipeline.params.variants import VariantParams
from pipeline.training.chunk import EPOCH_VALUES, Chunk, OnEpoch, is_recorded, orders, places, recorded_epochs
from pipeline.training.compiled import epochs, initial
from pipeline.training.compiled.elementwise import greatest_slope
from pipeline.training.compiled.epochs import Data, Learner, Plan
from pipeline.training.compiled.measures import LayerRecord, Limits
from pipeline.training.compiled.passes import Shape
from pipeline.training.compiled.stack import ACTIVATIONS, OPTIMIZERS, DenseStack
from pipeline.training.compiled.steps import SLOTS, Optimizer

_HISTOGRAMS = ("gradient_histogram", "weight_histogram")


class DenseTrainer:
    """A dense stack's replicas; see `training.chunk.Trainer`."""

    def __init__(
        self, stack: DenseStack, variant: VariantParams, name: str, split: Split, params: TrainingParams, threads: int
    ) -> None:
        """Args: `name` is the variant's, for error messages; `threads` how many replicas are trained at a time."""
        self._stack, self._variant, self._name = stack, variant, name
        self._split, self._params, self._threads = split, params, threads
        self._plan = Plan(
            Shape(np.array(stack.sizes), ACTIVATIONS.index(stack.activation)),
            Optimizer(list(OPTIMIZERS).index(stack.optimizer), np.array(stack.numbers)),
            _limits(stack.activation),
            Data(*_columns(split.train), *_columns(split.test)),
            params.batch_size,
        )
        self.units, self.bypassed = list(stack.sizes[1:]), [False] * len(stack.kernels)

    def train(self, replicas: Sequence[int], on_epoch: OnEpoch) -> Chunk:
        """See `training.chunk.Trainer`."""
        stacks = initial.draw(self._stack, self._variant, self._name, self._params.seed, replicas)
        flat = np.concatenate([stacks[path].reshape(len(replicas), -1) for path in self._stack.variables], axis=1)
        weights = np.ascontiguousarray(flat, np.float32)
        curves = np.empty((len(replicas), self._params.epochs + 1, len(CURVES)), np.float32)
        records = self._records(len(replicas))
        telling, ended = Lock(), Event()

        def one(place: int) -> None:
            record = LayerRecord(*(values[place] for values in records))
            for trained in self._trained(replicas[place], weights[place], curves[place], record):
                with telling:
                    on_epoch(trained)
                if ended.is_set():
                    return

        with ThreadPoolExecutor(self._threads) as pool:
            running = [pool.submit(one, place) for place in range(len(replicas))]
            try:
                wait(running, return_when=FIRST_EXCEPTION)
            finally:  # an interrupt or a failure waits for the epochs under way alone
                ended.set()
                for each in running:
                    each.cancel()
            for each in running:
                each.result()
        return Chunk(
            {name: curves[:, :, place] for place, name in enumerate(CURVES)},
            self._layer_values(records),
            self._stacks(weights),
            self._probabilities(weights),
        )

    def _trained(self, replica: int, weights: np.ndarray, curves: np.ndarray, records: LayerRecord) -> Iterator[int]:
        """Train one replica in place; yields the number of epochs done, some at a time."""
        learner = Learner(weights, np.zeros((SLOTS, len(weights)), np.float32), np.zeros(1, np.int64))
        epochs.start(self._plan, learner, curves[0], records)
        done, row = 1, 1  # epoch 0 is
        for order in orders(self._params, [replica], len(self._split.train)):
            ahead = slice(done, done + len(order))
            recorded = np.array([is_recorded(epoch, self._params) for epoch in range(ahead.start, ahead.stop)])
            rest = LayerRecord(*(values[row:] for values in records))
            epochs.train(self._plan, order[:, 0], recorded, learner, curves[ahead], rest)
            done, row = ahead.stop, row + int(recorded.sum())
            yield len(order)

    def _records(self, replicas: int) -> LayerRecord:
        """Room for what is recorded, with axes for replica and recorded epoch in front."""
        rows = (replicas, len(recorded_epochs(self._params)), len(self.units))
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

    def _probabilities(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        found = {}
        for name, inputs in places(self._split, self._params.surface_resolution).items():
            columns = np.ascontiguousarray(inputs.T)
            found[name] = np.empty((len(weights), len(inputs)), np.float32)
            for own, row in zip(weights, found[name], strict=True):
                epochs.predict(self._plan.shape, own, columns, row)
        return found


def _columns(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """Inputs [input, sample] and labels, float32."""
    return np.ascontiguousarray(points.inputs.T, np.float32), points.labels.astype(np.float32)


def _limits(activation: str) -> Limits:
    fractions = np.array(SLOPE_FRACTIONS, np.float32)
    slopes = np.stack([fractions * greatest_slope(ACTIVATIONS.index(name)) for name in (activation, "sigmoid")])
    return Limits(slopes, np.array(GRADIENT_EDGES, np.float32), np.array(WEIGHT_EDGES, np.float32))
