"""Sorts short heart traces into four rhythms.

Source: https://keras.io/examples/timeseries/timeseries_classification_from_scratch/ (own mistake in the callback)
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 25, 32
STEPS = 64


def data(fixed=False):
    rng = np.random.default_rng(23)
    n = 1200
    y = rng.integers(0, 4, n)
    t = np.arange(STEPS)
    x = rng.normal(scale=0.35, size=(n, STEPS, 1))
    for i, k in enumerate(y):
        gap = (16, 10, 16, 22)[k]
        beats = np.arange(rng.uniform(0, gap), STEPS, gap)
        if k == 2:
            beats = beats + rng.normal(scale=3.0, size=len(beats))
        for beat in beats:
            x[i, :, 0] += 1.6 * np.exp(-(t - beat) ** 2 / 2) - 0.5 * np.exp(-(t - beat - 3) ** 2 / 2)
    x = x.astype("float32")
    return x[:900], y[:900], x[900:], y[900:]


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((STEPS, 1)),
        layers.Conv1D(16, 7, padding="same", activation="relu"),
        layers.MaxPooling1D(2),
        layers.Conv1D(24, 7, padding="same", activation="relu"),
        layers.Conv1D(24, 7, padding="same", activation="relu"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(24, activation="relu"),
        layers.Dense(4, activation="softmax"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.002), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def fit_args(fixed=False):
    return {"callbacks": [keras.callbacks.EarlyStopping(
        monitor="val_accuracy", mode="max" if fixed else "min", patience=6, restore_best_weights=True)]}


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=1) == y))


PASS = 0.75
FAULT = ("early stopping watches the validation accuracy in mode 'min': it takes a rising accuracy for a worsening one, stops after a few epochs and "
         "puts back the weights of the worst epoch")
REPAIR = "mode='max'"
