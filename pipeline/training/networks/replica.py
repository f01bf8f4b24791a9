"""Train one replica of a user's own network by Keras's own `fit` from a derived seed, and record the training.

Imports TensorFlow with the settings of `foundations.tensorflow`: only stages may import this.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pipeline.foundations.tensorflow import keras, tf  # isort: skip  # its settings must come before Keras

from pipeline.data.split.samples import Split
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import temporary_folder
from pipeline.foundations.seeds import derived_seed
from pipeline.foundations.untyped import Array, Batch, FitKeywords, Logs
from pipeline.history.record import LOGGED_LOSS, curve_text
from pipeline.history.recorded_epochs import is_recorded
from pipeline.params.network_params import NetworkRecipe, file
from pipeline.params.training_params import TrainingParams
from pipeline.recorder.curves import KnownData
from pipeline.recorder.guard import Guard
from pipeline.recorder.probe import Rows
from pipeline.recorder.recorder import Recorder
from pipeline.recorder.scorer import Scorer
from pipeline.recorder.watch_options import Options
from pipeline.recorder.watching import Watching
from pipeline.remedies.on_keras.keras_compile import remembering_compile
from pipeline.remedies.on_keras.keras_remedies import apply
from pipeline.remedies.on_keras.trial import Trial
from pipeline.training.common.train_replicas import Trained, predictions_of
from pipeline.training.common.trainer import OnEpoch, prediction_inputs
from pipeline.training.networks.builder import OwnNetwork, build, named_weights, own_network, report_faults

PROBE_ROWS = 1024  # training rows on which layers are measured, evenly spaced; all rows if there are fewer
ROWS_AT_ONCE = 1024  # rows to predict in one call
PREDICTED = "predicted "  # prefix that tells the rows to predict from the parts of the data in one mapping


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
        on_epoch: called after each epoch, including epoch 0.

    Raises:
        UserError: the network cannot be built or trained, or its training stops early.
    """
    seed = derived_seed(params.seed, replica, "network")
    prepared = _prepare(name, recipe, split, prediction_inputs(split, params.surface_resolution), seed)
    with _recording(prepared, split.task, params, on_epoch) as recording:
        _fit(name, prepared, params, derived_seed(params.seed, replica, "shuffle", name), recording)
    if recording.watching.epoch != params.epochs:
        raise UserError(
            f"{file(name)}: the training ended after {recording.watching.epoch} of {params.epochs} epochs: "
            "remove EarlyStopping or `stop_training`: replicas are compared at equal epochs"
        )
    predictions = {part: predict(prepared.network, inputs)[None] for part, inputs in prepared.predicted.items()}
    return Trained(
        _history(recording.watching, split.task, prepared.change).assign_coords(replica=np.array([replica], np.int32)),
        {path: np.asarray(each)[None] for path, each in named_weights(prepared.network.model).items()},
        predictions_of(predictions, [replica], split, params.surface_resolution),
        None,
    )


def expect_trainable(name: str, recipe: NetworkRecipe, split: Split) -> None:
    """Check that a network can be built, take a step, and be saved and loaded, before any long training.

    Raises:
        UserError: see `build`; or the model cannot take a step, or be saved and loaded.
        InapplicableError: the recipe's remedy cannot be applied; this is a UserError, too.
    """
    network = _prepare(name, recipe, split, {}).network
    first_rows = {part: type(each)(each.inputs[:8], each.targets[:8]) for part, each in split.parts.items()}
    small = Split(split.task, **first_rows)
    with report_faults(name, "a step of the training"):
        network.model.train_on_batch(small.train.inputs.astype(np.float32), network.targets(small.train.targets))
    _expect_savable(name, network, small.train.inputs)


def predict(network: OwnNetwork, inputs: Array) -> Array:
    """Return the task's predictions (probabilities or values), float32 [row, output]."""
    starts = range(0, len(inputs), ROWS_AT_ONCE)
    outputs = [np.asarray(network.model(inputs[start : start + ROWS_AT_ONCE], training=False)) for start in starts]
    return np.asarray(network.predictions(np.concatenate(outputs).astype(np.float32)), np.float32)


