"""Losses, metrics and class weights that do not read the targets as they are."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops, optimizers
from sklearn.datasets import load_breast_cancer, make_friedman1

from benchmarks.known_faults.parts import compile_model, digits, one_hot, stack, standardised
from benchmarks.known_faults.program import LOGGED, Program, ProgramData


def friedman_data(repaired: bool) -> ProgramData:
    x, y = make_friedman1(1200, 8, noise=0.3, random_state=71)
    x, y = standardised(x), standardised(y)
    return ProgramData(x[:900], y[:900], x[900:], y[900:])


@keras.saving.register_keras_serializable("known_faults")
class OwnError(keras.Model):
    """A model whose step subtracts targets (n,) from outputs (n, 1), or from the same outputs as (n,)."""

    is_flat = False

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take a step of the mean absolute difference."""
        inputs, targets = data
        with tf.GradientTape() as tape:
            outputs = self(inputs, training=True)
            difference = (outputs[:, 0] if self.is_flat else outputs) - targets
            loss = tf.reduce_mean(tf.abs(difference))
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": loss}


def differences_of_all_pairs_model(repaired: bool) -> keras.Model:
    rows = keras.Input((8,))
    hidden = layers.Dense(24, "relu")(layers.Dense(48, "relu")(rows))
    model = OwnError(rows, layers.Dense(1)(hidden))
    model.is_flat = repaired
    return compile_model(model, optimizers.Adam(0.005), "mae")


def tumours_data(repaired: bool) -> ProgramData:
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(72).permutation(len(x))
    x, y = standardised(x[order]), y[order].astype("float32")
    return ProgramData(x[:420], y[:420], x[420:], y[420:])


