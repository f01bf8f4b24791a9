"""Next state (0 or 1) of a valve from its last eight states.

Source: https://stackguides.com/questions/46620813/keras-lstm-model-not-learning-binary-sequence
"""
import keras
import numpy as np

EPOCHS, BATCH = 12, 64


def data(fixed=False):
    rng = np.random.default_rng(71)
    bits = list(rng.integers(0, 2, 3))
    for _ in range(2600):
        follow = 1 - int(sum(bits[-3:]) >= 2)
        bits.append(follow if rng.random() < 0.9 else 1 - follow)
    bits = np.array(bits, "float32")
    x = np.stack([bits[i:i + 8] for i in range(len(bits) - 8)])[..., None]
    y = bits[8:, None]
    return x[:2000], y[:2000], x[2000:], y[2000:]


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((8, 1)),
        keras.layers.LSTM(16),
        keras.layers.Dense(1, activation="sigmoid" if fixed else "softmax"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.02), loss="binary_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0) > 0.5) == (y > 0.5)))


PASS = 0.8
FAULT = "softmax over a single output unit is always 1, so the network always predicts class 1 and has no gradient"
REPAIR = "sigmoid on the single output unit"
