"""Tells from an application whether a loan will be paid back.

Source: https://github.com/keras-team/keras/issues/13507
"""
import keras
import numpy as np

EPOCHS, BATCH = 40, 32


def data(fixed=False):
    rng = np.random.default_rng(111)
    n = 1800
    x = rng.normal(size=(n, 9))
    z = 1.5 * x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) * 1.5 + 0.8 * x[:, 3] ** 2 - 0.8 + 0.3 * x[:, 4]
    y = (z + rng.normal(0, 0.3, n) > 0).astype("float32")
    x = x.astype("float32")
    return x[:1400], y[:1400], x[1400:], y[1400:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((9,)),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    net.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return net


def fit_args(fixed=False):
    stop = keras.callbacks.EarlyStopping(monitor="val_accuracy", mode="max" if fixed else "min",
                                         patience=6, restore_best_weights=True)
    return {"callbacks": [stop]}


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0)[:, 0] > 0.5) == (y > 0.5)))


PASS = 0.80
FAULT = ("EarlyStopping watches the validation accuracy with mode='min': training ends after a few epochs and the weights of the worst "
         "epoch are brought back")
REPAIR = "mode='max'"
