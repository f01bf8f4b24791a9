"""Sorts short support tickets (as word ids) into three queues.

Source: https://github.com/keras-team/keras/issues/20898
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 8, 64
LONGEST = 100


def data(fixed=False):
    rng = np.random.default_rng(507)
    n = 1300
    y = rng.integers(0, 3, n)
    use = np.ones((3, 60))
    for k in range(3):
        use[k, 6 * k:6 * k + 6] = 5
    use /= use.sum(axis=1, keepdims=True)
    texts = [rng.choice(60, size=rng.integers(10, 22), p=use[k]) + 1 for k in y]
    x = keras.utils.pad_sequences(texts, maxlen=LONGEST, padding="pre" if fixed else "post")
    return x[:1000], y[:1000], x[1000:], y[1000:]


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((LONGEST,), dtype="int32"),
        layers.Embedding(61, 12),
        layers.GRU(16),
        layers.Dense(3, activation="softmax"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.005), loss="sparse_categorical_crossentropy",
                    metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=-1) == y))


PASS = 0.7
FAULT = "tickets of 10 to 21 words are filled up with 80 or 90 zeros behind the text, without a mask; the GRU runs through all the zeros and its last state knows nothing of the words"
REPAIR = "padding in front of the text, so that the words come last"
