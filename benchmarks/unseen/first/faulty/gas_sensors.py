"""Tells which of five gases an array of sensors has met.

Source: https://github.com/keras-team/keras/issues/8346
"""
import keras
import numpy as np

EPOCHS, BATCH = 25, 32


def data(fixed=False):
    rng = np.random.default_rng(808)
    n = 240
    centre = rng.normal(0, 1.2, size=(5, 12))
    x = np.concatenate([c + rng.normal(0, 1.0, size=(n, 12)) for c in centre]).astype("float32")
    y = np.repeat(np.arange(5), n)
    held = np.arange(len(y)) % 6 == 0
    x_train, y_train, x_test, y_test = x[~held], y[~held], x[held], y[held]
    if fixed:
        order = rng.permutation(len(y_train))
        x_train, y_train = x_train[order], y_train[order]
    return x_train, y_train, x_test, y_test


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((12,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(5, activation="softmax"),
    ])
    net.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def fit_args(fixed=False):
    return {"validation_split": 0.2, "shuffle": True}


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.88
FAULT = ("validation_split takes the last 20 % of rows that are sorted by class: the whole last class is in the validation part and is "
         "never trained (validation accuracy near 0)")
REPAIR = "The rows are shuffled before fit"