@keras.saving.register_keras_serializable("known_faults")
class Likelihood(keras.losses.Loss):
    """The cross-entropy of two classes from logits, whose shape is that of the targets or not."""

    def __init__(self, is_flat: bool) -> None:
        super().__init__()
        self.is_flat = is_flat

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the negative logarithm of the likelihood."""
        logits = y_pred[:, 0] if self.is_flat else y_pred
        return ops.mean(ops.softplus(logits) - y_true * logits)


def likelihood_of_all_pairs_model(repaired: bool) -> keras.Model:
    model = stack(30, layers.Dense(16, "relu"), layers.Dense(1))
    return compile_model(model, optimizers.Adam(0.005), Likelihood(repaired))


def digits_data(repaired: bool) -> ProgramData:
    return digits()


def metric_of_one_hot_labels_model(repaired: bool) -> keras.Model:
    metrics = keras.metrics
    metric = metrics.SparseCategoricalAccuracy if repaired else metrics.CategoricalAccuracy
    model = stack(64, layers.Dense(32, "relu"), layers.Dense(10, "softmax"))
    loss = "sparse_categorical_crossentropy"
    return compile_model(model, optimizers.Adam(0.003), loss, metrics=[metric(name="accuracy")])


def column_of_targets_data(repaired: bool) -> ProgramData:
    x, y, x_held_out, y_held_out = friedman_data(repaired)
    return ProgramData(x, y[:, None], x_held_out, y_held_out[:, None])


def accuracy_of_a_regression_model(repaired: bool) -> keras.Model:
    metric = keras.metrics.R2Score() if repaired else "accuracy"
    model = stack(8, layers.Dense(48, "relu"), layers.Dense(24, "relu"), layers.Dense(1))
    return compile_model(model, optimizers.Adam(0.005), "mse", metrics=[metric])


def rare_events_data(repaired: bool) -> ProgramData:
    """Return rows of which one in fifteen is an event, whose five columns are larger on average."""
    random = np.random.default_rng(73)
    y = (random.random(3000) < 1 / 15).astype("int32")
    x = (random.normal(size=(3000, 10)) + 0.7 * y[:, None] * (np.arange(10) < 5)).astype("float32")
    return ProgramData(x[:2000], y[:2000], x[2000:], y[2000:])


def rare_events_model(repaired: bool) -> keras.Model:
    model = stack(10, layers.Dense(12, "relu"), layers.Dense(1, "sigmoid"))
    return compile_model(model, optimizers.Adam(0.005), "binary_crossentropy")


def weights_from_json_fit(repaired: bool) -> dict[str, Any]:
    weights = {"0": 1.0, "1": 14.0}
    return {"class_weight": {int(label): weight for label, weight in weights.items()} if repaired else weights}


def three_grades_data(repaired: bool) -> ProgramData:
    """Return rows of three grades, one of which is rare, as one-hot rows."""
    random = np.random.default_rng(74)
    grades = random.choice(3, 5000, p=[0.6, 0.38, 0.02])
    centres = np.array([[0, 0, 0, 0, 0, 0], [1.5, 1.5, 0, 0, 0, 0], [0.7, 0.7, 1.2, 1.2, 0, 0]])
    x = (random.normal(size=(5000, 6)) + centres[grades]).astype("float32")
    y = one_hot(grades)
    return ProgramData(x[:3000], y[:3000], x[3000:], y[3000:])


def three_grades_model(repaired: bool) -> keras.Model:
    model = stack(6, layers.Dense(16, "relu"), layers.Dense(3, "softmax"))
    return compile_model(model, optimizers.Adam(0.005), "categorical_crossentropy")


def grades_from_one_fit(repaired: bool) -> dict[str, Any]:
    """Weight the grades 0, 1 and 2, or by mistake 1, 2 and 3."""
    first = 0 if repaired else 1
    return {"class_weight": {first: 1.0, first + 1: 1.6, first + 2: 30.0}}


MORE = (
    Program(
        name="differences_of_all_pairs",
        fault="A step of its own subtracts targets (n,) from outputs (n, 1): the differences are n by n.",
        remedy="Outputs of shape (n,).",
        truth=("output_mismatch",),
        also=(),
        learned={"r2": 0.7},
        epochs=15,
        batch_size=32,
        data=friedman_data,
        model=differences_of_all_pairs_model,
    ),
    Program(
        name="likelihood_of_all_pairs",
        fault="A loss of its own multiplies logits (n, 1) by labels (n,): each logit meets all labels of its batch.",
        remedy="Logits of shape (n,).",
        truth=("output_mismatch",),
        also=(),
        learned={"accuracy": 0.9},
        epochs=15,
        batch_size=32,
        data=tumours_data,
        model=likelihood_of_all_pairs_model,
    ),
    Program(
        name="metric_of_one_hot_labels",
        fault="A metric for one-hot labels on integer labels: it shows some 10%, and the network is good.",
        remedy="The metric for integer labels.",
        truth=("misleading_metric",),
        also=(),
        learned={LOGGED: 0.8},
        epochs=15,
        batch_size=32,
        data=digits_data,
        model=metric_of_one_hot_labels_model,
    ),
    Program(
        name="accuracy_of_a_regression",
        fault="Accuracy, which asks for equal numbers, as the metric of a regression: it stays at 0.",
        remedy="R2 as the metric.",
        truth=("misleading_metric",),
        also=(),
        learned={LOGGED: 0.7},
        epochs=15,
        batch_size=32,
        data=column_of_targets_data,
        model=accuracy_of_a_regression_model,
    ),
    Program(
        name="weights_from_json",
        fault="Class weights whose keys are strings, so that Keras finds none of them.",
        remedy="Integers as keys.",
        truth=("ignored_class_weight",),
        also=("imbalanced",),
        learned={"balanced_accuracy": 0.66},
        epochs=10,
        batch_size=64,
        data=rare_events_data,
        model=rare_events_model,
        fit=weights_from_json_fit,
    ),
    Program(
        name="grades_from_one",
        fault="Class weights with the keys 1, 2 and 3 for the classes 0, 1 and 2: the rare class has no weight.",
        remedy="The keys 0, 1 and 2.",
        truth=("ignored_class_weight",),
        also=("imbalanced",),
        learned={"balanced_accuracy": 0.65},
        epochs=10,
        batch_size=64,
        data=three_grades_data,
        model=three_grades_model,
        fit=grades_from_one_fit,
    ),
)
