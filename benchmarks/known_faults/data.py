"""Faults of the data: scales, missing values, labels of other rows, classes that are imbalanced."""

import keras
import numpy as np
from keras import layers, optimizers
from sklearn.datasets import make_regression

from benchmarks.known_faults.parts import compile_model, digits, one_hot, stack, standardised
from benchmarks.known_faults.program import Program, ProgramData


def so_55328966_data(repaired: bool) -> ProgramData:
    x, y, _, _ = digits()
    return ProgramData(x if repaired else 255 * x, one_hot(y))


def so_55328966_model(repaired: bool) -> keras.Model:
    last = layers.Dense(10, "softmax" if repaired else "sigmoid")
    optimizer = optimizers.Adam() if repaired else optimizers.SGD(1e-4)
    return compile_model(
        stack(64, layers.Dense(64), layers.Dense(50, "relu"), last), optimizer, "categorical_crossentropy"
    )


def house_prices_data(repaired: bool) -> ProgramData:
    random = np.random.default_rng(3)
    x = random.normal(size=(1900, 20)).astype("float32")
    logs = 12 + 0.1 * x @ random.normal(size=20) + random.normal(0, 0.1, 1900)
    prices = np.clip(np.exp(logs), 35_000, 755_000).astype("float32")[:, None]
    y = standardised(np.log(prices)) if repaired else prices
    return ProgramData(x[:1600], y[:1600], x[1600:], y[1600:])


def house_prices_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(64, "relu"), layers.Dense(64, "relu"), layers.Dense(1)]
    return compile_model(stack(20, *sequence), optimizers.SGD(0.1), "mse")


def shuffled_labels_data(repaired: bool) -> ProgramData:
    x, y, x_held_out, y_held_out = digits(1400)
    by_class = np.argsort(y, kind="stable")
    rows = by_class if repaired else np.random.default_rng(4).permutation(len(x))
    return ProgramData(x[rows], y[by_class], x_held_out, y_held_out)


def shuffled_labels_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(128, "relu"), layers.Dropout(0.5), layers.Dense(10, "softmax")]
    return compile_model(stack(64, *sequence), "rmsprop", "sparse_categorical_crossentropy")


def majority_data(repaired: bool) -> ProgramData:
    random = np.random.default_rng(5)
    factor = random.normal(size=(1950, 1))
    x = (0.5 * factor + random.normal(size=(1950, 122))).astype("float32")
    y = (random.logistic(size=1950) < 1.2 * factor[:, 0] - 2.5).astype("int32")
    rows = np.arange(1350)
    if repaired:
        is_rare = y[:1350] == 1
        again = random.choice(rows[is_rare], (~is_rare).sum() - is_rare.sum())
        rows = np.concatenate([rows, again])
    return ProgramData(x[rows], y[rows], x[1350:], y[1350:])


def majority_model(repaired: bool) -> keras.Model:
    sequence = [*(layers.Dense(8, "relu") for _ in range(3)), layers.Dense(1, "sigmoid")]
    return compile_model(stack(122, *sequence), optimizers.SGD(0.01), "binary_crossentropy")


def missing_values_data(repaired: bool) -> ProgramData:
    random = np.random.default_rng(6)
    x = random.normal(size=(900, 8)).astype("float32")
    y = (x[:, 0] + x[:, 1] - x[:, 2] > 0).astype("int32")
    x[random.choice(700, 12, replace=False), random.integers(3, 8, 12)] = 0.0 if repaired else np.nan
    return ProgramData(x[:700], y[:700], x[700:], y[700:])


def missing_values_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(32, "relu"), layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")]
    return compile_model(stack(8, *sequence), optimizers.Adam(0.005), "binary_crossentropy")


def columns_over_decades_data(repaired: bool) -> ProgramData:
    random = np.random.default_rng(7)
    x = random.normal(size=(1000, 8)).astype("float32")
    y = (x[:, 0] + x[:, 1] - x[:, 2] > 0).astype("int32")
    if not repaired:
        x = (x * [0.01, 0.05, 0.1, 1, 100, 1e3, 1e4, 1e5] + [0.02, 0.1, 0.3, 3, 300, 4e3, 2e4, 3e5]).astype("float32")
    return ProgramData(x[:700], y[:700], x[700:], y[700:])


def columns_over_decades_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(32, "relu"), layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")]
    return compile_model(stack(8, *sequence), optimizers.Adam(0.005), "binary_crossentropy")


