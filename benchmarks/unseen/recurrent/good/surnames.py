"""Where a surname comes from, read letter by letter (two-way GRU, padded and masked).

Source: https://www.tensorflow.org/guide/keras/understanding_masking_and_padding
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 10, 32
LONGEST = 14


def data(fixed=False):
    rng = np.random.default_rng(601)
    n = 1000
    y = rng.integers(0, 3, n)
    endings = ([19, 15, 14], [15, 23, 19, 11, 9], [5, 20, 20, 9])
    names = [np.concatenate([rng.integers(1, 27, rng.integers(3, 9)), endings[k]]) for k in y]
    for name in names:
        wrong = rng.random(len(name)) < 0.1
        name[wrong] = rng.integers(1, 27, wrong.sum())
    x = keras.utils.pad_sequences(names, maxlen=LONGEST, padding="post")
    return x[:750], y[:750], x[750:], y[750:]


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((LONGEST,), dtype="int32"),
        layers.Embedding(27, 10, mask_zero=True),
        layers.Bidirectional(layers.GRU(12)),
        layers.Dense(3, activation="softmax"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy",
                    metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=-1) == y))


PASS = 0.85
