"""Judges the start of a pump (smooth or overshooting) from the pressure record of the whole run.

Source: https://github.com/guillaume-chevalier/LSTM-Human-Activity-Recognition/issues/13
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 8, 64
STEPS, CHUNK = 160, 20


def data(fixed=False):
    rng = np.random.default_rng(503)
    n = 1000
    t = np.arange(STEPS)
    y = rng.integers(0, 2, n)
    speed = rng.uniform(8, 14, n)[:, None]
    rise = 1 - np.exp(-t / speed)
    over = y[:, None] * rng.uniform(0.8, 1.4, (n, 1)) * np.exp(-((t - 2 * speed) / 8) ** 2)
    wave = 0.25 * np.sin(t / rng.uniform(5, 9, (n, 1)) + rng.uniform(0, 6.3, (n, 1)))
    x = rise + over + wave - 0.9 + rng.normal(scale=0.2, size=(n, STEPS))
    x, y = x[..., None].astype("float32"), y.astype("float32")
    return x[:750], y[:750], x[750:], y[750:]


def model(fixed=False):
    network = keras.Sequential([layers.Input((STEPS, 1))])
    if fixed:
        network.add(layers.Reshape((STEPS // CHUNK, CHUNK)))
    network.add(layers.GRU(20))
    network.add(layers.Dense(1, activation="sigmoid"))
    network.compile(optimizer=keras.optimizers.Adam(0.005), loss="binary_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0)[:, 0] > 0.5) == (y > 0.5)))


PASS = 0.85
FAULT = "160 single readings are fed one by one, and what matters happens in the first 40: the GRU would have to keep it for 120 steps, and its gradient vanishes on the way back"
REPAIR = "20 readings are taken together as one step (8 steps instead of 160)"
