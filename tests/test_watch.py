"""The callback on models of every kind: it changes nothing, it records what the pipeline records, it leaves nothing."""

import copy
import json
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import xarray as xr
from watched_models import KINDS, Kind, dense, points, tiny

from pipeline import Diagnosis, UserError, autolog, diagnose
from pipeline.data.split.tasks import Task
from pipeline.diagnosis import evidence
from pipeline.history import record, scales
from pipeline.recorder.guard import Guard
from pipeline.recorder.input_facts import of_kind
from pipeline.recorder.layers import has_modes
from pipeline.recorder.probe import Rows
from pipeline.watch.page import document, figures_of

pytestmark = pytest.mark.usefixtures("quick_models_once")

PARTS = ("train", "validation")
TINY = Kind(tiny, validated=False)
EAGER = Kind(lambda: tiny(run_eagerly=True), validated=False)  # where a graph, which takes longest, is not looked at
# Where the probe is a batch of `fit`: one of each way in which a model gets its rows. Only so: what comes to a probe in
# no other way once its rows are there.
ONLY_CAPTURED = ("own training step, data set", "embedding and LSTM, masked", "MobileNetV2")
CAPTURED = ("several inputs and outputs", "XLA", *ONLY_CAPTURED)
SELDOM = ("MobileNetV2",)  # takes longest; `pytest -m campaign`
CASES = [
    pytest.param(name, given, id=f"{name}, {rows}", marks=pytest.mark.campaign if name in SELDOM else ())
    for rows, given in (("given rows", True), ("captured rows", False))
    for name in KINDS
    if name in CAPTURED or given
    if name not in ONLY_CAPTURED or not given
]


@pytest.fixture(scope="module", autouse=True)
def models_of_this_file() -> Iterator[None]:
    """Let them go when the last test has ended."""
    yield
    for cached in (plain, watched, stateful_plain):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def without_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """No MLflow, and names that count from the first."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    keras.utils.clear_session(free_memory=False)  # Python frees it as it grows; to look for it takes a second


def fitted(kind: Kind, *callbacks: keras.callbacks.Callback, **changes: Any) -> list[np.ndarray]:
    """All weights after a training from one seed, the optimizer's among them."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    model, inputs, targets = kind.make()
    if not callbacks and model.built:  # or Keras traces the step a second time, now that the optimizer is built
        model.optimizer.build(model.trainable_variables)
    # Keras warns where what gives batches itself is to be shuffled, which `fit` asks for by default.
    batch = {"shuffle": False} if targets is None else {"batch_size": 16}
    held = {"validation_data": (inputs, targets)} if callbacks and kind.validated else {}  # changes no weight either
    arguments = {"epochs": kind.epochs, "verbose": 0, "callbacks": list(callbacks), **batch, **held, **kind.fit}
    model.fit(inputs, targets, **arguments | changes)
    return [np.asarray(each) for each in [*model.variables, *model.optimizer.variables]]


@cache
def plain(name: str) -> list[np.ndarray]:
    """The weights without the callback."""
    return fitted(KINDS[name])


@cache
def watched(name: str, given: bool) -> tuple[list[np.ndarray], Diagnosis]:
    """The weights with it, and what it saw."""
    kind = KINDS[name]
    diagnosis = Diagnosis(*rows_of(kind) if given else (), **kind.watch)
    return fitted(kind, diagnosis), diagnosis


def rows_of(kind: Kind) -> tuple[Any, Any]:
    """What can be given to the callback: arrays, or the points where a data set gives batches."""
    _, inputs, targets = kind.make()
    return points() if targets is None else (inputs, targets)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "given"), CASES)
def test_weights_are_the_same_with_and_without_it(name: str, given: bool) -> None:
    found, diagnosis = watched(name, given)
    assert all(before.tobytes() == after.tobytes() for before, after in zip(plain(name), found, strict=True))
    history = diagnosis.history
    assert history.sizes["recorded_epoch"] == 1 + KINDS[name].epochs
    taken = history.gradient_mean_abs.isel(replica=0, recorded_epoch=slice(1, None))
    assert np.isfinite(taken).all()
    assert (taken > 0).any("layer").all()
    compiles = diagnosis.watching._model.jit_compile
    if given or not compiles:
        assert np.isfinite(history.probe_gradient_mean_abs).all()
        assert not [note for note in diagnosis.verdict.notes if "could not" in note]
    else:
        assert [note for note in diagnosis.verdict.notes if "jit_compile" in note]
    model = diagnosis.watching._model
    assert "train_step" not in vars(model)
    assert "test_step" not in vars(model)
    assert "compute_loss" not in vars(model)
    assert not hasattr(model.train_function, "diagnosed")
    assert "apply" not in vars(model.optimizer)
    assert "apply" not in vars(getattr(model.optimizer, "inner_optimizer", model.optimizer))
    for layer in model._flatten_layers():
        assert "call" not in vars(layer)


@pytest.mark.slow
def test_a_record_is_the_pipelines_own_and_can_be_diagnosed() -> None:
    _, diagnosis = watched("sequential", True)
    history = diagnosis.history
    for name, dims in {**record.REQUIRED, **record.OPTIONAL}.items():
        if name in history:
            assert history[name].dims == dims
    assert len(diagnose(history)) == 1
    assert [*history.path.values] == ["sequential/dense", "sequential/dense_1", "sequential/dense_2"]
    assert [*history.role.values] == ["hidden", "hidden", "output"]
    assert record.parts_of(history) == ["train", "validation"]