def batches(rows: tuple[Batch, Batch], size: int, seed: int) -> tf.data.Dataset:
    """Return batches that contain every row once per epoch, in a new order in each epoch.

    With arrays and a seed, Keras's `fit` would draw one order and keep it in all epochs. It would also make the batches
    in several threads, which slow down each other and other processes' replicas by more time than they save.
    """
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    dataset = tf.data.Dataset.from_tensor_slices(rows)
    return dataset.shuffle(len(rows[1]), seed=seed).batch(size).with_options(options)


@dataclass(frozen=True)
class _Prepared:
    """A network with its data and arguments, after the recipe's remedy is applied.

    parts: the inputs and the loss's targets of each part of the data, by part name.
    predicted: the inputs to predict, by name.
    arguments: further arguments of `fit`.
    change: a description of the remedy's changes; "" without a remedy.
    """

    network: OwnNetwork
    parts: Mapping[str, tuple[Batch, Batch]]
    predicted: Mapping[str, Batch]
    arguments: FitKeywords
    change: str


def _prepare(
    name: str, recipe: NetworkRecipe, split: Split, predicted: Mapping[str, Array], seed: int | None = None
) -> _Prepared:
    """Build the network and its data, and apply the recipe's remedy.

    Args:
        predicted: the inputs to predict, by name.

    Raises:
        UserError: see `build`; or the remedy cannot be applied.
    """
    with remembering_compile():
        network = build(name, recipe, split.shape, split.task, seed)
        parts = {
            part: (each.inputs.astype(np.float32), network.targets(each.targets)) for part, each in split.parts.items()
        }
        arrays = {**parts, **{f"{PREDICTED}{part}": (inputs, None) for part, inputs in predicted.items()}}
        trial = Trial(network.model, arrays, {}, may_rebuild=True)
        change = ""
        if recipe.remedy:
            change = apply(recipe.remedy, trial)
            network = own_network(trial.model, split.task)
    return _Prepared(
        network,
        {part: trial.parts[part] for part in parts},
        {part: trial.parts[f"{PREDICTED}{part}"][0] for part in predicted},
        trial.arguments,
        change,
    )


def _expect_savable(name: str, network: OwnNetwork, inputs: Array) -> None:
    """Check that a model gives the same predictions after it is saved and loaded.

    Raises:
        UserError: the predictions differ, or saving or loading fails.
    """
    rows = inputs.astype(np.float32)
    before = predict(network, rows)
    with temporary_folder("model-") as folder, report_faults(name, "saving the model and loading it"):
        network.model.save(folder / "model.keras")
        loaded = keras.saving.load_model(folder / "model.keras", custom_objects=dict(network.classes))
        after = predict(OwnNetwork(loaded, network.task, network.from_logits, network.one_hot, {}), rows)
        if not np.allclose(before, after, rtol=1e-4, atol=1e-5, equal_nan=True):
            raise ValueError(
                "the loaded model gives other predictions: get_config must return all arguments, and saving must "
                "include all weights"
            )


def _fit(name: str, prepared: _Prepared, params: TrainingParams, seed: int, recording: "_Recording") -> None:
    if params.epochs:
        with report_faults(name, "the training"):
            prepared.network.model.fit(
                batches(prepared.parts["train"], params.batch_size, seed),
                epochs=params.epochs,
                verbose=0,
                shuffle=False,  # the batches are shuffled already
                callbacks=[recording],
                **prepared.arguments,
            )


def _history(watching: Watching, task: Task, change: str) -> xr.Dataset:
    """Return the record of a finished training, with the pipeline's description of each curve."""
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
    """Raises errors instead of logging them, because the pipeline needs complete records."""

    def __call__(self, what: str) -> AbstractContextManager[None]:
        """Return a context that does not catch errors."""
        return nullcontext()


class _Recording(keras.callbacks.Callback):
    """Records curves at each epoch, and layer values at the epochs that params.yaml selects; no time budget applies."""

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
        """Measure the model, and report the curves."""
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
