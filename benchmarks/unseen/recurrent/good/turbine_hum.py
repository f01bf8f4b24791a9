"""Healthy or worn bearing from 240 samples of the hum of a turbine (samples in groups of 12, two stacked GRU).

Source: https://keras.io/examples/timeseries/timeseries_classification_from_scratch/
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 10, 64
STEPS, GROUP = 240, 12


def data(fixed=False):
    rng = np.random.default_rng(604)
    n = 1000
    t = np.arange(STEPS)
    y = rng.integers(0, 2, n)
    x = np.sin(t / rng.uniform(6, 8, (n, 1)) + rng.uniform(0, 6.3, (n, 1)))
    x += y[:, None] * 0.9 * np.sin(t * rng.uniform(1.2, 1.5, (n, 1)) + rng.uniform(0, 6.3, (n, 1)))
    x = (x + rng.normal(scale=0.4, size=x.shape)).astype("float32")
    y = y.astype("float32")
    return x[:750], y[:750], x[750:], y[750:]


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((STEPS,)),
        layers.Reshape((STEPS // GROUP, GROUP)),
        layers.GRU(16, return_sequences=True),
        layers.GRU(16, return_sequences=True),
        layers.GlobalAveragePooling1D(),
        layers.Dense(1, activation="sigmoid"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.005), loss="binary_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0)[:, 0] > 0.5) == (y > 0.5)))


PASS = 0.85