@pytest.mark.slow
def test_what_goes_around_a_layer_is_seen() -> None:
    table = watched("functional", True)[1].history
    found = dict(zip(table.path.values.tolist(), table.bypassed.values.tolist(), strict=True))
    assert found["dense"] == 0
    assert found["dense_1"] == found["dense_2"] == 1
    assert found["dense_3"] == 0
    assert [*table.role.values] == ["hidden", "hidden", "beside", "hidden", "beside", "output"]


@pytest.mark.slow
def test_every_cell_of_a_recurrent_layer_is_measured_through_time() -> None:
    table = watched("recurrent", True)[1].history
    measured = table.path.values[table.has_activation.values == 1].tolist()
    assert [path.split("/")[-1] for path in measured] == ["simple_rnn_cell", "simple_rnn_cell", "gru_cell"]


@pytest.mark.slow
def test_a_record_and_a_page_show_recurrent_layers_by_time_step(tmp_path: Path) -> None:
    _, diagnosis = watched("recurrent everywhere", True)
    history = diagnosis.history
    paths = [path.removesuffix("_cell").split("/")[-1] for path in history.recurrent_path.values]
    assert sorted(paths) == ["lstm", "lstm_cell (call 2)", "simple_rnn"]
    assert history.gradient_by_time.dims == ("replica", "recorded_epoch", "recurrent", "time")
    norms = history.gradient_norm_by_time.isel(replica=0, recurrent=paths.index("lstm"))
    assert np.isnan(norms.sel(time=1)).all()  # masked steps are left out: each row has two steps and ends at the last
    assert (norms.sel(time=[2, 3]) > 0).all()
    diagnosis.report(tmp_path / "why.html")
    text = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert "How far back does the gradient reach?" in text
    assert text.count("data:image/png") == 3


@pytest.mark.slow
def test_several_fits_continue_one_record() -> None:
    model, inputs, labels = tiny()
    diagnosis = Diagnosis(inputs, labels)
    model.fit(inputs, labels, epochs=2, verbose=0, callbacks=[diagnosis])
    model.fit(inputs, labels, initial_epoch=2, epochs=4, verbose=0, callbacks=[diagnosis])
    model.fit(inputs, labels, epochs=1, verbose=0, callbacks=[diagnosis])
    assert diagnosis.history.epoch.values.tolist() == [0, 1, 2, 3, 4, 5]
    assert np.isfinite(diagnosis.history.gradient_norm.values[0, 1:]).all()


@pytest.mark.slow
def test_a_model_that_was_trained_before_is_never_traced_anew() -> None:
    model, inputs, labels = tiny()
    model.fit(inputs, labels, epochs=1, verbose=0)
    function = model.train_function
    diagnosis = Diagnosis(inputs, labels)
    model.fit(inputs, labels, epochs=2, verbose=0, callbacks=[diagnosis])
    assert model.train_function is function
    assert "gradient_mean_abs" not in diagnosis.history
    assert np.isfinite(diagnosis.history.probe_gradient_mean_abs).all()
    assert any("trained before without Diagnosis" in note for note in diagnosis.verdict.notes)


class Fails(keras.callbacks.Callback):
    """Ends a training in its second epoch."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Not before."""
        if epoch == 1:
            raise self._error


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("of the user's")], ids=["Ctrl-C", "error"])
def test_everything_is_restored_however_fit_ends(error: BaseException) -> None:
    model, inputs, labels = tiny()
    diagnosis = Diagnosis(inputs, labels)
    with pytest.raises(type(error)) as raised:
        model.fit(inputs, labels, epochs=3, verbose=0, callbacks=[diagnosis, Fails(error)])
    assert raised.value is error
    del raised
    error.__traceback__ = None  # pytest keeps it; a program's own handler lets it go at its end
    assert not hasattr(model.train_function, "diagnosed")
    assert "apply" not in vars(model.optimizer)
    assert diagnosis.history.epoch.values.tolist() == [0, 1]
    assert "after 1 epoch (" in str(diagnosis.verdict)


@pytest.mark.slow
def test_what_fails_in_the_watching_stays_there(caplog: pytest.LogCaptureFixture) -> None:
    diagnosis = Diagnosis(np.zeros((5, 7), "float32"), np.zeros(5, "int32"))  # rows that do not fit the model
    found = fitted(KINDS["sequential"], diagnosis)
    assert all(before.tobytes() == after.tobytes() for before, after in zip(plain("sequential"), found, strict=True))
    assert len([line for line in caplog.messages if "the probe" in line]) == 1
    assert diagnosis.outcome is None
    assert np.isfinite(diagnosis.history.gradient_mean_abs.values[0, 1:]).all()


@pytest.mark.slow
def test_beside_keras_own_callbacks(tmp_path: Path) -> None:
    model, inputs, labels = dense()
    diagnosis = Diagnosis()
    others = [
        keras.callbacks.EarlyStopping("loss", patience=0, min_delta=10, restore_best_weights=True),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras"),
        keras.callbacks.BackupAndRestore(tmp_path / "backup"),
        keras.callbacks.TensorBoard(tmp_path / "logs"),
    ]
    model.fit(inputs, labels, epochs=9, verbose=0, callbacks=[*others, diagnosis])
    assert diagnosis.history.epoch.values[-1] < 9
    keras.models.load_model(tmp_path / "best.keras")
    assert not diagnosis.verdict.notes


