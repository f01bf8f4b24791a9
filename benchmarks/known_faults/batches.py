"""Faults of batches: rows in an order that `fit` keeps, batches too small, recurrent states of other rows."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, optimizers
from sklearn.datasets import load_digits, make_friedman1

from benchmarks.known_faults.parts import compile_model, digits, stack, standardised
from benchmarks.known_faults.program import Program, ProgramData


def one_digit_at_a_time_data(repaired: bool) -> ProgramData:
    x, y, x_held_out, y_held_out = digits(1280)
    rows = np.argsort(y, kind="stable")
    return ProgramData(x[rows].reshape(-1, 8, 8, 1), y[rows], x_held_out.reshape(-1, 8, 8, 1), y_held_out)


def one_digit_at_a_time_model(repaired: bool) -> keras.Model:
    sequence = [layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(32, "relu")]
    model = keras.Sequential([keras.Input((8, 8, 1)), *sequence, layers.Dense(10, "softmax")])
    return compile_model(model, optimizers.RMSprop(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])


def one_digit_at_a_time_fit(repaired: bool) -> dict[str, Any]:
    return {"shuffle": repaired}


def smallest_target_first_data(repaired: bool) -> ProgramData:
    x, y = make_friedman1(1100, 8, noise=0.3, random_state=31)
    x, y = standardised(x), standardised(y[:, None])
    rows = np.argsort(y[:800, 0])
    return ProgramData(x[rows], y[rows], x[800:], y[800:])


def smallest_target_first_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(48, "relu"), layers.Dense(24, "relu"), layers.Dense(1)]
    return compile_model(stack(8, *sequence), optimizers.SGD(0.1), "mse")


def smallest_target_first_fit(repaired: bool) -> dict[str, Any]:
    data = smallest_target_first_data(repaired)
    rows = tf.data.Dataset.from_tensor_slices((data.x, data.y))
    if repaired:
        rows = rows.shuffle(len(data.x), seed=0)
    return {"x": rows.batch(10), "y": None, "batch_size": None}


def rows_one_by_one_data(repaired: bool) -> ProgramData:
    x, y, x_held_out, y_held_out = digits(640)
    return ProgramData(x, y, x_held_out, y_held_out)


def rows_one_by_one_model(repaired: bool) -> keras.Model:
    hidden = [layers.Dense(32, use_bias=False), layers.BatchNormalization(), layers.ReLU()]
    model = stack(64, *hidden, layers.Dense(10, "softmax"))
    return compile_model(model, optimizers.Adam(0.003), "sparse_categorical_crossentropy")


def sixteen_a_batch(repaired: bool) -> dict[str, Any]:
    return {"batch_size": 16} if repaired else {}


def pairs_data(repaired: bool) -> ProgramData:
    """Return digits in which brightness and shape together decide the label."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(33).permutation(len(x))
    x = (x[order] / 16).astype("float32")
    y = standardised(x.mean(axis=1, keepdims=True) + 0.3 * x[:, 27:28] - 0.2 * x[:, 36:37])
    return ProgramData(x[:600], y[:600], x[600:], y[600:])


def pairs_model(repaired: bool) -> keras.Model:
    hidden = []
    for units in (32, 16):
        hidden += [layers.Dense(units), layers.BatchNormalization(), layers.ReLU()]
    return compile_model(stack(64, *hidden, layers.Dense(1)), optimizers.Adam(0.003), "mse")


SERIES, STEPS = 32, 4


def switch_data(repaired: bool) -> ProgramData:
    """Return windows of a series in which a switch is seldom turned on or off; is it on at the end of the window?"""
    return ProgramData(*_switches(34), *_switches(35))


