"""Topic of short support tickets given as padded word ids, with an LSTM.

Source: https://github.com/keras-team/keras/issues/20898
"""
import keras
import numpy as np

EPOCHS, BATCH = 8, 48
WORDS, LENGTH, TOPICS = 400, 60, 4


def data(fixed=False):
    rng = np.random.default_rng(3)
    n = 1600
    y = rng.integers(0, TOPICS, n)
    tickets = []
    for topic in y:
        size = rng.integers(5, 15)
        words = rng.integers(60, WORDS, size)
        mark = rng.random(size) < 0.35
        words[mark] = 1 + topic * 12 + rng.integers(0, 12, mark.sum())
        tickets.append(words.tolist())
    x = keras.utils.pad_sequences(tickets, maxlen=LENGTH, padding="post")
    return x[:1200], y[:1200], x[1200:], y[1200:]


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((LENGTH,), dtype="int32"),
        keras.layers.Embedding(WORDS, 16, mask_zero=fixed),
        keras.layers.LSTM(16),
        keras.layers.Dense(TOPICS, activation="softmax"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(5e-3), loss="sparse_categorical_crossentropy",
                    metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.75
FAULT = ("short texts are padded with zeros at the end to a length of 60 and the padding is not masked, so the LSTM "
         "ends every text with some 50 steps of padding and forgets the words")
REPAIR = "the Embedding masks the padding (mask_zero=True)"
