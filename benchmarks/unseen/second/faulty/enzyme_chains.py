"""Tells two families of short amino-acid chains apart with a recurrent network.

Source: https://www.tensorflow.org/guide/keras/understanding_masking_and_padding
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 10, 32
LONGEST = 160


def data(fixed=False):
    rng = np.random.default_rng(90)
    n = 1000
    y = rng.integers(0, 2, n)
    use = np.ones((2, 20))
    use[0, :4] = 4
    use[1, 4:8] = 4
    use /= use.sum(axis=1, keepdims=True)
    chains = [rng.choice(20, size=rng.integers(8, 20), p=use[k]) + 1 for k in y]
    chains[0] = rng.choice(20, size=LONGEST, p=use[y[0]]) + 1       # the one very long chain
    x = keras.utils.pad_sequences(chains, maxlen=LONGEST, padding="post")
    return x[:750], y[:750].astype("float32"), x[750:], y[750:].astype("float32")


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((LONGEST,), dtype="int32"),
        layers.Embedding(21, 12, mask_zero=fixed),
        layers.LSTM(20),
        layers.Dense(1, activation="sigmoid"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.005), loss="binary_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0)[:, 0] > 0.5) == (y > 0.5)))


PASS = 0.8
FAULT = "short chains are filled up at the end with well over a hundred zeros and nothing masks them, so the LSTM has forgotten the chain when it gives its last state"
REPAIR = "mask_zero=True in the embedding"