def _switches(seed: int, windows: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Return row k * SERIES + s, which is window k of series s."""
    random = np.random.default_rng(seed)
    events = random.choice([-1, 0, 1], (windows * STEPS, SERIES), p=[0.05, 0.9, 0.05])
    events[0] = random.choice([-1, 1], SERIES)
    latest = _latest(events != 0, events)
    return _windows(events[..., None], windows), (latest[STEPS - 1 :: STEPS] > 0).astype("int32").reshape(-1)


def _latest(is_event: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the value of the latest event at each step."""
    steps = np.maximum.accumulate(np.where(is_event, np.arange(len(values))[:, None], 0), axis=0)
    return np.take_along_axis(values, steps, axis=0)


def _windows(series: np.ndarray, windows: int) -> np.ndarray:
    columns = series.shape[-1]
    return series.reshape(windows, STEPS, SERIES, columns).swapaxes(1, 2).reshape(-1, STEPS, columns).astype("float32")


def switch_model(repaired: bool) -> keras.Model:
    sequence = [layers.GRU(12, stateful=True), layers.Dense(1, "sigmoid")]
    model = keras.Sequential([keras.Input((STEPS, 1), batch_size=SERIES), *sequence])
    return compile_model(model, optimizers.Adam(0.01), "binary_crossentropy")


def in_order_if_repaired(repaired: bool) -> dict[str, Any]:
    return {"shuffle": not repaired}


def latest_price_data(repaired: bool) -> ProgramData:
    """Return windows of a series of prices, few of which are marked; the target is the latest marked price."""
    return ProgramData(*_prices(36), *_prices(37))


def _prices(seed: int, windows: int = 30) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    prices = random.normal(size=(windows * STEPS, SERIES))
    marks = random.random(prices.shape) < 0.08
    marks[0] = True
    targets = _latest(marks, prices)[STEPS - 1 :: STEPS].reshape(-1, 1)
    return _windows(np.stack([prices, marks], axis=-1), windows), targets.astype("float32")


def latest_price_model(repaired: bool) -> keras.Model:
    sequence = [layers.LSTM(16, stateful=True), layers.Dense(1)]
    model = keras.Sequential([keras.Input((STEPS, 2), batch_size=SERIES), *sequence])
    return compile_model(model, optimizers.Adam(0.01), "mse")


MORE = (
    Program(
        name="one_digit_at_a_time",
        fault="Rows sorted by class, and `shuffle=False`: each batch holds one digit.",
        remedy="Shuffled rows.",
        truth=("ordered_batches",),
        also=(),
        learned={"accuracy": 0.8},
        epochs=8,
        batch_size=16,
        data=one_digit_at_a_time_data,
        model=one_digit_at_a_time_model,
        fit=one_digit_at_a_time_fit,
    ),
    Program(
        name="smallest_target_first",
        fault="A `tf.data.Dataset` of rows in the order of their targets, never shuffled.",
        remedy="A shuffled dataset.",
        truth=("ordered_batches",),
        also=(),
        learned={"r2": 0.6},
        epochs=10,
        batch_size=10,
        data=smallest_target_first_data,
        model=smallest_target_first_model,
        fit=smallest_target_first_fit,
    ),
    Program(
        name="rows_one_by_one",
        fault="Batches of one row before batch normalisation, which makes every row the same.",
        remedy="Batches of sixteen rows.",
        truth=("batch_statistics",),
        also=(),
        learned={"accuracy": 0.8},
        epochs=6,
        batch_size=1,
        data=rows_one_by_one_data,
        model=rows_one_by_one_model,
        fit=sixteen_a_batch,
    ),
    Program(
        name="rows_in_pairs",
        fault="Batches of two rows before batch normalisation, which leaves only which of the two is larger.",
        remedy="Batches of sixteen rows.",
        truth=("batch_statistics",),
        also=(),
        learned={"r2": 0.8},
        epochs=12,
        batch_size=2,
        data=pairs_data,
        model=pairs_model,
        fit=sixteen_a_batch,
    ),
    Program(
        name="turned_switch",
        fault="A stateful recurrent layer on shuffled windows: each one gets the state of another series.",
        remedy="Windows in their order (`shuffle=False`).",
        truth=("shuffled_state",),
        also=(),
        learned={"accuracy": 0.85},
        epochs=15,
        batch_size=SERIES,
        data=switch_data,
        model=switch_model,
        fit=in_order_if_repaired,
    ),
    Program(
        name="latest_price",
        fault="A stateful recurrent layer must remember a number from an earlier window, and the windows are shuffled.",
        remedy="Windows in their order (`shuffle=False`).",
        truth=("shuffled_state",),
        also=(),
        learned={"r2": 0.6},
        epochs=40,
        batch_size=SERIES,
        data=latest_price_data,
        model=latest_price_model,
        fit=in_order_if_repaired,
    ),
)
