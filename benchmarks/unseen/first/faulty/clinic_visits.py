"""Tells from the series of a patient's visits (of different length) whether a treatment helps.

Source: https://github.com/keras-team/keras/issues/20898
"""
import keras
import numpy as np

EPOCHS, BATCH = 8, 32
LONGEST = 80


def data(fixed=False):
    rng = np.random.default_rng(171)
    n = 1100
    x = np.zeros((n, LONGEST, 3), "float32")
    y = np.zeros(n, "float32")
    for i in range(n):
        length = LONGEST if i % 150 == 0 else rng.integers(4, 13)
        visits = rng.normal(size=(length, 3))
        y[i] = visits[:, 0].mean() + 0.7 * visits[-3:, 1].mean() > 0
        x[i, :length] = visits
    return x[:850], y[:850], x[850:], y[850:]


def model(fixed=False):
    inputs = keras.Input((LONGEST, 3))
    h = keras.layers.Masking(0.0)(inputs) if fixed else inputs
    h = keras.layers.LSTM(24)(h)
    outputs = keras.layers.Dense(1, activation="sigmoid")(h)
    net = keras.Model(inputs, outputs)
    net.compile(optimizer=keras.optimizers.Adam(5e-3), loss="binary_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0)[:, 0] > 0.5) == (y > 0.5)))


PASS = 0.80
FAULT = ("The series are filled up with zeros at the end and not masked: after some ten visits the LSTM runs over about seventy empty "
         "steps and has forgotten them")
REPAIR = "A Masking layer skips the filled steps"
