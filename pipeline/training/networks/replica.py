"""One replica of a user's own network: trained by Keras's own `fit` from a derived seed, and recorded.

Passes the door to TensorFlow: only stages use this.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pipeline.foundations.tensorflow import keras, tf  # isort: skip  # the door first: the recorder takes Keras as it is

from pipeline.data.split.samples import Split
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import temporary_folder
from pipeline.foundations.seeds import derived_seed
from pipeline.foundations.untyped import Array, Batch, FitArguments, Logs
from pipeline.history.record import LOGGED_LOSS, curve_text
from pipeline.history.recorded_epochs import is_recorded
from pipeline.params.network_params import NetworkRecipe, file
from pipeline.params.training_params import TrainingParams
from pipeline.recorder.curves import KnownData
from pipeline.recorder.guard import Guard
from pipeline.recorder.probe import Rows
from pipeline.recorder.recorder import Recorder
from pipeline.recorder.scorer import Scorer
from pipeline.recorder.watching import Options, Watching
from pipeline.remedies.on_keras.keras_compile import remembering_compile
from pipeline.remedies.on_keras.keras_remedies import apply
from pipeline.remedies.on_keras.trial import Trial
from pipeline.training.common.train_replicas import Trained, predictions_of
from pipeline.training.common.trainer import places
from pipeline.training.networks.builder import OwnNetwork, build, compiled, faults_of, named_weights

PROBE_ROWS = 1024  # training rows on which layers are measured, evenly from first to last; all where there are fewer
ROWS_AT_ONCE = 1024  # of predictions
PREDICTED = "predicted "  # before the names of what is predicted, where it stands among the parts of the data
OnEpoch = Callable[[int, Mapping[str, float]], None]  # takes the epoch and its curves


def train_replica(
    name: str,
    recipe: NetworkRecipe,
    split: Split,
    params: TrainingParams,
    replica: int,
    on_epoch: OnEpoch = lambda epoch, curves: None,
) -> Trained:
    """Train a replica.

    Args:
        on_epoch: called after each epoch, 0 included.

    Raises:
        UserError: the network cannot be built or trained, or ends its training itself.
    """
    seed = derived_seed(params.seed, replica, "network")
    prepared = _prepared(name, recipe, split, places(split, params.surface_resolution), seed)
    with _recording(prepared, split.task, params, on_epoch) as recording:
        _fit(name, prepared, params, derived_seed(params.seed, replica, "shuffle", name), recording)
    if recording.watching.epoch != params.epochs:
        raise UserError(
            f"{file(name)}: the training ended after {recording.watching.epoch} of {params.epochs} epochs: must not "
            "stop itself, for replicas are compared at equal epochs"
        )
    predictions = {part: predict(prepared.network, inputs)[None] for part, inputs in prepared.predicted.items()}
    return Trained(
        _history(recording.watching, split.task, prepared.change).assign_coords(replica=np.array([replica], np.int32)),
        {path: np.asarray(each)[None] for path, each in named_weights(prepared.network.model).items()},
        predictions_of(predictions, [replica], split, params.surface_resolution),
        None,
    )


def expect_trainable(name: str, recipe: NetworkRecipe, split: Split) -> None:
    """Build the network, take a step, save and load it: a fault is found now, and not after an hour.

    Raises:
        UserError: as `build`; or the model cannot take a step, or be saved and loaded.
        InapplicableError: the recipe's remedy cannot be applied; a UserError, too.
    """
    network = _prepared(name, recipe, split, {}).network
    some = {part: type(each)(each.inputs[:8], each.targets[:8]) for part, each in split.parts.items()}
    few = Split(split.task, **some)
    with faults_of(name, "a step of the training"):
        network.model.train_on_batch(few.train.inputs.astype(np.float32), network.targets(few.train.targets))
    _expect_savable(name, network, few.train.inputs)


def predict(network: OwnNetwork, inputs: Array) -> Array:
    """Return predictions as the task has them, float32 [row, output]."""
    starts = range(0, len(inputs), ROWS_AT_ONCE)
    outputs = [np.asarray(network.model(inputs[start : start + ROWS_AT_ONCE], training=False)) for start in starts]
    return np.asarray(network.predicting(np.concatenate(outputs).astype(np.float32)), np.float32)


def batches(rows: tuple[Batch, Batch], size: int, seed: int) -> tf.data.Dataset:
    """Return batches in which every row comes once an epoch, in an order that is drawn for each epoch.

    Given arrays and a seed, Keras's `fit` draws one order and keeps it in all epochs. And it makes the batches in
    several threads, which take more time from each other and from other processes' replicas than they save.
    """
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    every = tf.data.Dataset.from_tensor_slices(rows)
    return every.shuffle(len(rows[1]), seed=seed).batch(size).with_options(options)


@dataclass(frozen=True)
class _Prepared:
    """A network and all that it gets; both changed by the recipe's remedy, if it has one.

    parts: inputs and targets as the loss takes them, by name. predicted: inputs whose predictions are kept, by name.
    arguments: further ones of `fit`. change: what the remedy changed, in words; "" without a remedy.
    """

    network: OwnNetwork
    parts: Mapping[str, tuple[Batch, Batch]]
    predicted: Mapping[str, Batch]
    arguments: FitArguments
    change: str


def _prepared(
    name: str, recipe: NetworkRecipe, split: Split, predicted: Mapping[str, Array], seed: int | None = None
) -> _Prepared:
    """Raises: UserError: as `build`; or the remedy cannot be applied."""
    with remembering_compile():
        network = build(name, recipe, split.shape, split.task, seed)
        parts = {
            part: (each.inputs.astype(np.float32), network.targets(each.targets)) for part, each in split.parts.items()
        }
        everything = {**parts, **{f"{PREDICTED}{part}": (inputs, None) for part, inputs in predicted.items()}}
        trial = Trial(network.model, everything, {}, may_rebuild=True)
        change = ""
        if recipe.remedy:
            change = apply(recipe.remedy, trial)
            network = compiled(trial.model, split.task)
    return _Prepared(
        network,
        {part: trial.parts[part] for part in parts},
        {part: trial.parts[f"{PREDICTED}{part}"][0] for part in predicted},
        trial.arguments,
        change,
    )


def _expect_savable(name: str, network: OwnNetwork, inputs: Array) -> None:
    """Raises: UserError: the model predicts something else after it is saved and loaded."""
    rows = inputs.astype(np.float32)
    before = predict(network, rows)
    with temporary_folder("model-") as folder, faults_of(name, "saving the model and loading it"):
        network.model.save(folder / "model.keras")
        loaded = keras.saving.load_model(folder / "model.keras", custom_objects=dict(network.classes))
        after = predict(OwnNetwork(loaded, network.task, network.from_logits, network.one_hot, {}), rows)
        if not np.allclose(before, after, rtol=1e-4, atol=1e-5, equal_nan=True):
            raise ValueError("the loaded model predicts something else: get_config or the weights lack a part")


def _fit(name: str, prepared: _Prepared, params: TrainingParams, seed: int, recording: "_Recording") -> None:
    if params.epochs:
        with faults_of(name, "the training"):
            prepared.network.model.fit(
                batches(prepared.parts["train"], params.batch_size, seed),
                epochs=params.epochs,
                verbose=0,
                shuffle=False,  # the batches are shuffled already
                callbacks=[recording],
                **prepared.arguments,
            )


def _history(watching: Watching, task: Task, change: str) -> xr.Dataset:
    """Return the record as a file holds it: of curves, what they mean in the pipeline."""
    history = Recorder.without_logs(watching.history)
    for each in history.data_vars:
        if history[each].dims == ("replica", "epoch") and each != LOGGED_LOSS:
            history[each].attrs["long_name"] = curve_text(str(each), task)
    gpus = [each.name for each in tf.config.list_logical_devices("GPU")]
    if gpus:
        history.attrs["device"] = ", ".join(gpus)
    if change:
        history.attrs["change"] = change
    return history


class _StrictGuard(Guard):
    """Lets errors out, because the pipeline needs whole records."""

    def __call__(self, what: str) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return nullcontext()


class _Recording(keras.callbacks.Callback):
    """Records curves at each epoch, and values by layer at those of params.yaml: never by the clock."""

    def __init__(self, watching: Watching, params: TrainingParams, on_epoch: OnEpoch) -> None:
        super().__init__()
        self.watching = watching
        self._epochs = params.epochs
        self._on_epoch = on_epoch

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Install the hooks."""
        self.watching.begin(is_fresh=True, is_test_fresh=False)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Decide whether the epoch is recorded."""
        self.watching.epoch_begins(epoch, epoch + 1 == self._epochs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Measure, and report the curves."""
        self.watching.epoch_ends(epoch, logs or {})
        if epoch == 0:
            self._on_epoch(0, self.watching.recorder.states[0].curves)
        self._on_epoch(epoch + 1, self.watching.recorder.states[epoch + 1].curves)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Remove the hooks."""
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
        has_every_curve=True,
    )
    known = KnownData(parts, Scorer(task, prepared.network.from_logits))
    watching = Watching(prepared.network.model, prepared.parts["train"], options, _StrictGuard(), known)
    try:
        yield _Recording(watching, params, on_epoch)
        if not params.epochs:
            watching.record_initial()
    finally:
        watching.end()
