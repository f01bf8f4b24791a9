"""Tells drawn circles, squares and crosses apart.

Source: https://community.deeplearning.ai/t/week-1-programming-assignment-initialization-exercise-1-initialize-parameters-zeros/121049
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 10, 32
SIDE = 16


def data(fixed=False):
    rng = np.random.default_rng(17)
    n = 1000
    rows, cols = np.mgrid[0:SIDE, 0:SIDE]
    y = rng.integers(0, 3, n)
    x = rng.normal(scale=0.15, size=(n, SIDE, SIDE, 1))
    for i, kind in enumerate(y):
        r, c = rng.uniform(6, 10, 2)
        size = rng.uniform(3, 5)
        dr, dc = np.abs(rows - r), np.abs(cols - c)
        if kind == 0:
            drawn = np.abs(np.hypot(dr, dc) - size) < 0.8
        elif kind == 1:
            drawn = np.abs(np.maximum(dr, dc) - size) < 0.8
        else:
            drawn = (np.minimum(dr, dc) < 0.8) & (np.maximum(dr, dc) < size)
        x[i, :, :, 0] += drawn
    x = x.astype("float32")
    return x[:750], y[:750], x[750:], y[750:]


def model(fixed=False):
    start = "glorot_uniform" if fixed else "zeros"
    network = keras.Sequential([
        layers.Input((SIDE, SIDE, 1)),
        layers.Conv2D(12, 3, activation="relu", kernel_initializer=start),
        layers.MaxPooling2D(),
        layers.Conv2D(24, 3, activation="relu", kernel_initializer=start),
        layers.Flatten(),
        layers.Dense(32, activation="relu", kernel_initializer=start),
        layers.Dense(3, activation="softmax", kernel_initializer=start),
    ])
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=1) == y))


PASS = 0.9
FAULT = "all kernels start at zero, so every relu gives 0 and no gradient reaches the kernels; only the last bias learns"
REPAIR = "Glorot initialisation"
