"""Tells eight bird calls apart in short one-channel recordings, with a learning rate that falls along a cosine.

Source: https://github.com/mindee/doctr/pull/374
"""
import keras
import numpy as np

EPOCHS, BATCH = 20, 32


def data(fixed=False):
    rng = np.random.default_rng(41)
    n, t = 1200, np.arange(128) / 128
    low, sweep = rng.uniform(6, 20, 8), rng.uniform(-6, 12, 8)
    y = rng.integers(0, 8, n)
    f = low[y] + rng.normal(0, 0.4, n)
    s = sweep[y] + rng.normal(0, 0.4, n)
    phase = rng.uniform(0, 2 * np.pi, n)
    x = np.sin(2 * np.pi * (f[:, None] * t + s[:, None] * t ** 2 / 2) + phase[:, None]) + rng.normal(0, 0.3, (n, 128))
    x = x.astype("float32")[..., None]
    return x[:900], y[:900], x[900:], y[900:]


def model(fixed=False):
    steps_per_epoch = 900 // BATCH
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, decay_steps=EPOCHS * steps_per_epoch if fixed else EPOCHS)
    net = keras.Sequential([
        keras.Input((128, 1)),
        keras.layers.Conv1D(16, 9, activation="relu"),
        keras.layers.MaxPooling1D(2),
        keras.layers.Conv1D(32, 9, activation="relu"),
        keras.layers.MaxPooling1D(2),
        keras.layers.Flatten(),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(8, activation="softmax"),
    ])
    net.compile(optimizer=keras.optimizers.Adam(schedule), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.75
FAULT = "decay_steps of the cosine schedule is the number of epochs, but it counts batches: the learning rate is zero before the first epoch ends."
REPAIR = "decay_steps is epochs times batches per epoch."
