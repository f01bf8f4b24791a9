"""Borrows frozen convolutions from a network for the digits 0 to 4 and learns 5 to 9 from eighty examples.

Source: https://keras.io/guides/transfer_learning/
"""
import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

EPOCHS, BATCH = 50, 16


def _pictures(low):
    digits = load_digits()
    chosen = (digits.target < 5) == low
    return (digits.images[chosen][..., None] / 8.0 - 1.0).astype("float32"), digits.target[chosen] % 5


def data(fixed=False):
    x, y = _pictures(low=False)
    order = np.random.default_rng(19).permutation(len(y))
    x, y = x[order], y[order]
    return x[:80], y[:80], x[80:], y[80:]


def model(fixed=False):
    base = keras.Sequential([
        layers.Input((8, 8, 1)),
        layers.Conv2D(24, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.Flatten(),
    ], name="borrowed")
    first = keras.Sequential([base, layers.Dense(5, activation="softmax")])
    first.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    first.fit(*_pictures(low=True), epochs=6, batch_size=32, verbose=0)
    base.trainable = False

    inputs = keras.Input((8, 8, 1))
    h = base(inputs, training=False)
    h = layers.Dropout(0.2)(h)
    outputs = layers.Dense(5, activation="softmax")(h)
    network = keras.Model(inputs, outputs)
    network.compile(optimizer=keras.optimizers.Adam(0.002), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=1) == y))


PASS = 0.88
