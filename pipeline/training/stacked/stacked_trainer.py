"""Train a chunk of replicas as one stack, with any Keras layer that a variant may have."""

import gc
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from pipeline.data.split.samples import Split
from pipeline.foundations.errors import first_line
from pipeline.foundations.tensorflow import tf
from pipeline.history.recorded_epochs import is_recorded
from pipeline.models import initial_weights, keras_objects, network
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams
from pipeline.training.common.trainer import EPOCH_VALUES, Chunk, Observer, draw_orders, prediction_inputs
from pipeline.training.stacked import objectives
from pipeline.training.stacked.engine import Engine
from pipeline.training.stacked.forward import Forward, State
from pipeline.training.stacked.measuring import Measures
from pipeline.training.stacked.pretraining import Pretraining

Values = dict[str, tf.Tensor]
MAX_PENDING = 2  # states that may wait for their measurement while the training goes on


@contextmanager
def _no_collection() -> Iterator[None]:
    """Switch off automatic garbage collection in the context, because it can deadlock with tracing.

    Tracing and collecting both lock a TensorFlow graph, so tracing in one thread and a collection in another can block
    each other for ever. There are such threads: one traces measurements, and workers of a cluster have others.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Raise Python's MemoryError instead of TensorFlow's error for too little memory."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(first_line(error)) from None


class StackedTrainer:
    """Trains a variant's replicas in one graph, traced once for all chunks of one size.

    See `training.common.trainer.Trainer`.
    """

    def __init__(self, variant: VariantParams, name: str, split: Split, params: TrainingParams) -> None:
        """Build the network and its graphs.

        Args:
            name: the variant's name, for the model and for error messages.
        """
        self._variant, self._name, self._split, self._params = variant, name, split, params
        with _no_collection():
            self._network = network.build(variant, split.inputs, split.task, name)
            self._forward = Forward(self._network)
            self._measures = Measures(self._forward, split, params.histograms)
            self._objective = objectives.of_task(split.task, split.train)
            has_pretraining = variant.pretraining != "none"
            self._pretraining = Pretraining(variant, name, split, params) if has_pretraining else None
        self._engines: dict[int, Engine] = {}
        self.layers = self._network.table

    @_memory_errors()
    @_no_collection()
    def train(self, replicas: Sequence[int], observer: Observer) -> Chunk:
        """See `training.common.trainer.Trainer`."""
        gc.collect()
        initial = initial_weights.draw(self._network, self._params.seed, replicas)
        pretraining = None
        if self._pretraining is not None:
            initial, pretraining = self._pretraining.run(initial, replicas, observer)
        engine = self._engine(initial, len(replicas))
        curves, layer_values = self._train(engine, replicas, observer)
        predictions = {
            name: self._measures.predictions(engine.state, inputs).numpy()
            for name, inputs in prediction_inputs(self._split, self._params.surface_resolution).items()
        }
        return Chunk(curves, layer_values, engine.stacks(engine.state), predictions, pretraining)

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
        """Train while a second thread measures earlier states, so that the training hardly waits.

        Returns:
            Curves and layer values, as a `Chunk` holds them.
        """
        measures, params = self._measures, self._params
        curves: list[dict[str, np.ndarray]] = []
        layer_values: list[dict[str, np.ndarray]] = []
        pending: deque[Future[tuple[Values, Values | None]]] = deque()

        def measure(state: State, epoch_values: Values | None) -> tuple[Values, Values | None]:
            if epoch_values is None:
                return measures.curves(state), None
            state_curves, state_values = measures.all(state)
            return state_curves, {**state_values, **epoch_values}

        def collect() -> None:
            latest, values = pending.popleft().result()
            epoch = len(curves)
            curves.append({key: value.numpy() for key, value in latest.items()})
            observer.on_epochs(
                replicas, range(epoch, epoch + 1), {key: row[:, None] for key, row in curves[-1].items()}
            )
            if values is not None:
                layer_values.append({key: np.asarray(value) for key, value in values.items()})

        no_values = np.full((len(replicas), self._network.layer_count), np.nan, np.float32)
        with ThreadPoolExecutor(max_workers=1) as measuring:
            pending.append(measuring.submit(measure, engine.state, dict.fromkeys(EPOCH_VALUES, no_values)))
            all_orders = (order for block in draw_orders(params, replicas, len(self._split.train)) for order in block)
            for epoch, order in enumerate(all_orders, start=1):
                should_record = is_recorded(epoch, params)
                epoch_values = engine.train_epoch(order, should_record)
                pending.append(measuring.submit(measure, engine.state, epoch_values if should_record else None))
                if len(pending) > MAX_PENDING:
                    collect()
            while pending:
                collect()
        return _stack_epochs(curves), _stack_epochs(layer_values)


def _stack_epochs(rows: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Stack the epochs' arrays [replica, ...] into [replica, epoch, ...]."""
    return {key: np.stack([row[key] for row in rows], axis=1) for key in rows[0]}
