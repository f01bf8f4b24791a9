"""Finds out whether a strip of an ECG-like signal contains a premature broad beat.

Source: https://stats.stackexchange.com/questions/305185/why-is-my-lstm-1dconvnet-so-ineffective-at-waveform-analysis
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 8, 64
STEPS = 120


def data(fixed=False):
    rng = np.random.default_rng(502)
    n = 1000
    t = np.arange(STEPS)
    y = rng.integers(0, 2, n)
    x = rng.normal(scale=0.06, size=(n, STEPS))
    for i in range(n):
        for beat in np.arange(rng.uniform(3, 20), STEPS, rng.uniform(18, 24)):
            x[i] += np.exp(-((t - beat) / 1.2) ** 2) + 0.25 * np.exp(-((t - beat - 6) / 2.5) ** 2)
        if y[i]:
            x[i] -= 1.1 * np.exp(-((t - rng.uniform(8, 45)) / 3.5) ** 2)
    x, y = x[..., None].astype("float32"), y.astype("float32")
    return x[:750], y[:750], x[750:], y[750:]


def model(fixed=False):
    network = keras.Sequential([layers.Input((STEPS, 1))])
    if fixed:
        network.add(layers.LSTM(16, return_sequences=True))
        network.add(layers.GlobalMaxPooling1D())
    else:
        network.add(layers.LSTM(16))
    network.add(layers.Dense(1, activation="sigmoid"))
    network.compile(optimizer=keras.optimizers.Adam(0.005), loss="binary_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0)[:, 0] > 0.5) == (y > 0.5)))


PASS = 0.85
FAULT = "the odd beat lies 75 to 112 steps before the end, and only the last state of the LSTM is used: it has forgotten the beat by then and no gradient comes back to it"
REPAIR = "return_sequences=True and a maximum over time, so that every step is next to the output"
