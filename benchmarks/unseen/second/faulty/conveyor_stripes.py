"""Finds the direction of the stripes on goods of a conveyor belt (four directions).

Source: https://github.com/keras-team/keras-preprocessing/issues/114
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 10, 32
SIDE = 16


def data(fixed=False):
    rng = np.random.default_rng(14)
    n = 1000
    rows, cols = np.mgrid[0:SIDE, 0:SIDE]
    y = rng.integers(0, 4, n)
    x = np.empty((n, SIDE, SIDE, 1), "float32")
    for i, k in enumerate(y):
        angle = k * np.pi / 4 + rng.normal(scale=0.12)
        wave = np.sin((rows * np.cos(angle) + cols * np.sin(angle)) * rng.uniform(1.0, 1.5) + rng.uniform(0, 6.3))
        x[i, :, :, 0] = 127 + 45 * wave + rng.normal(scale=25, size=wave.shape)
    x = np.clip(x, 0, 255) / 255.0
    return x[:750], y[:750], x[750:], y[750:]


def model(fixed=False):
    brightness = (layers.RandomBrightness(0.2, value_range=(0, 1)) if fixed else layers.RandomBrightness(0.2))
    network = keras.Sequential([
        layers.Input((SIDE, SIDE, 1)),
        brightness,
        layers.Conv2D(12, 5, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(32, activation="relu"),
        layers.Dense(4, activation="softmax"),
    ])
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=1) == y))


PASS = 0.9
FAULT = ("the pictures lie in 0..1 but RandomBrightness assumes its default value range of 0..255, so in training it adds up to 51 to every pixel or "
         "clips whole pictures to black; the network trains on pictures that have nothing to do with the real ones")
REPAIR = "RandomBrightness with value_range=(0, 1)"
