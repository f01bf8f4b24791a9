"""Facts of the fit, which describe what happens around the model: measured in real fits whose facts are known."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from watched_models import Batches, compiled, points, tiny

from pipeline import Diagnosis
from pipeline.diagnosis.fit_facts import FIT_FACTS
from pipeline.foundations.formats import load_arrays, save_arrays
from pipeline.history import record
from pipeline.history.agreement import expect_whole
from pipeline.recorder.accuracy_facts import overlap_gap
from pipeline.recorder.fit_arguments import FitArguments, arguments_of_fit
from pipeline.recorder.fit_end import is_backwards
from pipeline.training.common.train_replicas import join_records

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_models_once")]  # each trains a network


@pytest.fixture(autouse=True)
def without_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write to no MLflow, and number the names of layers from the first."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)


@pytest.fixture(scope="module", autouse=True)
def ordinary_fit_of_this_file() -> Iterator[None]:
    """Forget the shared fit when the last test has ended."""
    yield
    ordinary.cache_clear()


class Reader(keras.callbacks.Callback):
    """A callback that reads the arguments of its `fit`."""

    arguments: FitArguments

    def on_train_begin(self, logs: Any = None) -> None:
        """Read them at the same time as Diagnosis does."""
        self.arguments = arguments_of_fit(self.model)


def read(model: keras.Model, *data: Any, **arguments: Any) -> FitArguments:
    """Return the arguments of a `fit`, as a callback reads them."""
    reader = Reader()
    model.fit(*data, verbose=0, callbacks=[reader], **arguments)
    return reader.arguments


def test_fit_has_split_off_the_validation_rows() -> None:
    model, inputs, labels = tiny()
    arguments = read(
        model, inputs, labels, validation_split=0.25, batch_size=24, epochs=3, class_weight={0: 1.0, 1: 2.0}
    )
    assert arguments.is_known
    assert arguments.has_arrays
    assert len(arguments.x) == len(arguments.y) == 72
    assert len(arguments.validation_arrays[0]) == 24
    assert arguments.sample_weight is None
    assert arguments.class_weight == {0: 1.0, 1: 2.0}
    assert (arguments.shuffle, arguments.epochs) == (True, 3)
    assert isinstance(arguments.callbacks[0], Reader)


@pytest.mark.parametrize("data", [Batches, lambda: tf.data.Dataset.from_tensor_slices(points()).batch(16)])
def test_a_generator_and_a_data_set_are_no_arrays(data: Any) -> None:
    arguments = read(tiny()[0], data(), shuffle=False)
    assert arguments.is_known
    assert not arguments.has_arrays
    assert arguments.validation_arrays is None


def test_the_arguments_of_a_models_own_fit_are_unknown() -> None:
    class OwnFit(keras.Sequential):
        def fit(self, x: Any, y: Any, callbacks: Any, verbose: int) -> None:
            listed = keras.callbacks.CallbackList(callbacks, model=self)
            listed.on_train_begin()

    model = compiled(OwnFit([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")]))
    assert read(model, *points()) == FitArguments()


def test_facts_are_saved_with_the_record(tmp_path: Path) -> None:
    histories = []
    for replica in range(2):
        keras.utils.clear_session(free_memory=False)  # layers of both models get the same names
        model, inputs, labels = tiny()
        diagnosis = Diagnosis(inputs, labels)
        model.fit(inputs, labels, verbose=0, callbacks=[diagnosis])
        histories.append(diagnosis.history.assign_coords(replica=[replica]))
    joined = join_records([diagnosis.watching.recorder.without_logs(each) for each in histories])
    path = tmp_path / "history.nc"
    save_arrays(joined, path)
    loaded = load_arrays(path, record.REQUIRED, record.OPTIONAL)
    expect_whole(loaded)
    facts = record.fit_facts(loaded)
    assert set(facts) <= set(FIT_FACTS)
    assert len(facts) > 10
    assert all(each.shape == (2,) for each in facts.values())
    np.testing.assert_equal(facts, record.fit_facts(joined))


def test_a_record_without_facts_has_none() -> None:
    assert record.fit_facts(ordinary().history)
    assert record.fit_facts(ordinary().history.drop_vars(record.FIT_FACT)) == {}


def fitted(model: keras.Model, *data: Any, given: tuple[Any, Any] | None = None, **arguments: Any) -> dict[str, float]:
    """Return the known facts of a `fit`; Diagnosis gets the rows of `fit`, or `given`."""
    return known_facts(diagnosed(model, *data, given=given, **arguments))


def diagnosed(model: keras.Model, *data: Any, given: tuple[Any, Any] | None = None, **arguments: Any) -> Diagnosis:
    """Return the callback after a `fit`; Diagnosis gets the rows of `fit`, or `given`."""
    rows = data if given is None else given
    callback = Diagnosis(*rows) if len(rows) == 2 else Diagnosis()
    callbacks = [*arguments.pop("callbacks", []), callback]
    model.fit(*data, **{"verbose": 0, **arguments, "callbacks": callbacks})
    assert not callback.verdict.notes
    return callback


def known_facts(diagnosis: Diagnosis) -> dict[str, float]:
    """Return the facts that are not missing."""
    facts = record.fit_facts(diagnosis.history)
    return {name: value.item() for name, value in facts.items() if not np.isnan(value).any()}


def without_graph(model: keras.Model, loss: Any = "binary_crossentropy", **compiling: Any) -> keras.Model:
    """Compile the model to run as Python does, because graphs take longest, and most facts do not depend on them."""
    usual = {"optimizer": keras.optimizers.SGD(0.01), "metrics": None, "run_eagerly": True}
    return compiled(model, loss, **{**usual, **compiling})


def classifier(*hidden: keras.layers.Layer, inputs: int = 2, **compiling: Any) -> keras.Model:
    """Return a classifier of two classes, which runs as Python does."""
    stack = [keras.Input((inputs,)), *hidden, keras.layers.Dense(1, "sigmoid")]
    return without_graph(keras.Sequential(stack), **compiling)


def classifier_with_graph(*hidden: keras.layers.Layer, **compiling: Any) -> keras.Model:
    """Return a classifier of two classes, which runs as Keras usually runs a model."""
    return classifier(*hidden, **{"run_eagerly": False, **compiling})


@cache
def ordinary() -> Diagnosis:
    """The callback after a `fit` in which nothing is special; tests share it and must not change it."""
    model = classifier_with_graph(keras.layers.Dense(8, "relu"), metrics=["accuracy"])
    return diagnosed(model, *points(), epochs=2)


class TestRowsOfFit:
    """Order, number and weights of the rows in batches."""

    def test_sorted_rows_have_all_their_variance_between_batches(self) -> None:
        inputs, targets = np.arange(200.0)[:, None], np.arange(200.0) // 40 + 1e6
        model = without_graph(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]), "mse")
        facts = fitted(model, inputs, targets, batch_size=10, shuffle=False)
        assert facts["batch_rows"] == 10
        assert facts["batch_order"] == pytest.approx(1)

    def test_the_order_equals_one_computed_by_numpy(self) -> None:
        inputs, labels = points(100)
        facts = fitted(classifier_with_graph(), inputs, labels, batch_size=16, shuffle=False)
        assert facts["batch_rows"] == pytest.approx(100 / 7)  # the last batch has four rows
        batches = np.split(labels.astype(float), range(16, 100, 16))
        between = sum(len(each) * (each.mean() - labels.mean()) ** 2 for each in batches) / 100 / labels.var()
        shuffled = 6 / 99
        assert facts["batch_order"] == pytest.approx((between - shuffled) / (1 - shuffled))

    def test_shuffled_rows_have_no_order(self) -> None:
        inputs = np.arange(2000.0)[:, None]
        facts = fitted(classifier(inputs=1), inputs, inputs[:, 0] > 1000, batch_size=50, epochs=2)
        assert abs(facts["batch_order"]) < 0.05
        assert facts["batch_rows"] == 50  # of one epoch

    @pytest.mark.parametrize("batch", [1, 50])
    def test_batches_of_one_row_or_two_batches_show_no_order(self, batch: int) -> None:
        facts = fitted(classifier(), *points(100), batch_size=batch)
        assert facts["batch_rows"] == batch
        assert "batch_order" not in facts

    def test_one_hot_labels_are_ordered_like_classes(self) -> None:
        labels = np.repeat(np.eye(3), 32, axis=0)
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "softmax")])
        model = without_graph(model, "categorical_crossentropy")
        assert fitted(model, points(96)[0], labels, batch_size=32, shuffle=False)["batch_order"] == pytest.approx(1)

    @pytest.mark.parametrize(
        ("arguments", "expected", "make"),
        [
            ({"sample_weight": np.full(96, 1e-6)}, 1e-6, classifier),
            ({"class_weight": {0: 0.0, 1: 3.0}}, 3 * points()[1].mean(), classifier_with_graph),
        ],
    )
    def test_the_mean_weight_of_rows(self, arguments: dict[str, Any], expected: float, make: Callable) -> None:
        assert fitted(make(), *points(), **arguments)["row_weight"] == pytest.approx(expected)

    def test_without_weights_every_row_counts_once(self) -> None:
        assert known_facts(ordinary())["row_weight"] == pytest.approx(1)

    def test_one_row_that_is_not_scaled_is_the_longest(self) -> None:
        inputs, labels = points()
        inputs[70] *= 2000 / np.linalg.norm(inputs[70])
        facts = fitted(classifier(), inputs, labels)
        assert facts["largest_row"] == pytest.approx(2000 / np.median(np.linalg.norm(inputs, axis=1)))
        assert facts["long_rows"] == pytest.approx(1 / 96)

    def test_rows_of_a_generator_are_compared_with_the_given_rows(self) -> None:
        random = np.random.default_rng(0)
        inputs = random.normal(size=(256, 2)).astype("float32")
        labels = (inputs[:, 0] > 0).astype(int)

        def batches(mirrored: bool) -> tf.data.Dataset:
            sign = random.choice([-1, 1], (256, 1)).astype("float32") if mirrored else 1
            return tf.data.Dataset.from_tensor_slices((inputs * sign, labels)).batch(32)

        diagnosis = diagnosed(classifier_with_graph(), batches(mirrored=True), given=(inputs, labels), shuffle=False)
        assert known_facts(diagnosis)["fed_told"] < 3 < 10 < diagnosis.history.targets_told.item()
        assert "fed_told" not in fitted(classifier(), batches(mirrored=False), given=(inputs, labels), shuffle=False)
        assert "fed_told" not in known_facts(ordinary())


class TestUpdates:
    """Steps of the optimizer compared with batches, and weights that no optimizer holds."""

    @pytest.mark.parametrize("execution", [1, 4])
    @pytest.mark.parametrize("accumulated", [None, 3])
    def test_every_batch_updates_the_weights(self, accumulated: int | None, execution: int) -> None:
        optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=accumulated)
        model = classifier_with_graph(optimizer=optimizer, steps_per_execution=execution)
        facts = fitted(model, *points(), batch_size=10, epochs=2)
        assert facts["updates_applied"] == 1
        assert "loss_scale_fall" not in facts

    def test_steps_with_infinite_gradients_are_skipped(self) -> None:
        inner = keras.optimizers.SGD(0.1)
        model = classifier_with_graph(optimizer=keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0**120))
        facts = fitted(model, points()[0] * 1e15, points()[1], batch_size=24, epochs=1, given=points())
        assert facts["updates_applied"] == 0
        assert facts["loss_scale_fall"] == 2.0**-4

    def test_without_skipped_steps_the_loss_scale_stays(self) -> None:
        model = classifier_with_graph(optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)))
        facts = fitted(model, *points(), batch_size=24, epochs=2)
        assert facts["updates_applied"] == facts["loss_scale_fall"] == 1

    def test_a_step_that_never_applies_gradients_updates_nothing(self) -> None:
        class Forgetful(keras.Sequential):
            def train_step(self, data: Any) -> dict[str, Any]:
                loss = self.compute_loss(data[0], data[1], self(data[0], training=True))
                return {"loss": loss}

        model = compiled(Forgetful([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")]), metrics=None)
        assert fitted(model, *points())["updates_applied"] == 0

    @pytest.mark.parametrize("own_step", [True, False])
    def test_a_kernel_in_a_plain_variable_is_untracked(self, own_step: bool) -> None:
        class Plain(keras.layers.Layer):
            def build(self, shape: Any) -> None:
                self.kernel = tf.Variable(tf.random.normal((shape[-1], 4)))

            def call(self, inputs: Any) -> Any:
                return inputs @ self.kernel

        model = classifier_with_graph(Plain())
        if own_step:
            model.optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
        facts = fitted(model, *points())
        assert facts["untracked_share"] == pytest.approx(8 / 13)

    def test_a_layer_that_only_a_function_refers_to_is_untracked(self) -> None:
        layer = keras.layers.Dense(4)
        layer.build((None, 2))
        model = classifier_with_graph(keras.layers.Lambda(lambda inputs: layer(inputs), output_shape=(4,)))
        assert fitted(model, *points())["untracked_share"] > 0.5

    def test_the_network_of_a_perceptual_loss_does_not_count_as_untracked(self) -> None:
        judge = keras.layers.Dense(4)
        judge.build((None, 1))

        def perceptual(targets: Any, outputs: Any) -> Any:
            return keras.losses.mean_squared_error(judge(keras.ops.cast(targets, "float32")), judge(outputs))

        model = compiled(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), perceptual, metrics=None)
        assert fitted(model, points()[0], points()[1][:, None])["untracked_share"] == 0

    @pytest.mark.parametrize("optimizer", ["adam", "sgd"])
    def test_states_of_layers_metrics_and_optimizers_are_tracked(self, optimizer: str) -> None:
        hidden = [keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dropout(0.1)]
        model = classifier_with_graph(*hidden, optimizer=optimizer, metrics=[keras.metrics.AUC()])
        assert fitted(model, *points(), epochs=2)["untracked_share"] == 0


class TestLearningRates:
    """The learning rate by epoch."""

    def test_a_schedule_that_counts_steps_instead_of_epochs_ends_early(self) -> None:
        schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.1)
        diagnosis = diagnosed(classifier(optimizer=keras.optimizers.SGD(schedule)), *points(), batch_size=24, epochs=3)
        facts = known_facts(diagnosis)
        assert facts["rate_end"] == pytest.approx(1e-12, rel=1e-4)
        assert facts["rate_ended_share"] == 1
        logged = diagnosis.history.log_learning_rate.values[0]
        np.testing.assert_allclose(logged[1:], 0.1 * 10.0 ** -np.array([4, 8, 12]), rtol=1e-4)

    def test_a_peak_within_the_first_epoch_counts(self) -> None:
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay([40, 60], [1e-9, 1.0, 1e-9])
        facts = fitted(classifier(optimizer=keras.optimizers.SGD(schedule)), *points(), batch_size=1)
        assert facts["rate_end"] == pytest.approx(1e-9)

    def test_the_learning_rate_that_keras_logs_is_kept(self) -> None:
        callback = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
        diagnosis = diagnosed(classifier(), *points(), epochs=4, callbacks=[callback])
        assert known_facts(diagnosis)["rate_end"] == pytest.approx(0.25)
        np.testing.assert_allclose(diagnosis.history.log_learning_rate.values[0, 1:], 0.1 / np.arange(1, 5))

    def test_another_optimizer_starts_a_new_series(self) -> None:
        model, diagnosis = classifier(optimizer=keras.optimizers.SGD(1.0)), Diagnosis(*points())
        model.fit(*points(), verbose=0, callbacks=[diagnosis])
        model.compile(keras.optimizers.SGD(1e-5), "binary_crossentropy")
        model.fit(*points(), verbose=0, callbacks=[diagnosis])
        assert known_facts(diagnosis)["rate_end"] == 1

    def test_a_constant_learning_rate_does_not_end(self) -> None:
        facts = known_facts(ordinary())
        assert (facts["rate_end"], facts["rate_ended_share"]) == (1, 0)


class TestValidation:
    """Validation rows compared with training rows."""

    def test_validation_rows_of_another_scale(self) -> None:
        inputs, labels = points(400)
        facts = fitted(classifier(), inputs, labels, validation_data=(100 * inputs + 300, labels))
        assert facts["validation_spread"] == pytest.approx(2, abs=1e-4)
        deviation, mean = inputs.std(axis=0), inputs.mean(axis=0)
        assert facts["validation_shift"] == pytest.approx(np.abs((99 * mean + 300) / deviation).mean(), rel=1e-4)
        assert facts["validation_new_classes"] == 0

    def test_a_split_of_sorted_rows_leaves_new_classes(self) -> None:
        inputs, labels = points(400)
        order = np.argsort(labels)
        facts = fitted(classifier(), inputs[order], labels[order], validation_split=0.25)
        expected = (labels[order][300:] == 1).mean() if (labels[order][:300] == 0).all() else 0
        assert facts["validation_new_classes"] == expected
        one_hot = np.eye(4)[np.repeat(range(4), 100)]
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "softmax")])
        facts = fitted(without_graph(model, "categorical_crossentropy"), inputs, one_hot, validation_split=0.25)
        assert facts["validation_new_classes"] == 1

    def test_rows_of_data_sets_are_compared_too(self) -> None:
        inputs, labels = points()
        held_out = tf.data.Dataset.from_tensor_slices((inputs * 10, labels)).batch(32)
        training = tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(32)
        facts = fitted(classifier(), training, validation_data=held_out, shuffle=False)
        assert facts["validation_spread"] == pytest.approx(1, abs=1e-4)
        assert facts["validation_new_classes"] == 0

    def test_constant_columns_and_ids_are_left_out(self) -> None:
        inputs, labels = points()
        wide = np.hstack([inputs, np.full((96, 1), 7.0)])
        shifted = wide + np.array([0, 0, 1000])
        assert fitted(classifier(inputs=3), wide, labels, validation_data=(shifted, labels))["validation_shift"] == 0
        model = without_graph(
            keras.Sequential([keras.layers.Embedding(50, 2), keras.layers.Flatten(), keras.layers.Dense(1, "sigmoid")])
        )
        ids = np.random.default_rng(0).integers(0, 40, (96, 6))
        facts = fitted(model, ids, labels, validation_data=(ids + 9, labels))
        assert not {"validation_shift", "largest_row"} & facts.keys()

    def test_whole_numbers_of_a_regression_are_no_classes(self) -> None:
        model = without_graph(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), "mse")
        counts = np.arange(96) % 7
        facts = fitted(model, points()[0], counts, validation_data=(points()[0], counts + 100))
        assert "validation_new_classes" not in facts

    def test_facts_of_given_rows_are_known_before_the_first_epoch(self) -> None:
        facts: dict[str, float] = {}
        inputs, labels = points()

        class Reading(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                facts.update(diagnosis.watching.recorder.fit_facts)

        diagnosis = Diagnosis()
        weights = {0: 1.0, 2: 1.0}
        callbacks = [diagnosis, Reading()]
        classifier().fit(
            inputs, labels, validation_split=0.2, class_weight=weights, verbose=0, callbacks=callbacks, shuffle=False
        )
        early = {"validation_shift", "validation_new_classes", "largest_row", "class_weight_unknown"}
        assert early <= facts.keys()


class TestSequences:
    """Padding, masks and states."""

    @pytest.mark.parametrize("mask", [True, False])
    @pytest.mark.parametrize("wrapped", [True, False])
    def test_padding_and_mask_of_ids(self, mask: bool, wrapped: bool) -> None:
        random = np.random.default_rng(0)
        ids = random.integers(1, 20, (96, 8))
        ids[:, 2:] = 0
        layer = keras.layers.SimpleRNN(3)
        stack = [
            keras.layers.Embedding(20, 2, mask_zero=mask),
            keras.layers.Bidirectional(layer) if wrapped else layer,
        ]
        model = keras.Sequential([keras.Input((8,)), *stack, keras.layers.Dense(1, "sigmoid")])
        facts = fitted(without_graph(model, run_eagerly=not wrapped), ids, points()[1])
        assert facts["padding_share"] == 0.75
        assert facts["masks_padding"] == mask
        assert "shuffles_state" not in facts

    def test_series_without_padding(self) -> None:
        series = np.random.default_rng(0).normal(size=(96, 5, 2))
        masked = [keras.layers.Masking(9.0), keras.layers.SimpleRNN(3)]
        for hidden, share in ((masked[1:], 0), (masked, 0.4)):
            inputs = series.copy()
            inputs[:, 5 - round(5 * share) :] = 9.0
            model = keras.Sequential([keras.Input((5, 2)), *hidden, keras.layers.Dense(1, "sigmoid")])
            facts = fitted(without_graph(model), inputs, points()[1])
            assert facts["padding_share"] == pytest.approx(share)
            assert facts["masks_padding"] == (len(hidden) == 2)

    def test_a_table_has_no_padding(self) -> None:
        assert not {"padding_share", "masks_padding", "shuffles_state"} & known_facts(ordinary()).keys()

    @pytest.mark.parametrize("shuffled", [True, False])
    def test_states_are_carried_between_shuffled_rows(self, shuffled: bool) -> None:
        series = np.random.default_rng(0).normal(size=(96, 4, 1))
        hidden = keras.layers.SimpleRNN(3, stateful=True)
        stack = [keras.Input((4, 1), batch_size=32), hidden, keras.layers.Dense(1, "sigmoid")]
        facts = fitted(without_graph(keras.Sequential(stack)), series, points()[1], batch_size=32, shuffle=shuffled)
        assert facts["shuffles_state"] == shuffled


class TestClassWeights:
    """Keys of `class_weight` compared with the classes."""

    @pytest.mark.parametrize(
        ("weights", "missing", "unknown"),
        [({0: 1.0, 1: 2.0}, 0, 0), ({1: 1.0, 2: 11.0}, 1 - points()[1].mean(), 1), ({"0": 1.0, "1": 2.0}, 1, 2)],
    )
    def test_keys_that_are_no_class_and_classes_without_a_key(self, weights: Any, missing: float, unknown: int) -> None:
        facts = fitted(classifier(), *points(), class_weight=weights)
        assert facts["class_weight_missing"] == pytest.approx(missing)
        assert facts["class_weight_unknown"] == unknown

    def test_one_hot_labels(self) -> None:
        model = without_graph(
            keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "softmax")]), "categorical_crossentropy"
        )
        facts = fitted(model, points()[0], np.eye(2)[points()[1]], class_weight={0: 1.0, 1: 2.0, 2: 1.0})
        assert (facts["class_weight_missing"], facts["class_weight_unknown"]) == (0, 1)

    def test_the_share_of_the_total_weight(self) -> None:
        ones = points()[1].sum()
        zeros = len(points()[1]) - ones
        facts = fitted(classifier(), *points(), class_weight={0: 1.0, 1: 100.0})
        assert facts["weighted_share"] == pytest.approx(2 * zeros / (zeros + 100 * ones))

    def test_without_class_weights_nothing_is_known(self) -> None:
        facts = {"class_weight_missing", "class_weight_unknown", "weighted_share"}
        assert not facts & known_facts(ordinary()).keys()


class TestEndOfFit:
    """Epochs, and the callback that stopped `fit`."""

    def test_early_stopping(self) -> None:
        stopping = keras.callbacks.EarlyStopping("loss", patience=0, min_delta=10.0)
        diagnosis = diagnosed(classifier(), *points(), epochs=9, callbacks=[stopping])
        facts = known_facts(diagnosis)
        assert (facts["epochs_asked"], facts["epochs_run"]) == (9, 2)
        assert (facts["stopped_by_callback"], facts["stop_patience"]) == (1, 0)
        assert diagnosis.history.attrs["stopped_by"] == "EarlyStopping"

    @pytest.mark.parametrize(("mode", "is_backwards"), [("min", 0), ("max", 1)])
    def test_early_stopping_that_takes_better_for_worse(self, mode: str, is_backwards: int) -> None:
        stopping = keras.callbacks.EarlyStopping("loss", mode=mode, min_delta=10.0)
        facts = fitted(classifier(), *points(), epochs=9, callbacks=[stopping])
        assert (facts["stopped_by_callback"], facts["stop_is_backwards"]) == (1, is_backwards)

    def test_the_loss_of_an_output_whose_name_is_like_a_score(self) -> None:
        for name, is_wrong in {"val_accent_loss": False, "val_accent_accuracy": True}.items():
            stopping = keras.callbacks.EarlyStopping(name)
            stopping.monitor_op = keras.ops.less  # as Keras sets it when `fit` begins with `mode="min"`
            assert is_backwards(stopping) is is_wrong
        assert is_backwards(keras.callbacks.TerminateOnNaN()) is None

    def test_a_users_own_callback(self) -> None:
        class Bored(keras.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                self.model.stop_training = epoch == 1

        patient = keras.callbacks.EarlyStopping("loss", patience=5)
        diagnosis = diagnosed(classifier(), *points(), initial_epoch=1, epochs=9, callbacks=[patient, Bored()])
        facts = known_facts(diagnosis)
        assert (facts["epochs_asked"], facts["epochs_run"], facts["stopped_by_callback"]) == (8, 1, 1)
        assert diagnosis.history.attrs["stopped_by"] == "Bored"
        assert "stop_patience" not in facts

    def test_a_fit_that_runs_all_epochs(self) -> None:
        patient = keras.callbacks.EarlyStopping("loss", patience=5)
        diagnosis = diagnosed(classifier(), *points(), epochs=2, callbacks=[patient])
        facts = known_facts(diagnosis)
        assert (facts["epochs_asked"], facts["epochs_run"], facts["stopped_by_callback"]) == (2, 2, 0)
        assert "stopped_by" not in diagnosis.history.attrs

    def test_diagnosis_does_not_count_as_the_callback_that_stopped_fit(self) -> None:
        inputs = np.full((96, 2), np.nan)
        diagnosis = Diagnosis(inputs, points()[1], stop_when_hopeless=True)
        classifier().fit(inputs, points()[1], epochs=5, verbose=0, callbacks=[diagnosis])
        facts = known_facts(diagnosis)
        assert (facts["epochs_run"], facts["stopped_by_callback"]) == (1, 0)

    def test_rows_are_let_go(self) -> None:
        around = ordinary().watching._measured.around
        assert around.arguments == FitArguments()
        assert around._training is None


class TestModel:
    """Penalties, shrinking weights, batch statistics, outputs and metrics."""

    def test_dropout_behind_the_last_weights(self) -> None:
        stack = [keras.Input((2,)), keras.layers.Dense(1, "sigmoid"), keras.layers.Dropout(0.25)]
        assert fitted(without_graph(keras.Sequential(stack)), *points())["output_dropout"] == 0.25
        assert known_facts(ordinary())["output_dropout"] == 0

    def test_a_loss_that_counts_nothing(self) -> None:
        inputs = keras.Input((2,))
        outputs = [keras.layers.Dense(1, name=name)(inputs) for name in ("first", "second")]
        model = without_graph(keras.Model(inputs, outputs), ["mse", "mse"], loss_weights=[1, 0])
        rows = points()[0]
        assert fitted(model, rows, [rows[:, :1], rows[:, 1:]])["idle_outputs"] == 1
        assert "idle_outputs" not in known_facts(ordinary())

    def test_a_penalty_on_outputs_is_none_on_weights(self) -> None:
        hidden = keras.layers.Dense(8, "relu", activity_regularizer=keras.regularizers.L1(10.0))
        facts = fitted(classifier(hidden), *points())
        assert facts["activity_share"] == pytest.approx(facts["penalty_share"], rel=0.05)
        assert facts["activity_share"] > 0.5
        assert known_facts(ordinary())["activity_share"] == 0

    def test_what_enters_the_first_kernel(self) -> None:
        rows, labels = points()
        same = classifier(keras.layers.LayerNormalization(), keras.layers.Dense(4, "relu"), inputs=1)
        assert fitted(same, rows[:, :1], labels)["entering_spread"] == pytest.approx(0, abs=1e-6)
        assert known_facts(ordinary())["entering_spread"] == pytest.approx(rows.std(axis=0).max(), rel=0.2)

    def test_a_penalty_that_outweighs_the_loss(self) -> None:
        hidden = keras.layers.Dense(8, "relu", kernel_regularizer=keras.regularizers.L2(10.0))
        model = classifier(hidden, optimizer=keras.optimizers.SGD(0.04))
        facts = fitted(model, *points(), epochs=1, batch_size=24)
        loss = model.evaluate(*points(), verbose=0)
        penalty = 10 * float(np.square(np.asarray(hidden.kernel)).sum())
        assert facts["penalty_share"] == pytest.approx(penalty / loss, rel=1e-4)
        assert facts["weight_shrink"] < 0.05

    def test_without_penalties(self) -> None:
        facts = known_facts(ordinary())
        assert facts["penalty_share"] == 0
        assert 0.9 < facts["weight_shrink"] < 1.1

    @pytest.mark.parametrize(
        ("kind", "is_trainable", "expected"),
        [("BatchNormalization", True, 1), ("BatchNormalization", False, 0), ("LayerNormalization", True, 0)],
    )
    def test_statistics_of_the_batch(self, kind: str, is_trainable: bool, expected: int) -> None:
        normalising = getattr(keras.layers, kind)(trainable=is_trainable)
        facts = fitted(classifier(keras.layers.Dense(4), normalising), *points())
        assert facts["uses_batch_statistics"] == expected

    @pytest.mark.parametrize("rates", [(), (0.9, 0.2)])
    def test_the_greatest_rate_of_dropout(self, rates: tuple[float, ...]) -> None:
        dropping = [keras.layers.Dropout(rate) for rate in rates]
        assert fitted(classifier(*dropping), *points())["dropout_rate"] == pytest.approx(max(rates, default=0))

    @pytest.mark.parametrize(
        ("metrics", "misleading"),
        [
            (lambda: ["accuracy", keras.metrics.BinaryAccuracy(), keras.metrics.AUC()], None),
            (lambda: [keras.metrics.Accuracy(name="share")], "share"),
            (lambda: [keras.metrics.BinaryAccuracy("high", threshold=0.9999999)], "high"),
        ],
        ids=["usual", "of equal numbers", "of a high threshold"],
    )
    def test_metrics_of_accuracy(self, metrics: Callable[[], list[Any]], misleading: str | None) -> None:
        keras.utils.set_random_seed(0)
        inputs, _ = points()
        labels = (inputs[:, 0] > 0).astype("int32")
        model = classifier_with_graph(optimizer=keras.optimizers.Adam(0.01), metrics=metrics())
        diagnosis = diagnosed(model, inputs, labels, epochs=10, batch_size=8)
        facts, attributes = known_facts(diagnosis), diagnosis.history.attrs
        assert (facts.get("metric_gap", 0) > 0.2) == (misleading is not None)
        assert attributes.get("misleading_metric") == misleading
        assert facts.get("accuracy_of_numbers", 0) == 0

    @pytest.mark.parametrize(
        ("make", "is_misleading"),
        [(lambda: keras.metrics.MeanIoU(2, name="overlap"), True), (lambda: keras.metrics.BinaryIoU([0, 1]), False)],
    )
    def test_an_overlap_that_cuts_probabilities(
        self, make: Callable[[], keras.metrics.Metric], is_misleading: bool
    ) -> None:
        inputs, _ = points()
        labels = (inputs[:, 0] > 0).astype("int32")
        model = classifier_with_graph(optimizer=keras.optimizers.Adam(0.3), metrics=[make()])
        diagnosis = diagnosed(model, inputs, labels, epochs=10)
        assert (known_facts(diagnosis).get("metric_gap", 0) > 0.2) == is_misleading
        assert diagnosis.history.attrs.get("misleading_metric") == ("overlap" if is_misleading else None)

    def test_an_overlap_of_pictures_without_a_channel(self) -> None:
        metric, masks = keras.metrics.MeanIoU(2), np.tile([[0, 1], [1, 0]], (5, 1, 1))
        assert overlap_gap(metric, masks, np.where(masks, 0.9, 0.1)) == pytest.approx(0.75)  # IoU 1, not (1/2 + 0) / 2
        assert overlap_gap(metric, masks, masks.astype("float32")) == 0

    @pytest.mark.parametrize(("policy", "expected"), [("float16", 1), ("mixed_float16", 0), ("float32", 0)])
    def test_weights_in_half_precision(self, policy: str, expected: int) -> None:
        hidden = keras.layers.Dense(4, "relu", dtype=policy)
        assert fitted(classifier(hidden), *points())["half_weights"] == expected

    def test_accuracy_of_numbers(self) -> None:
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        inputs = points()[0]
        assert (
            fitted(without_graph(model, "mse", metrics=["accuracy"]), inputs, inputs.sum(axis=1))["accuracy_of_numbers"]
            == 1
        )
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "softmax")])
        assert (
            fitted(without_graph(model, "mse", metrics=["accuracy"]), inputs, np.eye(2)[points()[1]])[
                "accuracy_of_numbers"
            ]
            == 0
        )


def test_every_fact_has_a_test() -> None:
    text = Path(__file__).read_text()
    assert not [name for name in FIT_FACTS if f'"{name}"' not in text]
