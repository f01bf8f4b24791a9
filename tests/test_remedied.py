"""The remedies of any Keras model: what each changes, what it leaves, and what it says where it cannot be done."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from watched_models import compiled, dense, images, points, residual, unbuilt, words

from pipeline.diagnosis import causes
from pipeline.diagnosis.setting import Setting
from pipeline.remedies import measured
from pipeline.remedies.on_keras.keras_compile import remembering_compile
from pipeline.remedies.on_keras.keras_remedies import KERAS_REMEDIES, apply, inapplicable
from pipeline.remedies.on_keras.trial import TRAIN, InapplicableError, Trial
from pipeline.remedies.remedy import WIDER
from pipeline.remedies.remedy_registry import REMEDIES, for_any_model

Built = tuple[keras.Model, Any, Any]


def trial(made: Built, may_rebuild: bool = True, **arguments: Any) -> Trial:
    """Of a model and its data."""
    model, inputs, targets = made
    return Trial(model, {TRAIN: (inputs, targets)}, {"epochs": 8, **arguments}, may_rebuild)


def of(last: layers.Layer, loss: str, targets: np.ndarray, *hidden: layers.Layer, **more: Any) -> Built:
    """A Sequential model of two inputs."""
    inputs = np.random.default_rng(0).normal(size=(len(targets), 2)).astype("float32")
    return compiled(keras.Sequential([keras.Input((2,)), *hidden, last]), loss, **more), inputs, targets


def deep(activation: str = "tanh", optimizer: Any = "sgd") -> Built:
    """Hidden layers of one width."""
    hidden = [layers.Dense(4, activation, name=f"hidden_{number}") for number in range(3)]
    return of(layers.Dense(1, "sigmoid"), "binary_crossentropy", points()[1], *hidden, optimizer=optimizer)


def recurrent(activation: str) -> Built:
    """Of words."""
    inputs, labels = words()
    cell = [layers.Embedding(20, 4), layers.SimpleRNN(4, activation=activation), layers.Dense(1, "sigmoid")]
    return compiled(keras.Sequential([keras.Input((3,)), *cell])), inputs, labels


def normalised(momentum: float) -> Built:
    """Batch normalisation behind a dense layer."""
    hidden = [layers.Dense(4), layers.BatchNormalization(momentum=momentum), layers.Activation("relu")]
    return of(layers.Dense(1, "sigmoid"), "binary_crossentropy", points()[1], *hidden)


def regularized() -> Built:
    """A penalty on kernels and one on activities, dropout, and weight decay."""
    hidden = [layers.Dense(4, kernel_regularizer="l2", activity_regularizer="l1"), layers.Dropout(0.9)]
    optimizer = keras.optimizers.AdamW(0.01)
    return of(layers.Dense(1, "sigmoid"), "binary_crossentropy", points()[1], *hidden, optimizer=optimizer)


def sequences(**options: Any) -> Built:
    """Numbers at four steps, of which the last two are padding."""
    inputs = np.random.default_rng(0).normal(size=(64, 4, 2)).astype("float32")
    inputs[:, 2:] = 0
    start = keras.Input((4, 2), batch_size=32 if options else None)
    model = keras.Sequential([start, layers.GRU(4, **options), layers.Dense(1, "sigmoid")])
    return compiled(model), inputs, (inputs[:, 0, 0] > 0).astype("int32")


def scheduled() -> Built:
    """A cosine decay that ends after 6 of 24 steps."""
    return deep(optimizer=keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.5, 6)))


def with_long_row() -> Built:
    """The first row is a thousand times too long."""
    model, inputs, targets = dense()
    inputs = inputs.copy()
    inputs[0] *= 1000
    return model, inputs, targets


NUMBERS = np.random.default_rng(1).normal(5000, 300, (60, 1)).astype("float32")


def test_every_remedy_can_be_done_and_is_suggested_against_something() -> None:
    assert set(KERAS_REMEDIES) == set(for_any_model())
    assert set(causes.network_remedies(*causes.cause_names())) == set(for_any_model())
    of_variants = {each.remedy for cause in causes.TABLE for each in cause.remedies}
    assert all(REMEDIES[name].overrides is not None for name in of_variants)
    assert of_variants | set(for_any_model()) == set(REMEDIES)


def test_what_replaces_the_model_says_so() -> None:
    with remembering_compile():
        reasons = inapplicable(trial(deep(), may_rebuild=False), was_traced=False)
    replacing = {name for name in for_any_model() if not REMEDIES[name].in_place}
    assert {name for name, reason in reasons.items() if "another model" in reason} == replacing


def rate(made: Trial) -> float:
    return float(made.model.optimizer.learning_rate)


def activations(made: Trial) -> list[str]:
    return [layer.activation.__name__ for layer in made.model.layers if "activation" in vars(layer)]


class OwnStep(keras.Sequential):
    """A model whose step does not scale its loss."""

    def train_step(self, data: Any) -> Any:
        """Take Keras's step, which here stands for one that forgets the scale."""
        return super().train_step(data)


