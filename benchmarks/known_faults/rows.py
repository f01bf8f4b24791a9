"""Faults of rows: a few wild rows, validation rows from elsewhere, inputs that say nothing about the targets."""

from typing import Any

import keras
import numpy as np
from keras import layers, optimizers
from sklearn.datasets import load_breast_cancer, load_wine, make_friedman1

from benchmarks.known_faults.parts import compile_model, stack
from benchmarks.known_faults.program import Program, ProgramData


def scaled_by_training_rows(x: np.ndarray, train: int) -> np.ndarray:
    """Scale each column by the mean and the standard deviation of the first `train` rows."""
    return ((x - x[:train].mean(axis=0)) / x[:train].std(axis=0)).astype("float32")


def broken_sensor_data(repaired: bool) -> ProgramData:
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(21).permutation(len(x))
    x, y = scaled_by_training_rows(x[order], 400), y[order].astype("int32")
    if not repaired:
        x[123] *= 30_000
    return ProgramData(x[:400], y[:400], x[400:], y[400:])


def broken_sensor_model(repaired: bool) -> keras.Model:
    hidden = [layers.Dense(24), layers.BatchNormalization(), layers.ReLU()]
    return compile_model(stack(30, *hidden, layers.Dense(1, "sigmoid")), optimizers.Adam(0.003), "binary_crossentropy")


def code_for_missing_data(repaired: bool) -> ProgramData:
    """Return scaled measurements; three training rows have the code -99999 where one is missing."""
    x, y = make_friedman1(1000, 8, noise=0.3, random_state=22)
    x, y = scaled_by_training_rows(x, 700), scaled_by_training_rows(y[:, None], 700)
    x[[40, 250, 600], [0, 3, 6]] = 0.0 if repaired else -99_999.0
    return ProgramData(x[:700], y[:700], x[700:], y[700:])


def code_for_missing_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(32, "relu"), layers.Dense(16, "relu"), layers.Dense(1)]
    return compile_model(stack(8, *sequence), optimizers.Adam(0.005), "mse")


def wine_by_cultivar_data(repaired: bool) -> ProgramData:
    """Return wines in the order of the file, by cultivar; every fourth one is held out."""
    x, y = load_wine(return_X_y=True)
    x, y = scaled_by_training_rows(x, len(x)), y.astype("int32")
    is_held_out = np.arange(len(x)) % 4 == 0
    rows = np.flatnonzero(~is_held_out)
    if repaired:
        rows = np.random.default_rng(23).permutation(rows)
    return ProgramData(x[rows], y[rows], x[is_held_out], y[is_held_out])


def wine_by_cultivar_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(24, "relu"), layers.Dense(3, "softmax")]
    return compile_model(stack(13, *sequence), optimizers.Adam(0.01), "sparse_categorical_crossentropy")


def wine_by_cultivar_fit(repaired: bool) -> dict[str, Any]:
    return {"validation_split": 0.3}


def raw_validation_data(repaired: bool) -> ProgramData:
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(24).permutation(len(x))
    x, y = x[order].astype("float32"), y[order].astype("int32")
    scaled = scaled_by_training_rows(x, 400)
    return ProgramData(scaled[:400], y[:400], (scaled if repaired else x)[400:], y[400:])


def raw_validation_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(16, "relu"), layers.Dense(8, "relu"), layers.Dense(1, "sigmoid")]
    return compile_model(stack(30, *sequence), optimizers.Adam(0.003), "binary_crossentropy")


def coin_toss_data(repaired: bool) -> ProgramData:
    random = np.random.default_rng(25)
    x = random.normal(size=(2000, 12)).astype("float32")
    logits = 3 * (x[:, 0] - x[:, 1] + x[:, 2]) if repaired else np.zeros(2000)
    y = (random.logistic(size=2000) < logits).astype("int32")
    return ProgramData(x[:1400], y[:1400], x[1400:], y[1400:])


def coin_toss_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(8, "relu"), layers.Dense(1, "sigmoid")]
    return compile_model(stack(12, *sequence), optimizers.Adam(0.005), "binary_crossentropy")


def next_return_data(repaired: bool) -> ProgramData:
    """Return the last ten returns of a price and the next one, which follows the trend or is random."""
    random = np.random.default_rng(26)
    returns = random.normal(size=2011)
    if repaired:
        for day in range(1, 2011):
            returns[day] = 0.9 * returns[day - 1] + 0.44 * returns[day]
    x = np.lib.stride_tricks.sliding_window_view(returns[:-1], 10).astype("float32")
    y = returns[10:, None].astype("float32")
    return ProgramData(x[:1400], y[:1400], x[1400:], y[1400:])


def next_return_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(8, "tanh"), layers.Dense(1)]
    return compile_model(stack(10, *sequence), optimizers.Adam(0.005), "mse")


MORE = (
    Program(
        name="broken_sensor",
        fault="One row is 30,000 times too large, in front of batch normalisation.",
        remedy="The row scaled like the others.",
        truth=("outlier_rows",),
        also=("batch_statistics", "unscaled_inputs"),
        learned={"accuracy": 0.9},
        epochs=8,
        batch_size=32,
        data=broken_sensor_data,
        model=broken_sensor_model,
    ),
    Program(
        name="code_for_missing",
        fault="Three rows hold the code -99999 where a measurement is missing.",
        remedy="The mean of the column instead of the code.",
        truth=("outlier_rows",),
        also=("unscaled_inputs", "exploding"),
        learned={"r2": 0.85},
        epochs=15,
        batch_size=16,
        data=code_for_missing_data,
        model=code_for_missing_model,
    ),
    Program(
        name="wine_by_cultivar",
        fault="`validation_split` takes the last rows, and the rows are sorted by class.",
        remedy="Rows in random order.",
        truth=("shifted_validation",),
        also=(),
        learned={"accuracy": 0.9},
        epochs=20,
        batch_size=16,
        data=wine_by_cultivar_data,
        model=wine_by_cultivar_model,
        fit=wine_by_cultivar_fit,
    ),
    Program(
        name="raw_validation",
        fault="The training rows are standardised and the validation rows are not.",
        remedy="The validation rows scaled as the training rows.",
        truth=("shifted_validation",),
        also=(),
        learned={"accuracy": 0.9},
        epochs=20,
        batch_size=32,
        data=raw_validation_data,
        model=raw_validation_model,
    ),
    Program(
        name="coin_toss",
        fault="The labels are coin tosses: no column says anything about them.",
        remedy="Labels that depend on three columns.",
        truth=("no_signal",),
        also=("unrelated_labels",),  # shuffled labels and labels without a cause look the same
        learned={"accuracy": 0.75},
        epochs=15,
        batch_size=32,
        data=coin_toss_data,
        model=coin_toss_model,
    ),
    Program(
        name="next_return",
        fault="The next return of a random walk is to be predicted from the last ten.",
        remedy="Returns that follow a trend.",
        truth=("no_signal",),
        also=("unrelated_labels",),
        learned={"r2": 0.5},
        epochs=15,
        batch_size=32,
        data=next_return_data,
        model=next_return_model,
    ),
)
