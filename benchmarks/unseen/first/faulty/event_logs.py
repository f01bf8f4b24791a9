"""Says from a log of 16 event codes whether the alarm (code 1) came before the reset (code 2), with a small transformer.

Source: https://mbrenndoerfer.com/writing/position-problem-self-attention-word-order
"""
import keras
import numpy as np
from keras import layers, ops

EPOCHS, BATCH = 20, 32
LENGTH, CODES = 16, 30


def data(fixed=False):
    rng = np.random.default_rng(14)
    n = 2000
    x = rng.integers(3, CODES, (n, LENGTH))
    y = rng.integers(0, 2, n)
    for i in range(n):
        a, b = np.sort(rng.choice(LENGTH, 2, replace=False))
        x[i, a], x[i, b] = (1, 2) if y[i] else (2, 1)
    y = y.astype("float32")
    return x[:1600], y[:1600], x[1600:], y[1600:]


class Positions(layers.Layer):
    """Adds a learned vector for every place in the sequence."""

    def build(self, shape):
        self.table = self.add_weight(shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.3), name="table")

    def call(self, x):
        return x + self.table


def model(fixed=False):
    inputs = keras.Input((LENGTH,), dtype="int32")
    h = layers.Embedding(CODES, 32)(inputs)
    if fixed:
        h = Positions()(h)
    a = layers.MultiHeadAttention(num_heads=2, key_dim=16)(h, h)
    h = layers.LayerNormalization()(h + a)
    f = layers.Dense(32)(layers.Dense(64, activation="relu")(h))
    h = layers.LayerNormalization()(h + f)
    h = layers.GlobalAveragePooling1D()(h)
    h = layers.Dense(32, activation="relu")(h)
    net = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(h))
    net.compile(optimizer=keras.optimizers.Adam(2e-3), loss="binary_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0).ravel() > 0.5) == (y > 0.5)))


PASS = 0.85
FAULT = ("The transformer has no position information: self-attention and average pooling do not depend on the order of the events, and "
         "the answer depends on nothing else.")
REPAIR = "A learned position embedding is added to the event embedding."
