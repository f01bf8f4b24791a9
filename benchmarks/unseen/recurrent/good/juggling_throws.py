"""Kind of a throw from a short track of hand and ball (SimpleRNN with orthogonal recurrent weights and clipping).

Source: https://keras.io/api/layers/recurrent_layers/simple_rnn/
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 10, 32
STEPS = 25


def data(fixed=False):
    rng = np.random.default_rng(606)
    n = 1000
    t = np.linspace(0, 1, STEPS)
    y = rng.integers(0, 3, n)
    side = np.array([-1.0, 0.0, 1.0])[y][:, None] * rng.uniform(0.7, 1.3, (n, 1)) * t
    high = rng.uniform(1, 2, (n, 1)) * 4 * t * (1 - t) - 0.8
    x = np.stack([side, high, rng.normal(size=(n, STEPS)) * 0.3], axis=2)
    x = (x + rng.normal(scale=0.25, size=x.shape)).astype("float32")
    return x[:750], y[:750], x[750:], y[750:]


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((STEPS, 3)),
        layers.SimpleRNN(24),
        layers.Dense(3, activation="softmax"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.003, clipnorm=1.0), loss="sparse_categorical_crossentropy",
                    metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=-1) == y))


PASS = 0.85
