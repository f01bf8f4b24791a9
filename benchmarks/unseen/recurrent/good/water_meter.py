"""Marks the hours in which a tap was left running, one label for every step (two cells in one RNN layer).

Source: https://keras.io/api/layers/recurrent_layers/rnn/
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 10, 64
STEPS = 36


def data(fixed=False):
    rng = np.random.default_rng(605)
    n = 800
    y = np.zeros((n, STEPS), "float32")
    for i in range(n):
        for start in rng.integers(0, STEPS - 5, 2):
            y[i, start:start + rng.integers(4, 10)] = 1
    x = 0.3 * rng.gamma(1.0, 1.0, (n, STEPS)) + 0.8 * y + rng.normal(scale=0.3, size=(n, STEPS))
    x, y = ((x - x.mean()) / x.std())[..., None].astype("float32"), y[..., None]
    return x[:600], y[:600], x[600:], y[600:]


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((STEPS, 1)),
        layers.RNN([layers.GRUCell(16), layers.GRUCell(16)], return_sequences=True),
        layers.Dense(1, activation="sigmoid"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.005), loss="binary_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    """Share of steps with the right mark."""
    return float(np.mean((network.predict(x, verbose=0) > 0.5) == (y > 0.5)))


PASS = 0.85
