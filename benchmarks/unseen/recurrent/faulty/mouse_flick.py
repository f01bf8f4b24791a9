"""Direction of a flick of the mouse, read from a long trace of small movements.

Source: https://github.com/keras-team/keras/pull/316
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 10, 64
STEPS = 100


def data(fixed=False):
    rng = np.random.default_rng(504)
    n = 1200
    y = rng.integers(0, 4, n)
    way = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])[y]
    x = rng.normal(scale=0.08, size=(n, STEPS, 2))
    x[:, :20] += 0.2 * way[:, None]                     # the flick, and then only the trembling hand
    x = x.astype("float32")
    return x[:900], y[:900], x[900:], y[900:]


def model(fixed=False):
    start = keras.initializers.Identity() if fixed else keras.initializers.RandomNormal(stddev=0.05)
    network = keras.Sequential([
        layers.Input((STEPS, 2)),
        layers.SimpleRNN(24, activation="relu", recurrent_initializer=start),
        layers.Dense(4, activation="softmax"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.002, clipnorm=1.0), loss="sparse_categorical_crossentropy",
                    metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=-1) == y))


PASS = 0.8
FAULT = "the recurrent weights of the SimpleRNN start at random values of 0.05, so the state shrinks to a fifth at every step; the flick lies 80 steps before the output and its gradient is zero"
REPAIR = "identity matrix as the initial recurrent weights (with ReLU), so that the state is carried on unchanged"
