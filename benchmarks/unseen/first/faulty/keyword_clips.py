"""Recognises six spoken keywords in small spectrograms.

Source: https://errorhandle.ai/understanding-the-behavior-of-keras-earlystopping
"""
import keras
import numpy as np

EPOCHS, BATCH = 30, 32


def data(fixed=False):
    rng = np.random.default_rng(2)
    n, bands, frames = 1100, 16, 30
    shapes = rng.uniform(2, 14, (6, 3))                 # start, middle and end pitch of a keyword
    y = rng.integers(0, 6, n)
    x = rng.normal(0, 0.55, (n, frames, bands))
    for i, k in enumerate(y):
        start, length = rng.integers(0, 8), rng.integers(16, 22)
        pitch = np.interp(np.linspace(0, 2, length), [0, 1, 2], shapes[k] + rng.normal(0, 0.8, 3))
        for j, p in enumerate(pitch):
            x[i, start + j] += 1.2 * np.exp(-0.5 * ((np.arange(bands) - p) / 1.1) ** 2)
    x = x.astype("float32")
    return x[:800], y[:800], x[800:], y[800:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((30, 16)),
        keras.layers.Conv1D(24, 5, activation="relu"),
        keras.layers.MaxPooling1D(2),
        keras.layers.Conv1D(32, 5, activation="relu"),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(6, activation="softmax"),
    ])
    net.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def fit_args(fixed=False):
    stop = keras.callbacks.EarlyStopping(monitor="val_accuracy", mode="max" if fixed else "min", patience=4, restore_best_weights=True)
    return {"callbacks": [stop]}


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.8
FAULT = ("EarlyStopping watches val_accuracy with mode='min': it takes the worst epoch for the best, stops after a few epochs and puts back "
         "the weights of the first one.")
REPAIR = "mode='max'."
