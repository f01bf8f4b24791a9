"""Tells which of two modes a boiler was switched to, from the log of a whole heating cycle.

Source: https://github.com/keras-team/keras/issues/7028
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 8, 64
STEPS, UNITS = 120, 16


def data(fixed=False):
    rng = np.random.default_rng(501)
    n = 1200
    y = rng.integers(0, 2, n)
    x = rng.normal(scale=0.25, size=(n, STEPS, 2))
    x[:, :4, 0] += np.where(y == 1, 1.5, -1.5)[:, None]         # the command is given once, at the start
    x[:, :, 1] += np.sin(np.arange(STEPS) / 9.0 + rng.uniform(0, 6.3, (n, 1))) * 0.5
    x, y = x.astype("float32"), y.astype("float32")
    return x[:900], y[:900], x[900:], y[900:]


def remembering(shape, dtype=None):
    """Bias of an LSTM (gates in the order i, f, c, o) whose forget gate starts nearly open."""
    bias = np.zeros(shape, "float32")
    bias[UNITS:2 * UNITS] = 5.0
    return keras.ops.convert_to_tensor(bias, dtype)


def model(fixed=False):
    if fixed:
        lstm = layers.LSTM(UNITS, bias_initializer=remembering, unit_forget_bias=False)
    else:
        lstm = layers.LSTM(UNITS, unit_forget_bias=False)
    network = keras.Sequential([
        layers.Input((STEPS, 2)),
        lstm,
        layers.Dense(1, activation="sigmoid"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.005), loss="binary_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0)[:, 0] > 0.5) == (y > 0.5)))


PASS = 0.85
FAULT = "the label depends on the first 4 of 120 steps only, and the LSTM starts with its forget gates half closed (bias 0), so the state and the gradient halve at every step and nothing of the start reaches the last state"
REPAIR = "forget-gate bias of 5 at the start, so that the gates are open and the state is kept over the whole sequence"
