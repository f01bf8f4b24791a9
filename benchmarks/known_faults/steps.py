"""Learning rates that are too small or too large, and too few epochs."""

import keras
import numpy as np
from keras import layers, optimizers
from sklearn.datasets import make_friedman1

from benchmarks.known_faults.parts import compile_model, digits, exclusive_or, one_hot, stack, standardised
from benchmarks.known_faults.program import Program, ProgramData


def so_31556268_data(repaired: bool) -> ProgramData:
    return exclusive_or(25)


def so_31556268_model(repaired: bool) -> keras.Model:
    model = stack(2, layers.Dense(4, "sigmoid"), layers.Dense(1, "sigmoid"))
    if repaired:
        return compile_model(model, optimizers.Adam(0.05), "mse")
    return compile_model(model, optimizers.SGD(0.05, momentum=0.11), "mae")


def so_50306988_data(repaired: bool) -> ProgramData:
    labels = np.repeat(np.arange(2), 100)
    x = np.random.default_rng(0).uniform(size=(200, 2)) + 2 * labels[:, None]
    return ProgramData(x.astype("float32"), one_hot(labels))


def so_50306988_model(repaired: bool) -> keras.Model:
    model = stack(2, layers.Dense(2, "sigmoid"), layers.Dense(2, "softmax"))
    return compile_model(model, optimizers.Adam(0.05 if repaired else 0.001), "categorical_crossentropy")


def xor_slow_data(repaired: bool) -> ProgramData:
    x, y, _, _ = exclusive_or(8)
    return ProgramData(x, y, x, y)


def xor_slow_model(repaired: bool) -> keras.Model:
    optimizer = optimizers.SGD(1.0, momentum=0.9, nesterov=True) if repaired else optimizers.SGD(0.01)
    model = stack(2, layers.Dense(4, "sigmoid"), layers.Dense(1, "sigmoid"))
    return compile_model(model, optimizer, "binary_crossentropy")


def digits_data(repaired: bool) -> ProgramData:
    return digits()


def digits_by_adam(rate: float) -> keras.Model:
    """Build a network of two ReLU layers, trained by Adam."""
    model = stack(64, layers.Dense(64, "relu"), layers.Dense(32, "relu"), layers.Dense(10, "softmax"))
    return compile_model(model, optimizers.Adam(rate), "sparse_categorical_crossentropy")


def adam_of_one_model(repaired: bool) -> keras.Model:
    return digits_by_adam(0.001 if repaired else 1.0)


def adam_of_a_millionth_model(repaired: bool) -> keras.Model:
    return digits_by_adam(0.001 if repaired else 1e-6)


def steps_of_thirty_data(repaired: bool) -> ProgramData:
    random = np.random.default_rng(9)
    x = random.normal(size=(900, 6)).astype("float32")
    y = (np.tanh(x[:, :1] - x[:, 1:2]) + 0.5 * x[:, 2:3] + random.normal(0, 0.1, (900, 1))).astype("float32")
    return ProgramData(x[:700], y[:700], x[700:], y[700:])


def steps_of_thirty_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(32, "tanh"), layers.Dense(16, "tanh"), layers.Dense(1)]
    return compile_model(stack(6, *sequence), optimizers.SGD(0.05 if repaired else 30.0), "mse")


def three_epochs_data(repaired: bool) -> ProgramData:
    x, y = make_friedman1(800, 10, noise=0.5, random_state=2)
    x, y = standardised(x), standardised(y[:, None])
    return ProgramData(x[:600], y[:600], x[600:], y[600:])


def three_epochs_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(64, "relu"), layers.Dense(32, "relu"), layers.Dense(1)]
    return compile_model(stack(10, *sequence), optimizers.Adam(0.02 if repaired else 0.0003), "mse")


PROGRAMS = (
    Program(
        name="so_31556268",
        fault="Exclusive or with a few sigmoid units, absolute error and a thousand small steps.",
        remedy="Squared error, and Adam with a large learning rate.",
        truth=("learning_rate_too_small", "too_few_epochs"),
        also=("saturated", "vanishing"),
        learned={"accuracy": 0.9},
        epochs=40,
        batch_size=4,
        data=so_31556268_data,
        model=so_31556268_model,
    ),
    Program(
        name="so_50306988",
        fault="Two separate squares of points, and too few small steps to separate them.",
        remedy="A learning rate fifty times larger.",
        truth=("learning_rate_too_small", "too_few_epochs"),
        also=(),
        learned={"accuracy": 0.9},
        epochs=60,
        batch_size=32,
        data=so_50306988_data,
        model=so_50306988_model,
    ),
    Program(
        name="xor_slow",
        fault="Exclusive or with four sigmoid units and five hundred small steps: outputs stay near one half.",
        remedy="A learning rate a hundred times larger, with momentum.",
        truth=("learning_rate_too_small", "too_few_epochs"),
        also=(),
        learned={"accuracy": 0.99},
        epochs=62,
        batch_size=4,
        data=xor_slow_data,
        model=xor_slow_model,
    ),
)
MORE = (
    Program(
        name="adam_of_one",
        fault="A learning rate of 1: Adam moves every weight by about 1 in each step.",
        remedy="A learning rate a thousand times smaller.",
        truth=("learning_rate_too_large",),
        also=("died_in_training", "exploding"),
        learned={"accuracy": 0.85},
        epochs=15,
        batch_size=32,
        data=digits_data,
        model=adam_of_one_model,
    ),
    Program(
        name="steps_of_thirty",
        fault="A learning rate of 30.",
        remedy="A learning rate of 0.05.",
        truth=("learning_rate_too_large",),
        also=("exploding", "saturated"),
        learned={"r2": 0.7},
        epochs=30,
        batch_size=32,
        data=steps_of_thirty_data,
        model=steps_of_thirty_model,
    ),
    Program(
        name="adam_of_a_millionth",
        fault="A learning rate of one millionth, with Adam.",
        remedy="A learning rate a thousand times larger.",
        truth=("learning_rate_too_small",),
        also=("too_few_epochs",),
        learned={"accuracy": 0.85},
        epochs=15,
        batch_size=32,
        data=digits_data,
        model=adam_of_a_millionth_model,
    ),
    Program(
        name="three_epochs",
        fault="Three epochs with a small learning rate.",
        remedy="A larger learning rate.",
        truth=("too_few_epochs", "learning_rate_too_small"),
        also=(),
        learned={"r2": 0.7},
        epochs=3,
        batch_size=32,
        data=three_epochs_data,
        model=three_epochs_model,
    ),
)