def own_step() -> Built:
    """Loss scaling in the optimizer only."""
    model = OwnStep([keras.Input((2,)), layers.Dense(1, "sigmoid")])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
    return compiled(model, optimizer=optimizer), *points()


# What is tried, and what must be so then.
CHANGES: dict[str, tuple[Callable[[], Built], Callable[[Trial], Any], Any]] = {
    "smaller_steps": (dense, rate, pytest.approx(0.001)),
    "much_smaller_steps": (dense, rate, pytest.approx(0.0001)),
    "larger_steps": (dense, rate, pytest.approx(0.1)),
    "much_larger_steps": (dense, rate, pytest.approx(1.0)),
    "adam": (
        lambda: deep(),
        lambda made: (type(made.model.optimizer).__name__, rate(made)),
        ("Adam", pytest.approx(0.001)),
    ),
    "clipped_gradients": (dense, lambda made: made.model.optimizer.global_clipnorm, 1.0),
    "longer": (dense, lambda made: made.arguments["epochs"], 32),
    "shorter": (dense, lambda made: made.arguments["epochs"], 2),
    "class_weights": (
        lambda: of(layers.Dense(1, "sigmoid"), "binary_crossentropy", np.array([0] * 75 + [1] * 25)),
        lambda made: made.arguments["class_weight"],
        {0: pytest.approx(2 / 3), 1: 2.0},
    ),
    "fresh_kernels": (
        lambda: of(layers.Dense(1, kernel_initializer="zeros", bias_initializer="ones"), "mse", NUMBERS),
        lambda made: [bool(np.asarray(weight).any()) for weight in made.model.weights],
        [True, False],
    ),
    "leaky_units": (lambda: deep("relu"), activations, ["leaky_relu"] * 3 + ["sigmoid"]),
    "rectified_units": (deep, activations, ["relu"] * 3 + ["sigmoid"]),
    "bounded_cells": (
        lambda: recurrent("relu"),
        lambda made: made.model.layers[1].cell.activation.__name__,
        "tanh",
    ),
    "quicker_statistics": (lambda: normalised(0.99), lambda made: made.model.layers[1].momentum, 0.9),
    "weight_penalty": (lambda: deep(), lambda made: len(made.model.losses), 4),
    "batch_normalization": (
        deep,
        lambda made: [type(layer).__name__ for layer in made.model.layers[1:4]],
        ["Dense", "BatchNormalization", "Activation"],
    ),
    "dropout": (
        deep,
        lambda made: [type(layer).__name__ for layer in made.model.layers[1:5]],
        ["Dense", "Dropout", "Dense", "Dropout"],
    ),
    "wider_layers": (
        deep,
        lambda made: [
            layer.units / old.units for layer, old in zip(made.model.layers[1:], deep()[0].layers, strict=True)
        ],
        [WIDER, WIDER, WIDER, 1],
    ),
    "constant_rate": (scheduled, rate, pytest.approx(0.5)),
    "stretched_schedule": (
        scheduled,
        lambda made: [float(made.model.optimizer._learning_rate(step)) > 0.005 for step in (6, 20, 24)],
        [True, True, False],
    ),
    "larger_batches": (dense, lambda made: made.arguments["batch_size"], 128),
    "no_long_rows": (with_long_row, lambda made: len(made.data[0]), len(points()[0]) - 1),
    "clipped_columns": (with_long_row, lambda made: bool(np.abs(made.data[0]).max() < 100), True),
    "padding_in_front": (sequences, lambda made: made.data[0].any(axis=(0, 2)).tolist(), [False, False, True, True]),
    "no_penalties": (regularized, lambda made: len(made.model.losses), 0),
    "no_weight_decay": (regularized, lambda made: made.model.optimizer.weight_decay, 0),
    "no_dropout": (regularized, lambda made: made.model.layers[1].rate, 0),
    "step_each_batch": (
        lambda: deep(optimizer=keras.optimizers.SGD(0.1, gradient_accumulation_steps=9)),
        lambda made: made.model.optimizer.gradient_accumulation_steps,
        None,
    ),
    "unscaled_loss": (own_step, lambda made: type(made.model.optimizer).__name__, "SGD"),
    "rows_in_order": (lambda: sequences(stateful=True), lambda made: made.arguments["shuffle"], False),
    "stateless_layers": (lambda: sequences(stateful=True), lambda made: made.model.layers[0].stateful, False),
    "masked_padding": (sequences, lambda made: type(made.model.layers[1]).__name__, "Masking"),
    "residual": (
        deep,
        lambda made: sum(isinstance(layer, layers.Add) for layer in made.model.layers),
        2,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_a_remedy_changes_what_it_says_and_the_model_trains(name: str) -> None:
    make, found, wanted = CHANGES[name]
    with remembering_compile():
        made = trial(make())
        said = apply([name], made)
    assert found(made) == wanted
    assert said
    assert not said.endswith(".")
    made.model.run_eagerly = True  # a graph takes longest
    logs = made.model.fit(*made.data, verbose=0, **{**made.arguments, "epochs": 1}).history
    assert np.isfinite(logs["loss"]).all()


STOP = keras.callbacks.EarlyStopping
ARGUMENTS: dict[str, tuple[dict[str, Any], Callable[[Trial], Any], Any]] = {
    "no_early_stopping": (
        {"callbacks": [STOP(), keras.callbacks.TerminateOnNaN()]},
        lambda made: [type(each).__name__ for each in made.arguments["callbacks"]],
        ["TerminateOnNaN"],
    ),
    "patient_stopping": (
        {"callbacks": STOP(patience=2, min_delta=0.3)},
        lambda made: (made.arguments["callbacks"].patience, made.arguments["callbacks"].min_delta),
        (20, 0),
    ),
    "constant_rate": (
        {"callbacks": [keras.callbacks.LearningRateScheduler(lambda epoch: 0.5 / 10**epoch)]},
        lambda made: (rate(made), made.arguments["callbacks"]),
        (0.5, []),
    ),
    "shuffled_rows": ({"shuffle": False}, lambda made: made.arguments["shuffle"], True),
    "unit_weights": (
        {"sample_weight": np.full(96, 1e-6)},
        lambda made: float(made.arguments["sample_weight"].mean()),
        pytest.approx(1),
    ),
    "no_weights": (
        {"class_weight": {0: 1, 1: 99}},
        lambda made: made.arguments["class_weight"],
        None,
    ),
    "shuffled_split": (
        {"validation_split": 0.5},
        lambda made: np.array_equal(np.sort(made.data[0][:, 0]), np.sort(points()[0][:, 0])),
        True,
    ),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_remedy_changes_arguments_of_fit(name: str) -> None:
    arguments, found, wanted = ARGUMENTS[name]
    made = trial(dense(), **arguments)
    assert apply([name], made)
    assert found(made) == wanted


def test_batches_of_a_dataset_are_shuffled_and_enlarged() -> None:
    rows = np.arange(60, dtype="float32")[:, None]
    dataset = tf.data.Dataset.from_tensor_slices((rows, rows)).batch(10)
    for name, sizes in {"shuffled_rows": [10] * 6, "larger_batches": [40, 20]}.items():
        made = Trial(dense()[0], {}, {"x": dataset}, may_rebuild=False)
        apply([name], made)
        batches = [np.asarray(x) for x, _ in made.arguments["x"]]
        assert [len(each) for each in batches] == sizes
        drawn = np.concatenate(batches)
        assert np.array_equal(drawn, rows) == (name == "larger_batches")
        np.testing.assert_array_equal(np.sort(drawn, axis=0), rows)


def test_fresh_kernels_of_recurrent_layers_are_keras_own() -> None:
    inputs, labels = words()
    cell = [layers.Embedding(20, 4), layers.LSTM(4, recurrent_initializer="zeros"), layers.Dense(1, "sigmoid")]
    made = trial((compiled(keras.Sequential([keras.Input((3,)), *cell])), inputs, labels))
    apply(["fresh_kernels"], made)
    drawn = made.model.layers[1].cell
    recurrent = np.asarray(drawn.recurrent_kernel)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(4), atol=1e-5)
    np.testing.assert_array_equal(np.asarray(drawn.bias), np.repeat([0, 1, 0, 0], 4))


def test_wider_layers_do_not_undo_what_was_done_to_kernels() -> None:
    hidden = [layers.Dense(4, "tanh", kernel_initializer="zeros") for _ in range(2)]
    with remembering_compile():
        made = trial(of(layers.Dense(1, "sigmoid"), "binary_crossentropy", points()[1], *hidden))
        said = apply(["fresh_kernels", "wider_layers"], made)
    kernel = np.asarray(made.model.layers[1].kernel)
    assert kernel.shape == (2, 4 * WIDER)
    assert kernel.std() > 0.1
    assert "glorot_uniform" in said


def test_a_penalty_outlives_another_model() -> None:
    with remembering_compile():
        made = trial(deep())
        apply(["weight_penalty", "dropout"], made)
    assert len(made.model.losses) == 4


def test_compile_is_as_it_was_afterwards() -> None:
    before = keras.Model.compile
    with remembering_compile():
        assert keras.Model.compile is not before
    assert keras.Model.compile is before
    assert "compile" not in vars(keras.Model)


@pytest.mark.slow
def test_a_rebuilt_model_has_the_weights_and_the_metrics_of_the_first() -> None:
    with remembering_compile():
        made = trial(deep(optimizer=keras.optimizers.SGD(0.25)))
        before = made.model
        apply(["batch_normalization"], made)
    assert made.model is not before
    kernels = {layer.name: np.asarray(layer.kernel) for layer in before.layers}
    for layer in made.model.layers:
        if isinstance(layer, layers.Dense):
            np.testing.assert_array_equal(np.asarray(layer.kernel), kernels[layer.name])
    assert rate(made) == 0.25
    assert "accuracy" in made.model.fit(*made.data, verbose=0).history


def test_inputs_are_standardised_by_what_is_trained_on_alone() -> None:
    model, inputs, labels = dense()
    made = Trial(model, {TRAIN: (1000 * inputs + 7, labels), "test": (1000 * inputs[:9] + 7, labels[:9])}, {}, True)
    apply(["scaled_inputs"], made)
    scaled, _ = made.data
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(made.parts["test"][0], scaled[:9])


def test_a_column_that_does_not_vary_becomes_0_and_images_go_by_channel() -> None:
    model, inputs, labels = dense()
    made = trial((model, np.column_stack([inputs[:, 0], np.full(len(inputs), 3.0)]), labels))
    apply(["scaled_inputs"], made)
    assert not made.data[0][:, 1].any()
    pictures, classes = images()
    pictures[..., 1] += 100
    made = trial((model, pictures, classes))
    apply(["scaled_inputs"], made)
    np.testing.assert_allclose(made.data[0].mean(axis=(0, 1, 2)), 0, atol=1e-4)


def test_targets_are_standardised_and_classes_are_not() -> None:
    made = trial(of(layers.Dense(1), "mse", NUMBERS))
    apply(["scaled_targets"], made)
    assert made.data[1].shape == NUMBERS.shape
    assert abs(made.data[1].mean()) < 1e-4
    with pytest.raises(InapplicableError, match="its targets are classes"):
        apply(["scaled_targets"], trial(dense()))


def test_rows_with_a_hole_are_left_out() -> None:
    model, inputs, labels = dense()
    inputs = inputs.copy()
    inputs[[3, 5], 0] = [np.nan, np.inf]
    made = trial((model, inputs, labels))
    apply(["finite_rows"], made)
    np.testing.assert_array_equal(made.data[0], np.delete(inputs, [3, 5], axis=0))
    np.testing.assert_array_equal(made.data[1], np.delete(labels, [3, 5]))


TEN = np.arange(60) % 3
OUTPUTS = {
    "one softmax unit": (
        lambda: of(layers.Dense(1, "softmax"), "binary_crossentropy", TEN % 2),
        ("sigmoid", "binary_crossentropy"),
    ),
    "numbers behind relu": (
        lambda: of(layers.Dense(1, "relu"), "mae", -NUMBERS),
        ("linear", "mean_squared_error"),
    ),
    "classes behind sigmoid": (
        lambda: of(layers.Dense(3, "sigmoid"), "mse", np.eye(3)[TEN]),
        ("softmax", "categorical_crossentropy"),
    ),
    "labels behind nothing": (
        lambda: of(layers.Dense(3), "sparse_categorical_crossentropy", TEN),
        ("softmax", "sparse_categorical_crossentropy"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", OUTPUTS)
def test_output_and_loss_are_made_to_fit_the_targets(kind: str) -> None:
    make, wanted = OUTPUTS[kind]
    with remembering_compile():
        made = trial(make())
        apply(["fitting_output"], made)
    assert (activations(made)[-1], made.model.loss) == wanted
    assert np.isfinite(made.model.fit(*made.data, verbose=0).history["loss"]).all()
    with pytest.raises(InapplicableError, match="already"):
        apply(["fitting_output"], made)


def test_a_model_that_fit_would_build_is_built() -> None:
    with remembering_compile():
        made = trial(unbuilt())
        apply(["fresh_kernels"], made)
    assert made.model.built


@pytest.mark.slow
def test_layers_that_compile_left_frozen_are_trained() -> None:
    model, inputs, labels = deep()
    with remembering_compile():
        model.trainable = False
        model.compile("sgd", "binary_crossentropy")
        model.trainable = True
        made = trial((model, inputs, labels))
        before = np.asarray(model.layers[0].kernel)
        apply(["trained_layers"], made)
    model.fit(inputs, labels, verbose=0)
    assert (np.asarray(model.layers[0].kernel) != before).any()


SCHEDULE = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
REFUSED: dict[str, tuple[str, Callable[[], Trial], str]] = {
    "function": (
        "smaller_steps",
        lambda: trial(deep(optimizer=keras.optimizers.SGD(lambda: 0.1))),
        "Keras cannot copy its schedule of learning rates",
    ),
    "adam": ("adam", lambda: trial(deep(optimizer="adam")), "it is trained by Adam at 0.001 already"),
    "clipped": (
        "clipped_gradients",
        lambda: trial(deep(optimizer=keras.optimizers.SGD(clipvalue=1.0))),
        "its gradients are clipped already",
    ),
    "one epoch": ("shorter", lambda: trial(dense(), epochs=1), "it has only one epoch"),
    "no arrays": ("scaled_inputs", lambda: Trial(dense()[0], {}, {}, True), "the training data are not arrays"),
    "words": ("scaled_inputs", lambda: trial(recurrent("tanh")), "its inputs are ids, which an embedding looks up"),
    "finite": ("finite_rows", lambda: trial(dense()), "all its numbers are finite"),
    "weighted": ("finite_rows", lambda: trial(dense(), sample_weight=np.ones(96)), "its rows have weights"),
    "numbers": (
        "class_weights",
        lambda: trial(of(layers.Dense(1), "mse", NUMBERS)),
        "its targets are not classes",
    ),
    "ten classes": (
        "fitting_output",
        lambda: trial(of(layers.Dense(1), "mse", TEN)),
        "its output has 1 unit, and there are 3 classes",
    ),
    "an output of a layer without activation": (
        "fitting_output",
        lambda: trial(of(layers.Softmax(), "mse", TEN, layers.Dense(1))),
        "its last layer, a Softmax, has no activation to change",
    ),
    "not rectified": ("leaky_units", lambda: trial(deep()), "no hidden layer uses ReLU"),
    "recurrent": ("rectified_units", lambda: trial(recurrent("tanh")), "do not saturate, except recurrent layers"),
    "bounded": ("bounded_cells", lambda: trial(recurrent("tanh")), "no recurrent layer has an unbounded activation"),
    "quick": ("quicker_statistics", lambda: trial(normalised(0.9)), "no batch normalisation has a momentum above"),
    "normalised": ("batch_normalization", lambda: trial(residual()), "it has batch normalisation already"),
    "shapes": ("residual", lambda: trial(of(layers.Dense(1), "mse", NUMBERS, layers.Dense(4))), "no hidden layer's"),
    "rate": ("constant_rate", lambda: trial(deep()), "its learning rate is constant already"),
    "long schedule": (
        "stretched_schedule",
        lambda: trial(deep(optimizer=keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.5, 999)))),
        "its schedule lasts as long as the training",
    ),
    "patient": (
        "patient_stopping",
        lambda: trial(dense(), callbacks=[STOP(patience=15)]),
        "its `EarlyStopping` has a patience of 15 already",
    ),
    "generator": (
        "shuffled_rows",
        lambda: Trial(dense()[0], {}, {"x": iter([])}, True),
        "its batches come from a generator",
    ),
    "own scale": ("unscaled_loss", lambda: trial(deep()), "its optimizer expects no scaled loss"),
    "masking": ("masked_padding", lambda: trial(sequences(), may_rebuild=False), "it needs another model"),
    "script": ("residual", lambda: trial(deep(), may_rebuild=False), "the script keeps using the old one"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_done_is_said(kind: str) -> None:
    name, make, said = REFUSED[kind]
    with remembering_compile():
        made = make()
        assert said in inapplicable(made, was_traced=False)[name]
        with pytest.raises(InapplicableError, match=said):
            apply([name], made)


@pytest.mark.slow
def test_a_scheduled_learning_rate_is_scaled_at_each_step() -> None:
    with remembering_compile():
        made = trial(deep(optimizer=keras.optimizers.SGD(SCHEDULE)))
        said = apply(["smaller_steps"], made)
        assert said == "0.1 times the learning rates of the ExponentialDecay"
        apply(["larger_steps", "trained_layers"], made)  # again, and through a copy of the optimizer
    optimizer = made.model.optimizer
    for step in (0, 5, 40):
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == pytest.approx(float(SCHEDULE(step)))
    assert np.isfinite(made.model.fit(*made.data, verbose=0).history["loss"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [lambda epoch: 0.5, lambda epoch, rate: 0.5 * rate])
def test_a_callback_that_sets_the_learning_rate_sets_the_scaled_one(schedule: Callable[..., float]) -> None:
    callback = keras.callbacks.LearningRateScheduler(schedule)
    made = trial(deep(optimizer=keras.optimizers.SGD(1.0)), callbacks=[callback], epochs=1)
    assert "0.1 times the learning rates of the LearningRateScheduler" in apply(["smaller_steps"], made)
    assert "Adam at the learning rates of the LearningRateScheduler" in apply(["adam"], made)
    made.model.fit(*made.data, verbose=0, **made.arguments)
    assert rate(made) == pytest.approx(0.05 if schedule.__code__.co_argcount == 1 else 0.0005)


class OwnCompile(keras.Model):
    """Compiled by other arguments than Keras's models."""

    def __init__(self) -> None:
        super().__init__()
        self.last = layers.Dense(1, "sigmoid")

    def compile(self, temperature: float) -> None:
        """Its loss and its optimizer are its own."""
        super().compile("sgd", "binary_crossentropy")
        self.temperature = temperature

    def call(self, inputs: Any) -> Any:
        return self.last(inputs / self.temperature)


def test_a_model_whose_own_compile_takes_other_arguments_is_left_as_it_is() -> None:
    with remembering_compile():
        model = OwnCompile()
        model.compile(temperature=2.0)
        made = trial((model, *points()))
        with pytest.raises(InapplicableError, match=r"own `compile` has other arguments .*temperature"):
            apply(["trained_layers"], made)
        assert "own `compile`" in inapplicable(made, was_traced=False)["trained_layers"]
        assert "smaller_steps" not in inapplicable(made, was_traced=False)
        assert "own `compile`" in inapplicable(made, was_traced=True)["smaller_steps"]
    assert model.temperature == 2.0


def test_whatever_fails_on_a_model_of_somebody_elses_cannot_be_done() -> None:
    made = trial(dense())
    made.model.optimizer = None  # as where the model's own `train_step` has two
    with pytest.raises(InapplicableError, match=r"fails on this model \(AttributeError"):
        apply(["smaller_steps"], made)


@pytest.mark.slow
def test_finding_out_what_cannot_be_done_changes_nothing() -> None:
    with remembering_compile():
        made = trial(deep(optimizer=keras.optimizers.SGD(SCHEDULE)))
        before = [np.asarray(weight) for weight in made.model.weights]
        config, compiled_with = made.model.get_config(), made.model.get_compile_config()
        arguments, parts = dict(made.arguments), dict(made.parts)
        reasons = inapplicable(made, was_traced=True)
    assert "quicker_statistics" in reasons
    assert not {"fresh_kernels", "larger_steps", "adam", "weight_penalty", "longer"} & set(reasons)
    for weight, value in zip(made.model.weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), value)
    assert made.model.get_config() == config
    assert made.model.get_compile_config() == compiled_with
    assert made.arguments == arguments
    assert all(made.parts[name] is parts[name] for name in parts)


def test_hidden_layers_without_an_activation_get_one_where_none_has() -> None:
    made = trial(deep("linear"))
    apply(["rectified_units"], made)
    assert activations(made) == ["relu"] * 3 + ["sigmoid"]
    with_one = trial(of(layers.Dense(1), "mse", NUMBERS, layers.Dense(4), layers.LeakyReLU(), layers.Dense(4)))
    with pytest.raises(InapplicableError, match="its hidden layers do not saturate, except recurrent layers"):
        apply(["rectified_units"], with_one)


def test_what_helped_in_our_runs_is_suggested_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "_table", lambda: {"unexplained": {"adam": [9, 10], "larger_steps": [1, 10]}})
    assert causes.network_remedies("unexplained") == [
        *("adam", "smaller_steps", "larger_steps", "wider_layers", "rectified_units"),
    ]
    assert (
        causes.tries("unexplained", Setting())[0]
        == "another learning rate, or Adam (fixed 9 of 10 failing runs in our benchmark)"
    )
    monkeypatch.setattr(measured, "_table", lambda: {"saturated": {"scaled_inputs": [0, 10]}})
    assert causes.network_remedies("saturated")[-1] == "scaled_inputs"
    assert measured.counts("saturated", "scaled_inputs").promise == pytest.approx(1 / 12)