@pytest.mark.slow
def test_a_network_that_dies_is_said_to_be_dead_and_can_be_stopped() -> None:
    inputs, labels = points()
    hidden = [keras.layers.Dense(4, "relu", bias_initializer=keras.initializers.Constant(-50)) for _ in range(2)]
    model = keras.Sequential([keras.Input((2,)), *hidden, keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    diagnosis = Diagnosis(inputs, labels, stop_when_hopeless=True, hopeless_epochs=2, max_overhead=10)
    model.fit(inputs, labels, epochs=20, verbose=0, callbacks=[diagnosis])
    assert (diagnosis.outcome, diagnosis.cause) == ("not_learned", "born_dead")
    assert diagnosis.evidence["dead_layer"] == "sequential/dense"
    assert diagnosis.history.epoch.values[-1] == 2
    assert "What to try: `leaky_relu`" in str(diagnosis.verdict)


@pytest.mark.slow
def test_a_score_that_is_none_of_the_tasks_is_said_and_the_usual_rule_judges() -> None:
    """Four labels at one sigmoid unit can be judged as numbers alone."""
    inputs, _ = points()
    labels = np.arange(len(inputs)) % 4
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy", run_eagerly=True)
    diagnosis = Diagnosis(inputs, labels, learned={"accuracy": 0.9})
    model.fit(inputs, labels, epochs=2, verbose=0, callbacks=[diagnosis])
    assert (diagnosis.outcome, diagnosis.cause) == ("not_learned", "output_mismatch")
    (note,) = diagnosis.verdict.notes
    assert note.startswith("learned: accuracy: must be one of r2")
    assert re.search(r"; judged by R² above 0\.[0-9]+ instead$", note)  # lower than 0.5: the rows are few and noisy


@pytest.mark.slow
@pytest.mark.parametrize("known", [keras.losses.binary_crossentropy, keras.losses.categorical_crossentropy])
@pytest.mark.parametrize("swapped", [True, False])
def test_the_arguments_of_a_loss_of_the_users_own_are_looked_at(known: Callable, swapped: bool) -> None:
    inputs, labels = points()
    several = known is keras.losses.categorical_crossentropy
    targets = np.eye(2)[labels.astype(int).reshape(-1)] if several else labels.reshape(-1, 1).astype("float32")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "softmax")])
    if not several:
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    own = (lambda a, b: known(b, a)) if swapped else (lambda a, b: known(a, b))
    model.compile(keras.optimizers.SGD(1e-6), own, run_eagerly=True)
    diagnosis = Diagnosis(inputs, targets, learned=0.999)
    model.fit(inputs, targets, epochs=2, verbose=0, callbacks=[diagnosis])
    assert (diagnosis.cause == "output_mismatch") == swapped
    assert ("arguments are swapped" in str(diagnosis.verdict)) == swapped


def half_a_cross_entropy(targets: Any, outputs: Any) -> Any:
    return -keras.ops.mean(targets * keras.ops.log(outputs + 1e-7), axis=-1)


def its_sign_is_wrong(targets: Any, outputs: Any) -> Any:
    return -keras.ops.mean(keras.ops.square(targets - outputs), axis=-1)


def weighted(targets: Any, outputs: Any) -> Any:
    """Three times the weight where the target is 1."""
    return keras.losses.binary_crossentropy(targets, outputs) * (1 + 2 * targets[:, 0])


def of_logits(targets: Any, outputs: Any) -> Any:
    return keras.losses.binary_crossentropy(targets, outputs, from_logits=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "activation", "fits"),
    [
        (half_a_cross_entropy, "sigmoid", False),
        (its_sign_is_wrong, "linear", False),
        (its_sign_is_wrong, "sigmoid", False),
        (weighted, "sigmoid", True),
        (of_logits, "linear", True),
        (keras.losses.log_cosh, "linear", True),
        (keras.losses.binary_focal_crossentropy, "sigmoid", True),
        (keras.losses.dice, "sigmoid", True),
    ],
)
def test_a_loss_of_the_users_own_must_be_least_where_outputs_are_right(
    loss: Callable, activation: str, fits: bool
) -> None:
    inputs, labels = points()
    targets = labels.reshape(-1, 1).astype("float32")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation)])
    model.compile(keras.optimizers.SGD(1e-6), lambda given, outputs: loss(given, outputs), run_eagerly=True)
    diagnosis = Diagnosis(inputs, targets, learned=0.999)
    model.fit(inputs, targets, epochs=2, verbose=0, callbacks=[diagnosis])
    assert ("no smaller where outputs are right" in str(diagnosis.verdict)) != fits
    assert (diagnosis.cause == "output_mismatch") != fits


