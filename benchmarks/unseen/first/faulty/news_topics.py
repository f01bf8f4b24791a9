"""Sorts short news into six topics by their words (bag of words).

Source: https://errorhandle.ai/keep-prob-value-in-dropout-and-getting-worst-resultypescript-with-dropout
"""
import keras
import numpy as np

EPOCHS, BATCH = 15, 32
WORDS, TOPICS = 300, 6


def data(fixed=False):
    rng = np.random.default_rng(909)
    common = rng.dirichlet(np.full(WORDS, 0.3))
    topic = rng.dirichlet(np.full(WORDS, 0.08), TOPICS)
    n = 1500
    y = rng.integers(0, TOPICS, n)
    x = np.stack([rng.multinomial(rng.integers(15, 40), 0.6 * common + 0.4 * topic[k]) for k in y])
    x = np.log1p(x).astype("float32")
    return x[:1200], y[:1200], x[1200:], y[1200:]


def model(fixed=False):
    keep = 0.9
    drop = 1 - keep if fixed else keep
    net = keras.Sequential([
        keras.Input((WORDS,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dropout(drop),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dropout(drop),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dropout(drop),
        keras.layers.Dense(TOPICS, activation="softmax"),
    ])
    net.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.85
FAULT = "Dropout(0.9) after every layer: the value was meant as the share to keep, but Keras drops that share"
REPAIR = "Dropout(0.1)"
