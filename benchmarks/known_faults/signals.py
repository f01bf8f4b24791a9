"""Signals that do not get through the layers: dead, saturated, vanishing or exploding ones."""

import keras
import numpy as np
from keras import initializers, layers, optimizers
from sklearn.datasets import load_breast_cancer

from benchmarks.known_faults.parts import compile_model, digits, stack, standardised, two_classes
from benchmarks.known_faults.program import Program, ProgramData


def so_56452176_data(repaired: bool) -> ProgramData:
    x = np.array([[2], [4], [6], [8], [10]], "float32")
    return ProgramData(x, x / 2)


def so_56452176_model(repaired: bool) -> keras.Model:
    first = [layers.Dense(8), layers.LeakyReLU(negative_slope=0.2)] if repaired else [layers.Dense(1, "relu")]
    last = layers.Dense(1, None if repaired else "relu")
    return compile_model(stack(1, *first, layers.Dense(9, "relu"), last), optimizers.Adam(0.01), "mse")


def so_57407973_data(repaired: bool) -> ProgramData:
    return two_classes(1000, 28)


def so_57407973_model(repaired: bool) -> keras.Model:
    sequence = []
    for units in (28, 200, 300, 300, 150):
        sequence += [
            layers.Dense(units, "relu" if repaired else "sigmoid", kernel_initializer="random_normal"),
            layers.Dropout(0.2),
        ]
    last = layers.Dense(1, "sigmoid" if repaired else None, kernel_initializer="random_normal")
    return compile_model(stack(28, *sequence, last), "adam", "binary_crossentropy")


def so_39217567_data(repaired: bool) -> ProgramData:
    words = (np.arange(256)[:, None] >> np.arange(8) & 1).astype("float32")
    return ProgramData(words, words[:, np.random.default_rng(0).permutation(8)])


def so_39217567_model(repaired: bool) -> keras.Model:
    if repaired:
        hidden = [layers.Dense(8, "relu", kernel_initializer="he_normal") for _ in range(2)]
    else:
        hidden = [layers.Dense(8, "sigmoid", kernel_initializer="random_normal") for _ in range(2)]
    last = layers.Dense(8, "sigmoid", kernel_initializer="random_normal")
    return compile_model(stack(8, *hidden, last), optimizers.SGD(0.5), "mse")


def line_of_relus_data(repaired: bool) -> ProgramData:
    x = np.random.default_rng(1).uniform(-1, 5, (384, 1)).astype("float32")
    y = 2 * x - 1
    return ProgramData(x[:256], y[:256], x[256:], y[256:])


def line_of_relus_model(repaired: bool) -> keras.Model:
    sequence = []
    for units in (4, 2):
        sequence += [layers.Dense(units), layers.LeakyReLU(negative_slope=0.2) if repaired else layers.ReLU()]
    return compile_model(
        stack(1, *sequence, layers.Dense(1, None if repaired else "relu")), optimizers.Adam(0.001), "mse"
    )


TIME_STEPS = 160


def lstm_of_relus_data(repaired: bool) -> ProgramData:
    random = np.random.default_rng(2)
    y = random.integers(0, 2, 600).astype("int32")
    angles = np.arange(TIME_STEPS) * np.where(y == 1, 0.3, 0.12)[:, None] + random.uniform(0, 6.28, (600, 1))
    x = (10 * np.sin(angles) + random.normal(0, 0.5, angles.shape)).astype("float32")[..., None]
    return ProgramData(x[:450], y[:450], x[450:], y[450:])


def lstm_of_relus_model(repaired: bool) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((TIME_STEPS, 1)),
            layers.Conv1D(16, 5, padding="same", activation="relu"),
            layers.LSTM(32, activation="tanh" if repaired else "relu"),
            layers.Dense(2, "softmax"),
        ]
    )
    return compile_model(model, optimizers.Adam(0.01), "sparse_categorical_crossentropy")


def depth_data(repaired: bool) -> ProgramData:
    return digits()


def depth_model(repaired: bool) -> keras.Model:
    signal = inputs = keras.Input((64,))
    for _ in range(16):
        if repaired:
            changed = layers.BatchNormalization()(layers.Dense(64)(signal))
            signal = layers.Add()([signal, layers.ReLU()(changed)])
        else:
            signal = layers.Dense(64, "relu")(signal)
    model = keras.Model(inputs, layers.Dense(10, "softmax")(signal))
    return compile_model(model, optimizers.SGD(0.01), "sparse_categorical_crossentropy")


def ten_sigmoid_layers_data(repaired: bool) -> ProgramData:
    return digits()


def ten_sigmoid_layers_model(repaired: bool) -> keras.Model:
    activation, start = ("relu", "he_normal") if repaired else ("sigmoid", "glorot_uniform")
    hidden = [layers.Dense(32, activation, kernel_initializer=start) for _ in range(10)]
    model = stack(64, *hidden, layers.Dense(10, "softmax"))
    return compile_model(model, optimizers.SGD(0.05), "sparse_categorical_crossentropy")