class Squares(keras.losses.Loss):
    """Of the users own; `squeezes` says whether it takes targets without a last dimension."""

    def __init__(self, squeezes: bool) -> None:
        super().__init__()
        self.squeezes = squeezes

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Squares of all differences between targets and outputs, unless it squeezes."""
        return keras.ops.square(y_true - (keras.ops.squeeze(y_pred, -1) if self.squeezes else y_pred))


class Squared(keras.Sequential):
    """With the same loss as a method."""

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *more: Any, **others: Any) -> Any:
        """Of all pairs."""
        return keras.ops.mean(keras.ops.square(y - y_pred))


class SequentialWithOwnStep(keras.Sequential):
    """With the same loss in a training step of its own; `axis` is what it squeezes of the outputs."""

    axis: int | None = None

    def train_step(self, data: Any) -> dict[str, Any]:
        """Of all pairs, unless it squeezes."""
        inputs, targets = data
        with tf.GradientTape() as tape:
            outputs = self(inputs, training=True)
            loss = tf.reduce_mean((targets - (outputs if self.axis is None else tf.squeeze(outputs, self.axis))) ** 2)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"loss": loss}


class OwnSqueezingStep(SequentialWithOwnStep):
    """As it should be."""

    axis = -1


class RadialStep(OwnSqueezingStep):
    """With differences (row, center) within."""

    def call(self, inputs: Any, training: Any = None) -> Any:
        """Of a first input and seven centers."""
        signal = tf.linspace(-1.0, 1.0, 7) - inputs[:, :1]
        return super().call(inputs, training=training) + tf.reduce_mean(signal, axis=1, keepdims=True)


class Negated(keras.losses.Loss):
    """With the wrong sign."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Greatest where outputs are right."""
        return -keras.ops.square(y_true - y_pred)


@pytest.mark.parametrize(
    ("kind", "loss", "columns", "said"),
    [
        (keras.Sequential, Squares(squeezes=False), False, "each output against all targets"),
        (keras.Sequential, Squares(squeezes=True), False, ""),
        (keras.Sequential, Squares(squeezes=False), True, ""),
        (keras.Sequential, lambda targets, outputs: keras.ops.square(targets - outputs), False, ""),  # Keras adapts it
        (keras.Sequential, keras.losses.MeanSquaredError(), False, ""),
        (keras.Sequential, Negated(), True, "no smaller where outputs are right"),
        (Squared, None, False, "each output against all targets"),
        (Squared, None, True, ""),
        (SequentialWithOwnStep, "mse", False, "each output against all targets"),
        (SequentialWithOwnStep, "mse", True, ""),
        (OwnSqueezingStep, "mse", False, ""),
        (RadialStep, "mse", False, ""),
    ],
)
def test_a_loss_of_any_form_is_looked_at_with_targets_as_they_are_given(
    kind: type[keras.Model], loss: Any, columns: bool, said: str
) -> None:
    inputs, _ = points()
    targets = inputs.sum(axis=1, keepdims=columns)
    model = kind([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", loss)
    diagnosis = Diagnosis(inputs, targets, learned=0.999, task="regression")
    model.fit(inputs, targets, epochs=1, verbose=0, callbacks=[diagnosis])
    assert (diagnosis.cause == "output_mismatch") == bool(said)
    assert said in str(diagnosis.verdict)
    assert not diagnosis.verdict.notes


def stateful(batch: int = 8) -> Kind:
    """A recurrent layer that carries its states, whose batches have a fixed size."""

    def make() -> tuple[keras.Model, Any, Any]:
        lstm = keras.layers.LSTM(4, stateful=True)
        model = keras.Sequential([keras.Input((3, 1), batch_size=batch), lstm, keras.layers.Dense(1, "sigmoid")])
        model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
        inputs = np.random.default_rng(0).normal(size=(5 * batch, 3, 1)).astype("float32")
        return model, inputs, (inputs.sum(axis=(1, 2)) > 0).astype("int32")

    # Not validated: Keras's own validation changes the states that the next epoch begins with.
    return Kind(make, {"batch_size": batch, "shuffle": False}, validated=False)


@cache
def stateful_plain() -> list[np.ndarray]:
    """Return the weights of the stateful model without the callback."""
    return fitted(stateful())


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1024, 20])
def test_a_stateful_model_is_probed_by_its_own_batches_on_copies_of_its_states(rows: int) -> None:
    kind = stateful()
    _, inputs, targets = kind.make()
    diagnosis = Diagnosis(inputs, targets, rows=rows, max_overhead=100)
    found = fitted(kind, diagnosis)
    assert all(before.tobytes() == after.tobytes() for before, after in zip(stateful_plain(), found, strict=True))
    assert diagnosis.outcome is not None
    assert not diagnosis.verdict.notes
    watching = diagnosis.watching
    lstm = watching._model.layers[0]
    before = [np.asarray(each) for each in lstm.states]
    size = min(rows, len(inputs)) // 8 * 8
    loss = diagnosis.history.train_loss.values[0, -1]
    probe, rows = watching._measured.probe, watching._measured.probe_rows.rows
    assert rows.size == size
    assert probe.evaluate(probe.state(), rows).loss == pytest.approx(loss)
    assert all((old == np.asarray(new)).all() for old, new in zip(before, lstm.states, strict=True))
    lstm.reset_states()
    outputs = [watching._model(inputs[start : start + 8]) for start in range(0, size, 8)]
    losses = keras.losses.binary_crossentropy(targets[:size, None], np.concatenate(outputs))
    assert float(np.mean(losses)) == pytest.approx(loss, rel=1e-5)


