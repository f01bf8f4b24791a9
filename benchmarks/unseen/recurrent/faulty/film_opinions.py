"""Liked or not: short opinions on films as word ids.

Source: https://www.52sbl.cn/discussion/115307.html
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 8, 32
WORDS = 25


def data(fixed=False):
    rng = np.random.default_rng(510)
    n = 1200
    y = rng.integers(0, 2, n)
    use = np.ones((2, 120))
    use[0, :12] = 4
    use[1, 12:24] = 4
    use /= use.sum(axis=1, keepdims=True)
    x = np.array([rng.choice(120, size=WORDS, p=use[k]) for k in y]).astype("int32")
    y = y.astype("float32")
    return x[:900], y[:900], x[900:], y[900:]


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((WORDS,), dtype="int32"),
        layers.Embedding(120, 8),
        layers.LSTM(12),
        layers.Dense(1, activation="sigmoid" if fixed else "softmax"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.005), loss="binary_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0)[:, 0] > 0.5) == (y > 0.5)))


PASS = 0.8
FAULT = "softmax over a single output unit: the output is 1 for every text, whatever the LSTM says, and its gradient is zero"
REPAIR = "sigmoid on the output unit"
