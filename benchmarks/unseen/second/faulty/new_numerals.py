"""Re-uses a network trained on the digits 0 to 4 for the digits 5 to 9.

Source: https://www.tensorflow.org/guide/keras/transfer_learning
"""
import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

EPOCHS, BATCH = 20, 16


def _pictures(low):
    digits = load_digits()
    chosen = (digits.target >= 5) != low
    return (digits.images[chosen][..., None] / 16.0).astype("float32"), digits.target[chosen] % 5


def data(fixed=False):
    x, y = _pictures(low=False)
    order = np.random.default_rng(9).permutation(len(y))
    x, y = x[order], y[order]
    return x[:500], y[:500], x[500:], y[500:]


def model(fixed=False):
    base = keras.Sequential([
        layers.Input((8, 8, 1)),
        layers.Conv2D(24, 3, activation="relu"),
        layers.Conv2D(32, 3, activation="relu"),
        layers.Flatten(),
    ])
    first = keras.Sequential([base, layers.Dense(5, activation="softmax")])
    first.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    first.fit(*_pictures(low=True), epochs=4, batch_size=32, verbose=0)

    inputs = keras.Input((8, 8, 1))
    h = base(inputs)
    h = layers.Dense(32, activation="relu")(h)
    outputs = layers.Dense(5, activation="softmax")(h)
    network = keras.Model(inputs, outputs)
    for layer in ([base] if fixed else network.layers):
        layer.trainable = False
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=1) == y))


PASS = 0.9
FAULT = "the loop that freezes the layers runs over the whole new network, so the new head is frozen as well and nothing is trainable"
REPAIR = "only the base is frozen"