@pytest.mark.slow
def test_too_few_rows_for_one_batch_are_said_without_colours(caplog: pytest.LogCaptureFixture) -> None:
    kind = stateful()
    _, inputs, targets = kind.make()
    diagnosis = Diagnosis(inputs[:7], targets[:7])
    fitted(kind, diagnosis)
    assert any("7 rows: must be at least 8, the model's batch size" in line for line in caplog.messages)
    guard = Guard()
    with guard("this"):
        raise ValueError("\x1b[1mexpected\x1b[0m batch size")
    assert guard.notes == ["could not this: ValueError: expected batch size"]


def modes(*hidden: keras.layers.Layer, **compiling: Any) -> keras.Model:
    """Of two inputs."""
    model = keras.Sequential([keras.Input((2,)), *hidden, keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", **compiling)
    return model


class OwnNoise(keras.layers.Layer):
    """In training mode alone."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Twice the signal."""
        return 2 * inputs if training else inputs


class HandedOn(keras.layers.Layer):
    """Hands the mode on to a layer that has none."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = keras.layers.Dense(4)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """As the layer within."""
        return self.inner(inputs, training=training)


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [
        (lambda: keras.layers.Dense(4, "relu"), False),
        (lambda: keras.layers.LSTM(4), False),
        (lambda: keras.layers.Dropout(0.0), False),
        (HandedOn, False),
        (lambda: keras.layers.Lambda(lambda signal: 2 * signal), False),
        (keras.layers.BatchNormalization, True),
        (lambda: keras.layers.Dropout(0.5), True),
        (lambda: keras.layers.GaussianNoise(0.1), True),
        (lambda: keras.layers.LSTM(4, recurrent_dropout=0.1), True),
        (lambda: keras.layers.RandomFlip(), True),
        (OwnNoise, True),
        (lambda: keras.Sequential([keras.layers.Dense(4), keras.layers.Dropout(0.5)]), True),
    ],
)
def test_a_layer_that_works_differently_in_training_mode_is_known(hidden: Callable, expected: bool) -> None:
    assert has_modes(keras.Sequential([hidden()])) == expected


BY_CLASS = tuple(values[np.argsort(points()[1])] for values in points())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "alike", "given"),
    [
        *(
            (*case, given)
            for given in (True, False)
            for case in (
                ({}, 1),
                ({"sample_weight": np.ones(96)}, 1),
                ({"sample_weight": np.full(96, 0.1)}, 0),
                ({"class_weight": {0: 0.1, 1: 0.1}}, 0),
                ({"validation_split": 0.25}, 0),
                ({"x": BY_CLASS[0], "y": BY_CLASS[1], "shuffle": False}, 0),
            )
        ),
        # Captured rows are those of `fit`, whatever their values.
        ({"x": 3 + points()[0]}, 0, True),
        ({"y": 1 - points()[1]}, 0, True),
        ({"x": BY_CLASS[0], "y": BY_CLASS[1]}, 1, True),
    ],
)
def test_the_logged_loss_counts_only_of_the_rows_of_the_record_without_weights(
    changes: dict, alike: int, given: bool
) -> None:
    inputs, labels = points()
    model = modes(keras.layers.Dropout(0.5), run_eagerly=bool(changes))
    diagnosis = Diagnosis(inputs, labels) if given else Diagnosis()
    model.fit(**{"x": inputs, "y": labels, "epochs": 1, "verbose": 0, "callbacks": [diagnosis], **changes})
    history = diagnosis.history
    are_those_of_fit = not given and not {"sample_weight", "class_weight", "shuffle"} & set(changes)
    assert history.has_modes.item() == 1
    assert history.logged_alike.item() == (1 if are_those_of_fit else alike)
    assert (diagnosis.evidence["logged_fit"] is None) != history.logged_alike.item()


@pytest.mark.slow
def test_two_dense_layers_with_small_weights_of_rows_have_no_batch_statistics() -> None:
    inputs, labels = points(400)
    for weights in ({"sample_weight": np.full(400, 0.1)}, {"class_weight": {0: 0.1, 1: 0.1}}):
        model = modes(keras.layers.Dense(4, "relu"), run_eagerly=True)
        diagnosis = Diagnosis(inputs, labels, learned=0.999)
        model.fit(inputs, labels, epochs=2, verbose=0, callbacks=[diagnosis], **weights)
        assert diagnosis.cause not in (None, "batch_statistics")


@pytest.mark.slow
def test_a_table_with_a_wide_column_is_told_to_scale_it() -> None:
    random = np.random.default_rng(0)
    inputs = (random.normal(size=(120, 5)) * [1, 1, 1, 1, 5000]).astype("float32")
    labels = (inputs[:, 0] > 0).astype("int32")
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.SGD(1e-4), "binary_crossentropy", run_eagerly=True)
    diagnosis = Diagnosis(inputs, labels, learned=0.999)
    model.fit(inputs, labels, epochs=1, verbose=0, callbacks=[diagnosis])
    assert diagnosis.cause == "unscaled_inputs"
    assert diagnosis.verdict.tries[0].startswith("scale inputs to mean 0")
    assert "pixels" not in str(diagnosis.verdict)


@pytest.mark.parametrize("columns", [2, 4])
def test_of_two_middle_columns_the_narrower_is_typical(columns: int) -> None:
    """So that a column can be any number of decades wider than a single other one."""
    wide = np.array([*[1.0] * (columns // 2), *[10**3.5] * (columns // 2)])
    found = scales.of_inputs(np.random.default_rng(0).normal(size=(900, columns)) * wide)
    assert found["input_decades"] == pytest.approx(3.5, abs=0.05)


COUNTS = np.random.default_rng(0).poisson(3, (9, 100)).astype("float32")
PIXELS = np.random.default_rng(0).integers(0, 256, (9, 28, 28))


@pytest.mark.parametrize(
    ("kind", "layer", "inputs"),
    [
        ("table", lambda: keras.layers.Dense(2), points()[0]),
        (
            "table",
            lambda: keras.layers.Dense(2),
            np.random.default_rng(0).poisson(3, (9, 100)).astype("float32"),
        ),  # counts
        ("pictures", lambda: keras.layers.Flatten(), PIXELS),
        ("pictures", lambda: keras.layers.Dense(2), PIXELS.reshape(9, -1).astype("float32")),
        ("pictures", lambda: keras.layers.Conv2D(2, 3), PIXELS[..., None] / 255),
        ("sequences", lambda: keras.layers.LSTM(2), PIXELS / 255),
        ("ids", lambda: keras.layers.Embedding(20, 4), np.arange(20).reshape(4, 5)),
        ("other", lambda: keras.layers.Flatten(), PIXELS / 255),
        ("other", lambda: keras.layers.Dense(2), [points()[0], PIXELS]),
    ],
)
def test_the_kind_of_inputs_is_known(kind: str, layer: Callable[[], keras.layers.Layer], inputs: Any) -> None:
    found = of_kind(keras.Sequential([layer()]), Rows(inputs, None, None))
    assert record.INPUT_KINDS[int(found["input_kind"])] == kind


@pytest.mark.slow
def test_several_labels_a_row_and_a_softmax_do_not_fit() -> None:
    inputs, labels = points()
    several = np.stack([labels.reshape(-1), inputs[:, 0] > 0, inputs[:, 1] > 0], axis=1).astype("float32")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy", run_eagerly=True)
    diagnosis = Diagnosis(inputs, several, learned=0.999)
    model.fit(inputs, several, epochs=2, verbose=0, callbacks=[diagnosis])
    assert diagnosis.cause == "output_mismatch"
    assert "several labels per row" in str(diagnosis.verdict)


@pytest.mark.slow
def test_labels_of_other_rows_are_said_to_be_unrelated_without_held_out_rows() -> None:
    inputs, labels = points(200)
    random = np.random.default_rng(0)
    for rows, unrelated in ((np.arange(len(labels)), False), (random.permutation(len(labels)), True)):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
        model.compile("sgd", "binary_crossentropy", run_eagerly=True)
        diagnosis = Diagnosis(inputs, labels[rows], learned=0.999)
        model.fit(inputs, labels[rows], epochs=2, verbose=0, callbacks=[diagnosis])
        assert (diagnosis.cause == "unrelated_labels") == unrelated


@pytest.mark.slow
def test_targets_that_only_fill_a_place_are_no_classes() -> None:
    """As where a loss of the user's own looks at the outputs alone."""
    inputs, _ = points()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", lambda targets, outputs: keras.ops.square(outputs), run_eagerly=True)
    nothing = np.zeros((len(inputs), 1), "float32")
    diagnosis = Diagnosis(inputs, nothing)
    model.fit(inputs, nothing, epochs=2, verbose=0, callbacks=[diagnosis])
    assert (diagnosis.outcome, diagnosis.cause) == (None, None)


@pytest.mark.slow
def test_signals_that_are_not_finite_say_nothing_of_the_output() -> None:
    """Kernels so large that they overflow before the first step: a sigmoid gives probabilities all the same."""
    inputs, labels = points()
    large = keras.initializers.RandomNormal(stddev=1e30)
    hidden = [keras.layers.Dense(4, kernel_initializer=large) for _ in range(2)]
    model = keras.Sequential([keras.Input((2,)), *hidden, keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    diagnosis = Diagnosis(inputs, labels)
    model.fit(inputs, labels, epochs=2, verbose=0, callbacks=[diagnosis])
    assert diagnosis.cause not in (None, "output_mismatch")


def as_task(history: xr.Dataset, kind: str) -> xr.Dataset:
    """A record of two classes as one of another task, or of a task that nobody knows."""
    if kind == "binary":
        return history
    classes = kind == "multiclass"
    task = Task("multiclass", ("0", "1", "2")) if classes else Task("regression", ("target",))
    scores = {f"{part}_accuracy": f"{part}_r2" for part in ("train", "validation")}
    other = history if classes else history.rename(scores).drop_vars([f"{part}_balanced_accuracy" for part in PARTS])
    known = {"task": json.dumps(task.plain), "task_is_known": int(kind != "unknown")}
    other = (other if kind != "unknown" else other.drop_vars(scores.values())).copy()
    other.attrs = {name: each for name, each in other.attrs.items() if name not in (record.YARDSTICK, record.REFERENCE)}
    return other.assign_attrs(known)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "unknown"])
def test_no_record_makes_a_verdict_or_a_page_fail(kind: str) -> None:
    """Each variable is missing in turn, and NaN in turn; the text names no number that is not there."""
    whole = as_task(watched("sequential", True)[1].history, kind)
    optional = [name for name in record.OPTIONAL if name in whole and name not in record.REQUIRED]
    records = [whole, *(whole.drop_vars(name) for name in optional)]
    if kind == "binary":
        records += [whole.assign({name: whole[name] * np.nan}) for name in optional if whole[name].dtype.kind == "f"]
    records += [whole.assign_attrs({name: np.nan}) for name in whole.attrs if name.endswith("constant_loss")]
    records.append(whole.isel(epoch=[0], recorded_epoch=[0]))
    for place, history in enumerate(records):
        diagnosis = Diagnosis()
        diagnosis._record = history
        text = f"{diagnosis.verdict}"
        assert not re.search(r"\b(nan|None)\b", text.replace("training loss nan", "")), text
        assert diagnosis.evidence.keys() == set(evidence.COLUMNS)
        assert (diagnosis.outcome is None) or kind != "unknown"
        assert document(diagnosis, history).sections
        if not place % 20:  # to draw takes longest
            for draw, _ in figures_of(history).values():
                draw(history)


@pytest.mark.slow
def test_several_labels_a_row_are_no_fault_of_the_callback() -> None:
    """Random labels are the cause, by the skill of the loss as well as by their neighbours."""
    inputs, _ = points(200)
    labels = np.random.default_rng(1).integers(0, 2, (200, 3)).astype("float32")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "sigmoid")])
    model.compile("adam", "binary_crossentropy", run_eagerly=True)
    diagnosis = Diagnosis(inputs, labels)
    model.fit(inputs, labels, epochs=2, verbose=0, callbacks=[diagnosis])
    assert "unrelated_labels" in diagnosis.verdict.symptoms
    assert (diagnosis.outcome, diagnosis.cause) == ("not_learned", "unrelated_labels")
    assert "unrelated labels. The targets of similar rows" in str(diagnosis.verdict)


