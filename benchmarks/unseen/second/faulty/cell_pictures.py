"""Counts how many nuclei (one to four) a small microscope picture shows.

Source: https://github.com/keras-team/keras/issues/6839
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 10, 32
SIDE = 20


def data(fixed=False):
    rng = np.random.default_rng(44)
    n = 900
    rows, cols = np.mgrid[0:SIDE, 0:SIDE]
    y = rng.integers(0, 4, n)
    x = rng.normal(60, 10, size=(n, SIDE, SIDE, 1))
    corners = np.array([(5, 5), (5, 14), (14, 5), (14, 14)], float)
    for i, more in enumerate(y):
        for r, c in corners[rng.permutation(4)[:more + 1]] + rng.uniform(-1.5, 1.5, (more + 1, 2)):
            x[i, :, :, 0] += 120 * np.exp(-((rows - r) ** 2 + (cols - c) ** 2) / 6)
    x = np.clip(x, 0, 255).astype("float32")
    return x[:700], y[:700], x[700:], y[700:]


def model(fixed=False):
    momentum = 0.9 if fixed else 0.9997
    network = keras.Sequential([layers.Input((SIDE, SIDE, 1)), layers.Rescaling(1 / 255)])
    for filters in (8, 16, 32):
        network.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        network.add(layers.BatchNormalization(momentum=momentum))
        network.add(layers.Activation("relu"))
        network.add(layers.MaxPooling2D())
    network.add(layers.Flatten())
    network.add(layers.Dense(32, activation="relu"))
    network.add(layers.Dense(4, activation="softmax"))
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=1) == y))


PASS = 0.9
FAULT = ("the momentum of the batch normalisation layers (0.9997) is far too near 1 for some 200 training steps: the moving averages "
         "used outside training are still near their start, so the network is good in training mode and bad in validation")
REPAIR = "momentum 0.9"
