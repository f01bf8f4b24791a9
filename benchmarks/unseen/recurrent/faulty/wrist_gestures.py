"""Four gestures from the three axes of an accelerometer on the wrist.

Source: https://python-pypi.developreference.com/article/18792441/Understanding+Keras+LSTMs+Role+of+Batch+size+and+Statefulness
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 10, 64
STEPS = 40


def data(fixed=False):
    rng = np.random.default_rng(509)
    n = 1000
    t = np.arange(STEPS)
    y = rng.integers(0, 4, n)
    axes = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.7, 0.7, 0]])[y].T
    speed = rng.uniform(3, 5, n)
    phase = rng.uniform(0, 6.3, n)
    record = axes[:, :, None] * np.sin(t / speed[:, None] + phase[:, None])     # (axis, gesture, time)
    record = record + rng.normal(scale=0.3, size=record.shape)
    x = record.transpose(1, 2, 0) if fixed else record.reshape(n, STEPS, 3)
    x = x.astype("float32")
    return x[:750], y[:750], x[750:], y[750:]


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((STEPS, 3)),
        layers.Bidirectional(layers.LSTM(12)),
        layers.Dense(4, activation="softmax"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy",
                    metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=-1) == y))


PASS = 0.75
FAULT = "the record has the axes (channel, gesture, time) and is brought to (gesture, time, channel) by reshape, which only cuts the numbers anew: the values of a sample come from other gestures, and labels no longer belong to inputs"
REPAIR = "transpose(1, 2, 0) in place of reshape"
