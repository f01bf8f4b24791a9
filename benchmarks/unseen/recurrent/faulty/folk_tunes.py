"""Next note of a folk tune, at every step of the tune.

Source: https://github.com/rajveermalviya/language-modeling/issues/3
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 8, 32
STEPS, NOTES = 24, 10


def data(fixed=False):
    rng = np.random.default_rng(512)
    n = 900
    tune = np.zeros((n, STEPS + 1), "int32")
    tune[:, :2] = rng.integers(0, NOTES, (n, 2))
    for t in range(2, STEPS + 1):
        follow = (3 * tune[:, t - 1] + tune[:, t - 2] // 5 + 1) % NOTES
        tune[:, t] = np.where(rng.random(n) < 0.85, follow, rng.integers(0, NOTES, n))
    return tune[:700, :-1], tune[:700, 1:], tune[700:, :-1], tune[700:, 1:]


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((STEPS,), dtype="int32"),
        layers.Embedding(NOTES, 12),
        layers.GRU(32, return_sequences=True),
        layers.GRU(32, return_sequences=True),
        layers.Dense(NOTES, activation="softmax"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.01 if fixed else 1.0), loss="sparse_categorical_crossentropy",
                    metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=-1) == y))


PASS = 0.65
FAULT = "Adam with a learning rate of 1.0: the first updates throw the weights of both GRU layers far away, the gates saturate and the loss never comes down again"
REPAIR = "learning rate 0.01"
