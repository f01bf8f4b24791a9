"""Sorts pulse traces (one sensor, 80 readings) into three rhythms.

Source: https://github.com/keras-team/tf-keras/issues/173
"""
import keras
import numpy as np

EPOCHS, BATCH = 15, 32


def data(fixed=False):
    rng = np.random.default_rng(30)
    n, t = 1100, np.arange(80)
    y = rng.integers(0, 3, n)
    x = np.zeros((n, 80))
    for i, k in enumerate(y):
        pos, gap = rng.uniform(0, 12), rng.uniform(14, 18)
        beat = 0
        while pos < 80:
            height = 1.0 if not (k == 1 and beat % 2) else 0.45        # 1: every other beat is weak
            x[i] += height * np.exp(-0.5 * ((t - pos) / 1.3) ** 2)
            pos += gap * (rng.uniform(0.45, 1.6) if k == 2 else 1)     # 2: irregular
            beat += 1
    x = 70 + 25 * (x + rng.normal(0, 0.1, x.shape))
    x = x.astype("float32")[..., None]
    return x[:800], y[:800], x[800:], y[800:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((80, 1)),
        keras.layers.LayerNormalization(axis=1 if fixed else -1),
        keras.layers.Conv1D(16, 7, activation="relu", padding="same"),
        keras.layers.MaxPooling1D(2),
        keras.layers.Conv1D(32, 9, activation="relu", padding="same"),
        keras.layers.MaxPooling1D(2),
        keras.layers.Conv1D(32, 9, activation="relu", padding="same"),
        keras.layers.GlobalMaxPooling1D(),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(3, activation="softmax"),
    ])
    net.compile(optimizer=keras.optimizers.Adam(2e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.8
FAULT = "LayerNormalization works over the last axis, which has a single feature: each reading minus itself is zero, so the signal is wiped out."
REPAIR = "LayerNormalization works over the time axis (axis=1)."
