"""Sends support tickets to one of six desks by the words they use.

Source: https://errorhandle.ai/keep-prob-value-in-dropout-and-getting-worst-resultypescript-with-dropout
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 15, 32
WORDS, DESKS = 120, 6


def data(fixed=False):
    rng = np.random.default_rng(31)
    use = rng.dirichlet(np.full(WORDS, 0.35), size=DESKS)
    common = rng.dirichlet(np.full(WORDS, 1.0))
    desk = rng.integers(0, DESKS, 1600)
    counts = np.stack([rng.multinomial(rng.integers(15, 40), 0.4 * use[d] + 0.6 * common) for d in desk])
    x = np.log1p(counts).astype("float32")
    return x[:1200], desk[:1200], x[1200:], desk[1200:]


def model(fixed=False):
    keep_prob = 0.9                                  # as in our old script
    drop = 1 - keep_prob if fixed else keep_prob
    network = keras.Sequential([
        layers.Input((WORDS,)),
        layers.Dense(32, activation="relu"), layers.Dropout(drop),
        layers.Dense(32, activation="relu"), layers.Dropout(drop),
        layers.Dense(32, activation="relu"), layers.Dropout(drop),
        layers.Dense(DESKS, activation="softmax"),
    ])
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=1) == y))


PASS = 0.85
FAULT = "the share of units to keep (0.9) is handed to Dropout, which takes the share to drop: nine of ten units are dropped in every hidden layer"
REPAIR = "Dropout(0.1)"
