"""Recognises scanned handwritten numerals with a small convolution network.

Source: https://github.com/keras-team/keras/issues/13815
"""
import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

EPOCHS, BATCH = 12, 64


def data(fixed=False):
    digits = load_digits()
    order = np.random.default_rng(2).permutation(len(digits.target))
    x = (digits.images[order][..., None] / 16.0).astype("float32")
    y = keras.utils.to_categorical(digits.target[order], 10)
    return x[:1300], y[:1300], x[1300:], y[1300:]


def model(fixed=False):
    optimizer = keras.optimizers.Adadelta(learning_rate=1.0) if fixed else keras.optimizers.Adadelta()
    network = keras.Sequential([
        layers.Input((8, 8, 1)),
        layers.Conv2D(32, (3, 3), activation="relu"),
        layers.Conv2D(32, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dropout(0.25),
        layers.Dense(10, activation="softmax"),
    ])
    network.compile(loss="categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=1) == y.argmax(axis=1)))


PASS = 0.9
FAULT = "Adadelta is used with its Keras default learning rate of 0.001, where the method needs about 1.0: the steps are far too small"
REPAIR = "Adadelta(learning_rate=1.0)"