def permuted_targets_data(repaired: bool) -> ProgramData:
    x, y = make_regression(900, 10, n_informative=5, noise=1.0, random_state=8)
    x, y = x.astype("float32"), standardised(y[:, None])
    rows = np.arange(700) if repaired else np.random.default_rng(8).permutation(700)
    return ProgramData(x[:700], y[rows], x[700:], y[700:])


def permuted_targets_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(32, "relu"), layers.Dense(16, "relu"), layers.Dense(1)]
    return compile_model(stack(10, *sequence), optimizers.Adam(0.003), "mse")


def sorted_targets_data(repaired: bool) -> ProgramData:
    random = np.random.default_rng(13)
    x = random.uniform(-1, 1, (700, 6))
    y = x[:, 0] * 1.5 - x[:, 1] + np.sin(2 * x[:, 2]) + 0.5 * x[:, 3] ** 2 + random.normal(0, 0.15, 700)
    y = standardised(y if repaired else np.sort(y))
    rows = random.permutation(700)
    return ProgramData(x[rows].astype("float32"), y[rows, None])


def sorted_targets_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(24, "relu"), layers.Dense(12, "relu"), layers.Dense(1)]
    return compile_model(stack(6, *sequence), optimizers.Adam(0.003), "mse")


PROGRAMS = (
    Program(
        name="so_55328966",
        fault="Pixels from 0 to 255, sigmoid units for classes, and a small learning rate.",
        remedy="Pixels from 0 to 1, softmax, and Adam.",
        truth=("unscaled_inputs", "output_mismatch"),
        also=("saturated", "learning_rate_too_small", "too_few_epochs"),
        learned={"accuracy": 0.9},
        epochs=20,
        batch_size=64,
        data=so_55328966_data,
        model=so_55328966_model,
    ),
    Program(
        name="house_prices",
        fault="Targets of hundreds of thousands with a squared error: the first steps overflow.",
        remedy="Standardised logarithms of the prices.",
        truth=("unscaled_targets",),
        also=("exploding", "learning_rate_too_large"),
        learned={"r2": 0.5},
        epochs=20,
        batch_size=16,
        data=house_prices_data,
        model=house_prices_model,
    ),
    Program(
        name="shuffled_labels",
        fault="The rows are shuffled and their labels are not.",
        remedy="Each row with its own label.",
        truth=("unrelated_labels",),
        also=(),
        learned={"accuracy": 0.8},
        epochs=20,
        batch_size=32,
        data=shuffled_labels_data,
        model=shuffled_labels_model,
    ),
    Program(
        name="majority",
        fault="Nearly nine of ten rows are negative, and the model predicts negative for every row.",
        remedy="Rows of the rare class repeated until both classes have as many.",
        truth=("imbalanced",),
        also=(),
        learned={"balanced_accuracy": 0.6},
        epochs=8,
        batch_size=32,
        data=majority_data,
        model=majority_model,
    ),
)
MORE = (
    Program(
        name="missing_values",
        fault="A few inputs are NaN, and so is every weight after their batches.",
        remedy="NaN replaced by the mean of the column.",
        truth=("non_finite_data",),
        also=(),
        learned={"accuracy": 0.85},
        epochs=15,
        batch_size=32,
        data=missing_values_data,
        model=missing_values_model,
    ),
    Program(
        name="columns_over_decades",
        fault="Columns from hundredths to hundreds of thousands; the smallest ones matter.",
        remedy="Standardised columns.",
        truth=("unscaled_inputs",),
        also=(),
        learned={"accuracy": 0.85},
        epochs=20,
        batch_size=32,
        data=columns_over_decades_data,
        model=columns_over_decades_model,
    ),
    Program(
        name="permuted_targets",
        fault="The targets of the training rows are permuted.",
        remedy="Each row with its own target.",
        truth=("unrelated_labels",),
        also=(),
        learned={"r2": 0.7},
        epochs=30,
        batch_size=32,
        data=permuted_targets_data,
        model=permuted_targets_model,
    ),
    Program(
        name="sorted_targets",
        fault="The column of targets was sorted and the other columns were not; no rows are held out.",
        remedy="Each row with its own target.",
        truth=("unrelated_labels",),
        also=(),
        learned={"r2": 0.8},
        epochs=25,
        batch_size=32,
        data=sorted_targets_data,
        model=sorted_targets_model,
    ),
)
