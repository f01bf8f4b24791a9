"""Train a chunk of replicas as one stack, whatever Keras layers the variant has."""

import gc
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from pipeline.data.split.samples import Split
from pipeline.foundations.tensorflow import tf
from pipeline.history.recorded_epochs import is_recorded
from pipeline.models import initial_weights, keras_objects, network
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams
from pipeline.training.common.trainer import EPOCH_VALUES, Chunk, Observer, orders, places
from pipeline.training.stacked import objectives
from pipeline.training.stacked.engine import Engine
from pipeline.training.stacked.forward import Forward, State
from pipeline.training.stacked.measuring import Measures
from pipeline.training.stacked.pretraining import Pretraining

MEASURED_BEHIND = 2  # states that may wait to be measured while the next epochs train


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


@contextmanager
def _memory_errors() -> Iterator[None]:
    """TensorFlow's word for too little memory as Python's."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError((str(error).splitlines() or [""])[0]) from None


class StackedTrainer:
    """A variant's replicas in one graph, compiled once for all chunks of one size.

    See `training.common.trainer.Trainer`.
    """

    def __init__(self, variant: VariantParams, name: str, split: Split, params: TrainingParams) -> None:
        """Args: `name` is the variant's, for the model and for error messages."""
        self._variant, self._name, self._split, self._params = variant, name, split, params
        with _no_collection():
            self._network = network.build(variant, split.inputs, split.task, name)
            self._forward = Forward(self._network)
            self._measures = Measures(self._forward, split, params.histograms)
            self._objective = objectives.of_task(split.task, split.train)
            pretrained = variant.pretraining != "none"
            self._pretraining = Pretraining(variant, name, split, params) if pretrained else None
        self._engines: dict[int, Engine] = {}
        self.layers = self._network.table

    @_memory_errors()
    @_no_collection()
    def train(self, replicas: Sequence[int], observer: Observer) -> Chunk:
        """See `training.common.trainer.Trainer`."""
        gc.collect()
        initial = initial_weights.draw(self._network, self._params.seed, replicas)
        before = None
        if self._pretraining is not None:
            initial, before = self._pretraining.run(initial, replicas, observer)
        engine = self._engine(initial, len(replicas))
        curves, layer_values = self._train(engine, replicas, observer)
        predictions = {
            name: self._measures.predictions(engine.state, inputs).numpy()
            for name, inputs in places(self._split, self._params.surface_resolution).items()
        }
        return Chunk(curves, layer_values, engine.stacks(engine.state), predictions, before)

    def _engine(self, initial: dict[str, np.ndarray], replicas: int) -> Engine:
        if replicas in self._engines:
            self._engines[replicas].restart(initial, self._objective)
        else:
            optimizer, clipping = keras_objects.optimizer(self._variant.optimizer, f"variants.{self._name}.optimizer")
            engine = Engine(self._forward, optimizer, clipping, self._objective, initial, self._params.batch_size)
            self._engines[replicas] = engine
        return self._engines[replicas]

    def _train(
        self, engine: Engine, replicas: Sequence[int], observer: Observer
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Train while a second thread measures the states left behind: training never waits, and is never touched.

        Returns:
            The curves and the values by layer, as a `Chunk` holds them.
        """
        measures, params = self._measures, self._params
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
            now = len(curves)
            curves.append({key: value.numpy() for key, value in measured.items()})
            observer.trained(replicas, range(now, now + 1), {key: row[:, None] for key, row in curves[-1].items()})
            if values is not None:
                layer_values.append({key: np.asarray(value) for key, value in values.items()})

        unknown = np.full((len(replicas), self._network.layers), np.nan, np.float32)
        with ThreadPoolExecutor(max_workers=1) as measuring:
            pending.append(measuring.submit(measure, engine.state, dict.fromkeys(EPOCH_VALUES, unknown)))
            every = (order for some in orders(params, replicas, len(self._split.train)) for order in some)
            for epoch, order in enumerate(every, start=1):
                record = is_recorded(epoch, params)
                recorded = engine.train_epoch(order, record)
                pending.append(measuring.submit(measure, engine.state, recorded if record else None))
                if len(pending) > MEASURED_BEHIND:
                    collect()
            while pending:
                collect()
        return _stacked(curves), _stacked(layer_values)


def _stacked(rows: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """[replica, epoch, ...] from [replica, ...] for each epoch."""
    return {key: np.stack([row[key] for row in rows], axis=1) for key in rows[0]}
