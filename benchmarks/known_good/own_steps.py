"""Models with a step or a call of their own: distillation, subclasses, accumulated gradients."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score

from benchmarks.known_good.good_program import Expected, GoodProgram, Prepared, mixed, parts, predictions


@keras.saving.register_keras_serializable("known_good")
class Distiller(keras.Model):
    """A student that learns from labels and from a trained teacher's softened logits."""

    def __init__(self, student: keras.Model, teacher: keras.Model, **options: Any) -> None:
        super().__init__(**options)
        self.student, self.teacher = student, teacher
        self.teacher.trainable = False

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the student's logits."""
        return self.student(inputs, training=training)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take a step of both losses."""
        inputs, labels = data
        soft = ops.softmax(self.teacher(inputs, training=False) / 3.0)
        with tf.GradientTape() as tape:
            logits = self(inputs, training=True)
            distilled = ops.mean(keras.losses.kl_divergence(soft, ops.softmax(logits / 3.0))) * 9.0
            loss = 0.3 * self.compute_loss(inputs, labels, logits) + 0.7 * distilled
        weights = self.student.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        for metric in self.metrics:
            metric.update_state(loss) if metric.name == "loss" else metric.update_state(labels, logits)
        return self.get_metrics_result()


def distillation(seed: int) -> Prepared:
    """A wide teacher of digits, trained first, and a student of sixteen units."""
    flat, labels = mixed(seed, *load_digits(return_X_y=True))
    train, validation, test = parts((flat / 16).astype("float32"), labels)
    teacher = keras.Sequential([keras.Input((64,)), layers.Dense(256, activation="relu"), layers.Dense(10)])
    student = keras.Sequential([keras.Input((64,)), layers.Dense(16, activation="relu"), layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def before() -> None:
        teacher.trainable = True
        teacher.compile("adam", loss)
        teacher.fit(*train, epochs=20, verbose=0)
        teacher.trainable = False

    model = Distiller(student, teacher)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=[keras.metrics.SparseCategoricalAccuracy()])
    return Prepared(
        model,
        {"x": train[0], "y": train[1], "validation_data": validation, "epochs": 40, "batch_size": 32},
        lambda: float((predictions(model, test[0]).argmax(axis=1) == test[1]).mean()),
        lambda: float(LogisticRegression(max_iter=500).fit(*train).score(*test)),
        train,
        before,
    )


@keras.saving.register_keras_serializable("known_good")
class WideAndDeep(keras.Model):
    """A subclass: a linear path beside two hidden layers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.hidden = [layers.Dense(32, activation="relu") for _ in range(2)]
        self.output_layer = layers.Dense(1)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return one number a row."""
        deep = inputs
        for layer in self.hidden:
            deep = layer(deep)
        return self.output_layer(ops.concatenate([inputs, deep], axis=-1))


def _energy(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scaled columns and the energy that a building needs."""
    random = np.random.default_rng(seed)
    columns = random.uniform(-1, 1, (4000, 8)).astype("float32")
    need = 1.5 * columns[:, 0] - columns[:, 1] + 1.2 * columns[:, 2] * columns[:, 3] + np.cos(3 * columns[:, 4])
    return columns, (need + random.normal(0, 0.25, 4000)).astype("float32")


def _trees(train: tuple[np.ndarray, ...], test: tuple[np.ndarray, ...]) -> float:
    return r2_score(test[1], HistGradientBoostingRegressor(max_iter=150).fit(*train).predict(test[0]))


def subclassed_wide_and_deep(seed: int) -> Prepared:
    """A subclassed model of a building's energy, with Keras's own step."""
    train, validation, test = parts(*_energy(seed))
    model = WideAndDeep()
    model.compile(keras.optimizers.Adam(2e-3), "mse", metrics=["mae"])
    return Prepared(
        model,
        {"x": train[0], "y": train[1], "validation_data": validation, "epochs": 25, "batch_size": 32},
        lambda: r2_score(test[1], predictions(model, test[0])),
        lambda: _trees(train, test),
        train,
    )


@keras.saving.register_keras_serializable("known_good")
class NoisyInputs(keras.Model):
    """A functional model whose step adds noise to the inputs."""

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take a step at noisy inputs."""
        inputs, targets = data
        noisy = inputs + tf.random.normal(tf.shape(inputs), stddev=0.03)
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=targets, y_pred=self(noisy, training=True))
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
        return {metric.name: metric.result() for metric in self.metrics if metric.name == "loss"}


def noisy_inputs(seed: int) -> Prepared:
    """The same building, by a functional model with a step that adds noise to its inputs."""
    train, validation, test = parts(*_energy(seed))
    inputs = keras.Input((8,))
    hidden = layers.Dense(48, activation="relu")(layers.Dense(48, activation="relu")(inputs))
    model = NoisyInputs(inputs, layers.Dense(1)(hidden))
    model.compile(keras.optimizers.Adam(2e-3), "mse")
    return Prepared(
        model,
        {"x": train[0], "y": train[1], "validation_data": validation, "epochs": 25, "batch_size": 32},
        lambda: r2_score(test[1], predictions(model, test[0])),
        lambda: _trees(train, test),
        train,
    )


def accumulated_gradients(seed: int) -> Prepared:
    """Small batches whose gradients are summed over four steps, by the optimizer's own option."""
    train, validation, test = parts(*_energy(seed))
    hidden = [layers.Dense(64, activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.Input((8,)), *hidden, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(3e-3, gradient_accumulation_steps=4, global_clipnorm=5.0), "mse")
    return Prepared(
        model,
        {"x": train[0], "y": train[1], "validation_data": validation, "epochs": 25, "batch_size": 16},
        lambda: r2_score(test[1], predictions(model, test[0])),
        lambda: _trees(train, test),
        train,
    )


PROGRAMS = (
    GoodProgram(
        distillation,
        "own step",
        "keras.io: knowledge distillation",
        Expected("accuracy", "logistic regression", 0.02, 0.92),
    ),
    GoodProgram(
        subclassed_wide_and_deep,
        "own step",
        "Géron's textbook: a subclassed wide and deep model",
        Expected("R2", "gradient boosted trees", 0.02, 0.9),
    ),
    GoodProgram(
        noisy_inputs,
        "own step",
        "Keras guide: customizing what happens in fit",
        Expected("R2", "gradient boosted trees", 0.02, 0.9),
    ),
    GoodProgram(
        accumulated_gradients,
        "own step",
        "Keras's gradient accumulation",
        Expected("R2", "gradient boosted trees", 0.02, 0.9),
    ),
)
