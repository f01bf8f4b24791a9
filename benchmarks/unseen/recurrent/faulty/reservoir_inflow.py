"""Inflow of a reservoir from 100 hours of rain, snow and soil measurements.

Source: https://github.com/AlexanderVNikitin/tsgm/issues/59
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 10, 64
STEPS = 100


def data(fixed=False):
    rng = np.random.default_rng(505)
    n = 900
    rain = rng.gamma(0.5, 2.0, (n, STEPS)) * rng.uniform(0.3, 2.0, (n, 1))
    snow = rng.gamma(2.0, 0.5, (n, 1)) + rng.normal(scale=0.1, size=(n, STEPS))
    soil = rng.uniform(0, 2, (n, 1)) + rng.normal(scale=0.1, size=(n, STEPS))
    weight = np.exp(-np.arange(STEPS)[::-1] / 10.0)
    flow = (rain * weight).sum(1) / 6 + 0.5 * snow[:, -1] + 0.4 * soil[:, -1]
    y = ((flow - flow.mean()) / flow.std()).astype("float32")[:, None]
    x = np.stack([rain, snow, soil], axis=2).astype("float32")
    return x[:650], y[:650], x[650:], y[650:]


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((STEPS, 3)),
        layers.LSTM(32, activation="tanh" if fixed else "relu"),
        layers.Dense(1),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    return network


def score(network, x, y):
    p = network.predict(x, verbose=0)
    r = 1 - np.mean((y - p) ** 2) / np.var(y)
    return float(r) if np.isfinite(r) else -1e9


PASS = 0.7
FAULT = "activation='relu' in the LSTM: cell and output are no longer bounded, they grow from step to step through the recurrent weights, and over 100 steps outputs and gradients explode"
REPAIR = "the usual tanh as the activation of the LSTM"
