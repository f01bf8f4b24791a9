"""Faults of the update: steps that move no weight, weights that no step moves."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops, optimizers
from sklearn.datasets import load_breast_cancer, make_friedman1

from benchmarks.known_faults.parts import compile_model, digits, stack, standardised
from benchmarks.known_faults.program import Program, ProgramData


def weights_of_a_survey_data(repaired: bool) -> ProgramData:
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(41).permutation(len(x))
    x, y = standardised(x[order]), y[order].astype("int32")
    return ProgramData(x[:420], y[:420], x[420:], y[420:])


def weights_of_a_survey_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(16, "tanh"), layers.Dense(1, "sigmoid")]
    return compile_model(stack(30, *sequence), optimizers.SGD(0.05), "binary_crossentropy")


def weights_of_a_survey_fit(repaired: bool) -> dict[str, Any]:
    """Weight each row by its share of a population of 300,000."""
    weights = np.random.default_rng(42).uniform(0.5, 1.5, 420) / 300_000
    return {"sample_weight": weights / weights.mean() if repaired else weights}


def digits_data(repaired: bool) -> ProgramData:
    return digits()


def never_enough_batches_model(repaired: bool) -> keras.Model:
    """Sum the gradients of many batches before each step; one epoch has 41 batches."""
    optimizer = optimizers.Adam(0.01, gradient_accumulation_steps=4 if repaired else 1000)
    sequence = [layers.Dense(32, "relu"), layers.Dense(10, "softmax")]
    return compile_model(stack(64, *sequence), optimizer, "sparse_categorical_crossentropy")


@keras.saving.register_keras_serializable("known_faults")
class HalfPrecisionStep(keras.Model):
    """A model whose step scales its loss, or forgets to."""

    scales_loss = False

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take a step."""
        inputs, targets = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(inputs, targets, self(inputs, training=True))
            scaled = self.optimizer.scale_loss(loss) if self.scales_loss else loss
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, weights), weights, strict=True))
        return {"loss": loss}


def unscaled_half_precision_data(repaired: bool) -> ProgramData:
    x, y = make_friedman1(1100, 8, noise=0.3, random_state=43)
    x, y = standardised(x), standardised(y[:, None])
    return ProgramData(x[:800], y[:800], x[800:], y[800:])


def unscaled_half_precision_model(repaired: bool) -> keras.Model:
    rows = keras.Input((8,))
    hidden = layers.Dense(32, "relu", dtype="mixed_float16")(rows)
    hidden = layers.Dense(16, "relu", dtype="mixed_float16")(hidden)
    model = HalfPrecisionStep(rows, layers.Dense(1, dtype="float32")(hidden))
    model.scales_loss = repaired
    return compile_model(model, optimizers.LossScaleOptimizer(optimizers.SGD(0.05, momentum=0.9)), "mse")


@keras.saving.register_keras_serializable("known_faults")
class Projection(layers.Layer):
    """A dense tanh layer, whose kernel Keras knows or not."""

    def __init__(self, units: int, is_tracked: bool, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.is_tracked = units, is_tracked

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Draw the kernel."""
        size = (int(shape[-1] or 0), self.units)
        draw = keras.initializers.GlorotUniform()
        self.projection = self.add_weight(shape=size) if self.is_tracked else tf.Variable(draw(size))

    def call(self, inputs: Any) -> Any:
        """Return the projected rows."""
        return ops.tanh(ops.matmul(inputs, self.projection))


def own_kernel_model(repaired: bool) -> keras.Model:
    model = stack(64, Projection(6, is_tracked=repaired), layers.Dense(10, "softmax"))
    return compile_model(model, optimizers.Adam(0.01), "sparse_categorical_crossentropy")


class Blocks:
    """Layers in an object that Keras does not look into."""

    def __init__(self) -> None:
        self.layers = [layers.Dense(32, "relu"), layers.Dense(3, "tanh")]

    def __call__(self, rows: Any) -> Any:
        for layer in self.layers:
            rows = layer(rows)
        return rows


@keras.saving.register_keras_serializable("known_faults")
class HiddenBlocks(keras.Model):
    """A model whose first layers are in an object of its own, and known to Keras or not."""

    def __init__(self, is_tracked: bool, **options: Any) -> None:
        super().__init__(**options)
        self.blocks = Blocks()
        if is_tracked:
            self.tracked_layers = self.blocks.layers
        self.outputs_layer = layers.Dense(1)

    def call(self, inputs: Any) -> Any:
        """Return one number a row."""
        return self.outputs_layer(self.blocks(inputs))


def blocks_in_an_object_data(repaired: bool) -> ProgramData:
    random = np.random.default_rng(44)
    x = random.uniform(-2, 2, (1200, 6)).astype("float32")
    y = standardised((x[:, :1] * x[:, 1:2] + np.sin(2 * x[:, 2:3])) + random.normal(0, 0.1, (1200, 1)))
    return ProgramData(x[:900], y[:900], x[900:], y[900:])


def blocks_in_an_object_model(repaired: bool) -> keras.Model:
    model = HiddenBlocks(repaired)
    model(np.zeros((1, 6), "float32"))
    return compile_model(model, optimizers.Adam(0.01), "mse")


MORE = (
    Program(
        name="weights_of_a_survey",
        fault="Sample weights of some 3e-6, so that no step moves any weight.",
        remedy="Sample weights of mean 1.",
        truth=("lost_updates",),
        also=("learning_rate_too_small",),
        learned={"accuracy": 0.88},
        epochs=20,
        batch_size=16,
        data=weights_of_a_survey_data,
        model=weights_of_a_survey_model,
        fit=weights_of_a_survey_fit,
    ),
    Program(
        name="never_enough_batches",
        fault="The optimizer sums gradients over 1,000 batches before it takes a step, and `fit` has 410.",
        remedy="Sums over four batches.",
        truth=("lost_updates",),
        also=(),
        learned={"accuracy": 0.85},
        epochs=10,
        batch_size=32,
        data=digits_data,
        model=never_enough_batches_model,
    ),
    Program(
        name="unscaled_half_precision",
        fault="A training step of its own forgets to scale the loss, by which the optimizer divides the gradients.",
        remedy="The loss scaled by the optimizer.",
        truth=("lost_updates",),
        also=("learning_rate_too_small",),
        learned={"r2": 0.7},
        epochs=20,
        batch_size=32,
        data=unscaled_half_precision_data,
        model=unscaled_half_precision_model,
    ),
    Program(
        name="own_kernel",
        fault="A layer of its own keeps its kernel in a `tf.Variable`, which Keras does not train.",
        remedy="The kernel made by `add_weight`.",
        truth=("untracked_weights",),
        also=("frozen",),
        learned={"accuracy": 0.88},
        epochs=20,
        batch_size=32,
        data=digits_data,
        model=own_kernel_model,
    ),
    Program(
        name="blocks_in_an_object",
        fault="The first layers are attributes of a plain object, and Keras trains the last layer alone.",
        remedy="The same layers as attributes of the model.",
        truth=("untracked_weights",),
        also=("frozen",),
        learned={"r2": 0.7},
        epochs=30,
        batch_size=32,
        data=blocks_in_an_object_data,
        model=blocks_in_an_object_model,
    ),
)