class Silent(keras.Model):
    """Steps without a loss that Keras or the callback could see, and gradients of exactly 0."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)

    def train_step(self, data: Any) -> dict[str, Any]:
        self(data[0])
        weights = self.trainable_variables
        self.optimizer.apply([keras.ops.zeros_like(each) for each in weights], weights)
        return {"mine": keras.ops.zeros(())}


def test_a_loss_that_nobody_saw_is_not_called_infinite() -> None:
    inputs, labels = points()
    model = Silent()
    model.compile("sgd")
    diagnosis = Diagnosis(inputs, labels)
    model.fit(inputs, labels, epochs=2, verbose=0, callbacks=[diagnosis])
    verdict = diagnosis.verdict
    assert (verdict.cause, verdict.evidence["nonfinite_epoch"]) == ("unexplained", None)
    assert "this: the gradients that the optimizer got were exactly 0 in every recorded epoch." in verdict.says
    assert ".." not in str(verdict)


@pytest.mark.slow
def test_a_report_is_one_file(tmp_path: Path) -> None:
    diagnosis = Diagnosis(*points())
    with pytest.raises(UserError, match="nothing is recorded yet: no `fit` has begun"):
        diagnosis.report(tmp_path / "why.html")
    assert "Nothing is recorded yet" in diagnosis._repr_html_()
    _, diagnosis = watched("functional", True)
    diagnosis.report(tmp_path / "why.html")
    text = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert "http" not in text.replace("http-equiv", "")
    assert text.count("data:image/png") == 2
    assert "batch_normalization/gamma" in text
    assert diagnosis._repr_html_().count("<img") == 2
    with pytest.raises(UserError, match="is a folder"):
        diagnosis.report(tmp_path)


@pytest.mark.slow
def test_why_nothing_was_recorded_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the verdict and wherever the record is asked for."""
    monkeypatch.setitem(sys.modules, "pipeline.recorder.watching", None)
    inputs, labels = points()
    diagnosis = Diagnosis(inputs, labels)
    fitted(EAGER, diagnosis, epochs=1)
    assert str(diagnosis.verdict).startswith("Nothing was recorded: could not watch this model: ")
    with pytest.raises(UserError, match="nothing was recorded: could not watch this model"):
        diagnosis.report("why.html")
    monkeypatch.undo()
    fitted(TINY, diagnosis, epochs=1)
    assert diagnosis.is_recorded  # one failure does not end it for ever
    assert np.isfinite(diagnosis.history.gradient_mean_abs.values[0, 1:]).all()


