"""One replica of a network of the user's own: trained by Keras's own `fit` from a derived seed, and recorded.

Passes the door to TensorFlow: stages alone use this.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.foundations.tensorflow import keras, tf  # isort: skip  # the door first: the recorder takes Keras as it is

from pipeline.data.split.samples import Split
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import temporary_folder
from pipeline.foundations.seeds import derived_seed
from pipeline.history.record import LOGGED_LOSS, curve_text
from pipeline.history.recorded_epochs import is_recorded
from pipeline.models.objective import Objective
from pipeline.params.network_params import NetworkRecipe, file
from pipeline.params.training_params import TrainingParams
from pipeline.recorder.guard import Guard
from pipeline.recorder.probe import Rows
from pipeline.recorder.recorder import Recorder
from pipeline.recorder.watching import Known, Options, Watching
from pipeline.remedies import keras_remedies
from pipeline.remedies.keras_compile import remembering_compile
from pipeline.remedies.trial import Trial
from pipeline.training.common.train_replicas import Trained, predictions_of
from pipeline.training.common.trainer import places
from pipeline.training.networks.builder import Network, build, compiled, faults_of, named_weights

PROBE_ROWS = (
    1024  # values by layer are of so many training rows, evenly from first to last; of all where there are less
)
ROWS_AT_ONCE = 1024  # of predictions
WANTED = "wanted "  # before the names of what predictions are kept of, for these go the way of the data
OnEpoch = Callable[[int, Mapping[str, float]], None]  # the epoch, and its curves


def train_replica(
    name: str,
    recipe: NetworkRecipe,
    split: Split,
    params: TrainingParams,
    replica: int,
    on_epoch: OnEpoch = lambda epoch, curves: None,
) -> Trained:
    """Train it.

    Args:
        on_epoch: called after each epoch, 0 included.

    Raises:
        UserError: the network cannot be built or trained, or ends its training itself.
    """
    prepared = _prepared(
        name, recipe, split, places(split, params.surface_resolution), derived_seed(params.seed, replica, "network")
    )
    network = prepared.network
    with _recording(prepared, split.task, params, on_epoch) as recording:
        _fit(name, prepared, params, derived_seed(params.seed, replica, "shuffle", name), [recording])
    if recording.watching.epoch != params.epochs:
        raise UserError(
            f"{file(name)}: the training ended after {recording.watching.epoch} of {params.epochs} epochs: must not "
            "stop itself, for replicas are compared at equal epochs"
        )
    history = Recorder.without_logs(recording.watching.history)
    for each in history.data_vars:
        if history[each].dims == ("replica", "epoch") and each != LOGGED_LOSS:
            history[each].attrs["long_name"] = curve_text(str(each), split.task)
    on = [each.name for each in tf.config.list_logical_devices("GPU")]
    if on:
        history.attrs["device"] = ", ".join(on)
    if prepared.change:
        history.attrs["change"] = prepared.change
    predicted = {part: predict(network, inputs)[None] for part, inputs in prepared.wanted.items()}
    return Trained(
        history.assign_coords(replica=np.array([replica], np.int32)),
        {path: np.asarray(each)[None] for path, each in named_weights(network.model).items()},
        predictions_of(predicted, [replica], split, params.surface_resolution),
        None,
    )


@dataclass(frozen=True)
class _Prepared:
    """A network and all that it is given, a remedy done to both where the recipe asks for one.

    parts: inputs and targets as the loss takes them, by name. wanted: inputs whose predictions are kept, by name.
    arguments: further ones of `fit`. change: what the remedy changed, in words; "" where there is none.
    """

    network: Network
    parts: Mapping[str, tuple[Any, Any]]
    wanted: Mapping[str, Any]
    arguments: Mapping[str, Any]
    change: str


def _prepared(
    name: str, recipe: NetworkRecipe, split: Split, wanted: Mapping[str, np.ndarray], seed: int | None = None
) -> _Prepared:
    """Raises: UserError: as `build`; or the remedy cannot be done."""
    with remembering_compile():
        network = build(name, recipe, split.shape, split.task, seed)
        parts = {
            part: (each.inputs.astype(np.float32), network.targets(each.targets)) for part, each in split.parts.items()
        }
        everything = {**parts, **{f"{WANTED}{part}": (inputs, None) for part, inputs in wanted.items()}}
        trial = Trial(network.model, everything, {}, may_rebuild=True)
        change = ""
        if recipe.remedy:
            change = keras_remedies.apply(recipe.remedy, trial)
            network = compiled(trial.model, split.task)
    return _Prepared(
        network,
        {part: trial.parts[part] for part in parts},
        {part: trial.parts[f"{WANTED}{part}"][0] for part in wanted},
        trial.arguments,
        change,
    )


def expect_trainable(name: str, recipe: NetworkRecipe, split: Split) -> None:
    """Build it, take a step, save and load it: what fails then would fail after an hour, too.

    Raises:
        UserError: as `build`; or the model cannot take a step, or be saved and loaded.
        InapplicableError: the recipe's remedy cannot be done; a UserError, too.
    """
    network = _prepared(name, recipe, split, {}).network
    some = {part: type(each)(each.inputs[:8], each.targets[:8]) for part, each in split.parts.items()}
    few = Split(split.task, **some)
    with faults_of(name, "a step of the training"):
        network.model.train_on_batch(few.train.inputs.astype(np.float32), network.targets(few.train.targets))
    expect_savable(name, network, few.train.inputs)


def expect_savable(name: str, network: Network, inputs: np.ndarray) -> None:
    """Raises: UserError: the model is another one when it is saved and loaded."""
    given = inputs.astype(np.float32)
    before = predict(network, given)
    with temporary_folder("model-") as folder, faults_of(name, "saving the model and loading it"):
        network.model.save(folder / "model.keras")
        loaded = keras.saving.load_model(folder / "model.keras", custom_objects=dict(network.classes))
        after = predict(Network(loaded, network.task, network.from_logits, network.one_hot, {}), given)
        if not np.allclose(before, after, rtol=1e-4, atol=1e-5, equal_nan=True):
            raise ValueError("the loaded model predicts something else: get_config or the weights lack a part")


def predict(network: Network, inputs: np.ndarray) -> np.ndarray:
    """float32 [row, output], as the task has predictions."""
    starts = range(0, len(inputs), ROWS_AT_ONCE)
    outputs = [np.asarray(network.model(inputs[start : start + ROWS_AT_ONCE], training=False)) for start in starts]
    return np.asarray(network.predicting(np.concatenate(outputs).astype(np.float32)), np.float32)


def _fit(name: str, prepared: _Prepared, params: TrainingParams, seed: int, callbacks: list[Any]) -> None:
    if params.epochs:
        with faults_of(name, "the training"):
            prepared.network.model.fit(
                batches(prepared.parts["train"], params.batch_size, seed),
                epochs=params.epochs,
                verbose=0,
                shuffle=False,  # the batches are
                callbacks=callbacks,
                **prepared.arguments,
            )


def batches(rows: tuple[Any, Any], size: int, seed: int) -> tf.data.Dataset:
    """Every row once an epoch, in an order drawn anew each time.

    Given arrays and a seed, Keras's `fit` draws one order and keeps it in all epochs; and it makes the batches in
    several threads, which take from each other and from the replicas in other processes more time than they save.
    """
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    every = tf.data.Dataset.from_tensor_slices(rows)
    return every.shuffle(len(rows[1]), seed=seed).batch(size).with_options(options)


class _Strict(Guard):
    """Lets errors out: a record with a gap is none."""

    def __call__(self, what: str) -> AbstractContextManager[None]:
        return nullcontext()


class _Recording(keras.callbacks.Callback):
    """Records each epoch, and those of params.yaml with values by layer: never by the clock."""

    def __init__(self, watching: Watching, params: TrainingParams, on_epoch: OnEpoch) -> None:
        super().__init__()
        self.watching = watching
        self._epochs = params.epochs
        self._on_epoch = on_epoch

    def on_train_begin(self, logs: Any = None) -> None:
        self.watching.begin(is_fresh=True, tests_are_fresh=False)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.watching.epoch_begins(epoch, epoch + 1 == self._epochs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.watching.epoch_ends(epoch, logs or {})
        if epoch == 0:
            self._on_epoch(0, self.watching.recorder.states[0][0])
        self._on_epoch(epoch + 1, self.watching.recorder.states[epoch + 1][0])

    def on_train_end(self, logs: Any = None) -> None:
        self.watching.end()


@contextmanager
def _recording(prepared: _Prepared, task: Task, params: TrainingParams, on_epoch: OnEpoch) -> Iterator[_Recording]:
    parts = {part: Rows.of(inputs, targets, None) for part, (inputs, targets) in prepared.parts.items()}
    options = Options(
        task.kind,
        lambda epoch, is_last: is_recorded(epoch, params),
        max_overhead=None,
        histograms=params.histograms,
        rows=PROBE_ROWS,
        every_curve=True,
    )
    known = Known(parts, Objective(task, prepared.network.from_logits))
    watching = Watching(prepared.network.model, prepared.parts["train"], options, _Strict(), known)
    try:
        yield _Recording(watching, params, on_epoch)
        if not params.epochs:
            watching.record_initial()
    finally:
        watching.end()
