"""Predicts the next bit of a noisy binary stream from the eight bits before it.

Source: https://stackguides.com/questions/46620813/keras-lstm-model-not-learning-binary-sequence
"""
import keras
import numpy as np

EPOCHS, BATCH = 20, 32
WINDOW = 8


def data(fixed=False):
    rng = np.random.default_rng(46)
    bits = list(rng.integers(0, 2, 3))
    while len(bits) < 1900:
        nxt = bits[-3]                      # the stream echoes what it sent three ticks ago ...
        if rng.random() < 0.12:             # ... but for line noise
            nxt = 1 - nxt
        bits.append(nxt)
    bits = np.array(bits, dtype="float32")
    x = np.stack([bits[i:i + WINDOW] for i in range(len(bits) - WINDOW)])[..., None]
    y = bits[WINDOW:][:, None]
    return x[:1400], y[:1400], x[1400:], y[1400:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((WINDOW, 1)),
        keras.layers.LSTM(16),
        keras.layers.Dense(1, activation="sigmoid" if fixed else "softmax"),
    ])
    net.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    p = network.predict(x, verbose=0)
    return float(np.mean((p > 0.5) == (y > 0.5)))


PASS = 0.8
FAULT = "The output layer is a softmax over a single unit, so it says 1.0 for every row and no gradient reaches the network."
REPAIR = "The single output unit uses sigmoid."