def test_a_package_that_is_missing_is_named_as_pip_knows_it() -> None:
    guard = Guard()
    with guard("watch this model"):
        raise ModuleNotFoundError("No module named 'sklearn.neighbors'", name="sklearn.neighbors")
    assert guard.notes == ["could not watch this model: scikit-learn is missing (pip install scikit-learn)"]


@pytest.mark.slow
def test_without_an_epoch_the_state_before_the_first_step_is_judged() -> None:
    diagnosis = Diagnosis(*points())
    fitted(TINY, diagnosis, epochs=0)
    assert str(diagnosis.verdict).startswith("Not trained: ")
    assert "Looked for and not found: " in str(diagnosis.verdict)
    captured = Diagnosis()
    fitted(EAGER, captured, epochs=0)
    assert "`fit` ended before its first epoch did" in str(captured.verdict)


@pytest.mark.slow
def test_a_copy_keeps_the_record_and_can_watch_another_fit() -> None:
    ways: list[Callable[[Diagnosis], Diagnosis]] = [
        *(copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each)))
    ]
    first = Diagnosis(*points(), learned=0.9, record_every=2)
    for way in ways:
        first = way(first)  # unused so far
    fitted(TINY, first, epochs=3)
    assert first.history.recorded_epoch.values.tolist() == [0, 1, 2, 3]
    text, page = str(first.verdict), first._repr_html_()
    for way in ways:
        copied = way(first)
        assert copied.history.identical(first.history)
        assert str(copied.verdict) == text
        assert copied.evidence == first.evidence
        assert copied._repr_html_() == page
        fitted(EAGER, copied, epochs=1)
        assert copied.history.sizes["epoch"] == 2
        assert first.history.sizes["epoch"] == 4


