"""Gives every word of a sentence its part of speech (padded sentences of word ids, bidirectional LSTM with masking).

Source: https://keras.io/examples/nlp/ner_transformers/ (task) and https://keras.io/guides/understanding_masking_and_padding/
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 12, 32
TAGS, WORDS, LENGTH = 6, 240, 24


def data(fixed=False):
    rng = np.random.default_rng(102)
    follow = rng.dirichlet(np.full(TAGS, 0.25), TAGS)            # which tag comes after which
    speak = rng.dirichlet(np.full(WORDS, 0.15), TAGS)            # words are ambiguous between tags
    shared = rng.dirichlet(np.full(40, 1.0))
    speak[:, :40] = 0
    speak = 0.6 * speak / speak.sum(1, keepdims=True)
    speak[:, :40] += 0.4 * shared
    x, y = np.zeros((1000, LENGTH), "int32"), np.zeros((1000, LENGTH), "int32")
    for i in range(1000):
        tag = rng.integers(TAGS)
        for j in range(rng.integers(7, LENGTH + 1)):
            x[i, j] = 1 + rng.choice(WORDS, p=speak[tag])
            y[i, j] = tag
            tag = rng.choice(TAGS, p=follow[tag])
    return x[:750], y[:750], x[750:], y[750:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((LENGTH,), dtype="int32"),
        layers.Embedding(WORDS + 1, 24, mask_zero=True),
        layers.Dropout(0.2),
        layers.Bidirectional(layers.LSTM(24, return_sequences=True)),
        layers.Dense(TAGS, activation="softmax"),
    ])
    net.compile(optimizer=keras.optimizers.Adam(5e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    p = network.predict(x, verbose=0).argmax(-1)
    return float(np.mean(p[x > 0] == y[x > 0]))


PASS = 0.66