def large_kernels_data(repaired: bool) -> ProgramData:
    return digits()


def large_kernels_model(repaired: bool) -> keras.Model:
    start = "glorot_uniform" if repaired else initializers.RandomUniform(0.0, 2.0)
    hidden = [layers.Dense(32, "tanh", kernel_initializer=start) for _ in range(3)]
    model = stack(64, *hidden, layers.Dense(10, "softmax"))
    return compile_model(model, optimizers.SGD(0.1), "sparse_categorical_crossentropy")


def steps_that_kill_data(repaired: bool) -> ProgramData:
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(14).permutation(len(x))
    x, y = standardised(x[order]), y[order].astype("int32")
    return ProgramData(x[:400], y[:400], x[400:], y[400:])


def steps_that_kill_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(16, "relu"), layers.Dense(16, "relu"), layers.Dense(8, "relu"), layers.Dense(1, "sigmoid")]
    return compile_model(
        stack(30, *sequence), optimizers.SGD(0.05 if repaired else 3.0, momentum=0.9), "binary_crossentropy"
    )


PROGRAMS = (
    Program(
        name="so_56452176",
        fault="ReLU layers of 1, 9 and 1 units for a line: a whole layer is often dead before the first step.",
        remedy="A wider first layer with leaky ReLU, and a linear output.",
        truth=("born_dead", "died_in_training", "dead_output"),
        also=("output_mismatch",),
        learned={"r2": 0.8},
        epochs=100,
        batch_size=1,
        data=so_56452176_data,
        model=so_56452176_model,
    ),
    Program(
        name="so_57407973",
        fault="Five sigmoid layers with small kernels, and a linear output with a loss that expects probabilities.",
        remedy="ReLU layers, and a sigmoid output.",
        truth=("vanishing",),
        also=("output_mismatch",),
        learned={"accuracy": 0.95},
        epochs=12,
        batch_size=32,
        data=so_57407973_data,
        model=so_57407973_model,
    ),
    Program(
        name="so_39217567",
        fault="Sigmoid layers with small kernels that should reorder eight bits.",
        remedy="ReLU hidden layers with kernels from `he_normal`.",
        truth=("vanishing",),
        also=("learning_rate_too_small", "too_few_epochs"),
        learned={"r2": 0.5},  # eight units are narrow, and a few of them are dead
        epochs=45,
        batch_size=4,
        data=so_39217567_data,
        model=so_39217567_model,
    ),
    Program(
        name="line_of_relus",
        fault="ReLU layers of 4, 2 and 1 units for a line.",
        remedy="Leaky ReLU, and a linear output.",
        truth=("born_dead", "died_in_training", "dead_output"),
        also=("output_mismatch",),
        learned={"r2": 0.8},
        epochs=60,
        batch_size=8,
        data=line_of_relus_data,
        model=line_of_relus_model,
    ),
    Program(
        name="lstm_of_relus",
        fault="An LSTM with ReLU units, whose state grows over many time steps.",
        remedy="Tanh units.",
        truth=("exploding",),
        also=(),
        learned={"accuracy": 0.8},
        epochs=7,
        batch_size=32,
        data=lstm_of_relus_data,
        model=lstm_of_relus_model,
    ),
    Program(
        name="depth",
        fault="Sixteen plain ReLU layers where one would do.",
        remedy="A skip connection around each layer, and batch normalisation.",
        truth=("vanishing",),
        also=("learning_rate_too_small", "too_few_epochs"),
        learned={"accuracy": 0.8},
        epochs=12,
        batch_size=32,
        data=depth_data,
        model=depth_model,
    ),
)
MORE = (
    Program(
        name="ten_sigmoid_layers",
        fault="Ten sigmoid layers and plain SGD.",
        remedy="ReLU layers with kernels from `he_normal`.",
        truth=("vanishing",),
        also=(),
        learned={"accuracy": 0.85},
        epochs=35,
        batch_size=32,
        data=ten_sigmoid_layers_data,
        model=ten_sigmoid_layers_model,
    ),
    Program(
        name="large_kernels",
        fault="Three tanh layers with large positive kernels: every unit outputs 1.",
        remedy="Kernels from `glorot_uniform`.",
        truth=("saturated",),
        also=(),
        learned={"accuracy": 0.85},
        epochs=20,
        batch_size=32,
        data=large_kernels_data,
        model=large_kernels_model,
    ),
    Program(
        name="steps_that_kill",
        fault="A large learning rate with momentum pushes ReLU units below zero for good.",
        remedy="A learning rate sixty times smaller.",
        truth=("died_in_training", "learning_rate_too_large"),
        also=("exploding",),
        learned={"accuracy": 0.85},
        epochs=20,
        batch_size=32,
        data=steps_that_kill_data,
        model=steps_that_kill_model,
    ),
)