@pytest.mark.slow
def test_fewer_epochs_are_recorded_where_there_is_no_time() -> None:
    diagnosis = Diagnosis(*points(), max_overhead=1e-9)
    fitted(EAGER, diagnosis, epochs=9)
    recorded = diagnosis.history.recorded_epoch.values.tolist()
    assert recorded[:2] == [0, 1]
    assert recorded[-1] == 9
    assert len(recorded) < 6
    assert len(diagnosis.history.epoch) == 10
    assert diagnosis.history.attrs["skipped_epochs"] == 10 - len(recorded)


@pytest.mark.slow
def test_the_second_of_two_leaves_it_to_the_first() -> None:
    first, second = Diagnosis(*points()), Diagnosis(*points())
    fitted(TINY, first, second)
    assert first.is_recorded
    assert not second.is_recorded
    assert "another Diagnosis" in str(second.verdict)
    assert not hasattr(first.model.train_function, "diagnosed")


@pytest.mark.slow
def test_record_every() -> None:
    diagnosis = Diagnosis(*points(), record_every=3, max_overhead=100)
    fitted(EAGER, diagnosis, epochs=8)
    assert diagnosis.history.recorded_epoch.values.tolist() == [0, 1, 3, 6, 8]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"task": "ranking"}, "task: ranking: must be one of"),
        ({"task": ["binary"]}, "task: "),
        ({"learned": {"beauty": 1}}, "learned: beauty: must be one of"),
        ({"learned": "x"}, "learned: x: must be a number"),
        ({"learned": [0.5]}, r"learned: \[0.5\]: must be a number"),
        ({"learned": {}}, "learned: must be a number"),
        ({"learned": True}, "learned: True: must be a number"),
        ({"learned": np.nan}, "learned.score: nan: must be a finite number"),
        ({"learned": 10**400}, "learned: a number of 401 digits: must be a number"),
        ({"learned": {"r2": None}}, "learned: must be a number"),
        ({"rows": 0}, "rows: 0: must be"),
        ({"rows": True}, "rows: True: must be"),
        ({"record_every": 0}, "record_every: 0: must be"),
        ({"record_every": 1.5}, "record_every: 1.5: must be a whole number"),
        ({"hopeless_epochs": "5"}, "hopeless_epochs: 5: must be a whole number"),
        ({"stop_when_hopeless": None}, "stop_when_hopeless: .*must be true or false"),
        ({"max_overhead": np.nan}, "max_overhead: nan: must be at least 0"),
        ({"max_overhead": -1}, "max_overhead: -1: must be at least 0"),
        ({"max_overhead": "x"}, "max_overhead: x: must be a"),
        ({"mlflow": "yes"}, "mlflow: yes: must be true or false"),
        ({"histograms": 2}, "histograms: 2: must be true or false"),
        ({"tensorboard": 5}, "tensorboard: 5: must be the path of a folder"),
        ({"x": 5}, "x: int 5: must be an array"),
        ({"x": [[1, 2]], "y": [1]}, "x: int 1: must be an array"),
        ({"y": np.zeros(3)}, "x: missing"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(4)}, "x, y: 3 and 4 rows: must be"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "x, y: 0 rows: must be"),
    ],
)
def test_a_wrong_argument_is_one_line_before_any_training(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=f"^{said}") as raised:
        Diagnosis(**arguments)
    assert "\n" not in str(raised.value)
    if not {"x", "y"} & arguments.keys():
        with pytest.raises(UserError, match=f"^{said}"):
            autolog(**arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"learnt": 0.9}, "learnt: unknown key: did you mean learned?"),
        ({"x": np.zeros(3)}, "x: unknown key: must be one of learned, "),
        ({"mlflow_runs": -1}, "mlflow_runs: -1: must be at least 0"),
        ({"disable": "no"}, "disable: no: must be true or false"),
    ],
)
def test_a_wrong_argument_of_autolog_changes_nothing(arguments: dict[str, Any], said: str) -> None:
    fit = keras.Model.fit
    with pytest.raises(UserError, match=f"^{re.escape(said)}"):
        autolog(**arguments)
    assert keras.Model.fit is fit


def test_numbers_of_numpy_are_numbers() -> None:
    Diagnosis(learned=np.float32(0.5), rows=np.int64(5), max_overhead=np.float32(np.inf), histograms=np.bool_(False))
