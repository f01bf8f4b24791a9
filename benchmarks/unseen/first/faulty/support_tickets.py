"""Routes support tickets (sequences of word ids of different length) to one of three teams.

Source: https://mc.ai/preprocessing-sequence-data-in-keraspadding-masking-techniques/
"""
import keras
import numpy as np

EPOCHS, BATCH = 10, 32
MAXLEN, WORDS = 120, 400


def data(fixed=False):
    rng = np.random.default_rng(21)
    n = 1300
    team = rng.integers(0, 3, n)
    tickets = []
    for k in team:
        length = rng.integers(6, 20)
        ids = rng.integers(100, WORDS, length)                     # everyday words
        own = rng.random(length) < 0.35
        ids[own] = rng.integers(1, 34, own.sum()) + 33 * k         # words of that team's trade
        tickets.append(ids)
    x = keras.utils.pad_sequences(tickets, maxlen=MAXLEN, padding="post", truncating="post")
    return x[:1000], team[:1000], x[1000:], team[1000:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((MAXLEN,), dtype="int32"),
        keras.layers.Embedding(WORDS, 24, mask_zero=fixed),
        keras.layers.LSTM(24),
        keras.layers.Dense(3, activation="softmax"),
    ])
    net.compile(optimizer=keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.8
FAULT = ("The short tickets are padded with some hundred zeros at the end and nothing is masked, so the LSTM's last state has forgotten "
         "the words when it reaches the output.")
REPAIR = "Embedding(mask_zero=True), so that the LSTM skips the padding."
