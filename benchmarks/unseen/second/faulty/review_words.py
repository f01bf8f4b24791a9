"""Tells good from bad shop reviews with ready-made word vectors.

Source: https://keras.io/examples/nlp/pretrained_word_embeddings/
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 12, 32
LENGTH, WIDTH = 20, 16
GOOD = "Great Lovely Superb Friendly Quick Tasty Clean Happy Perfect Bargain".split()
BAD = "Awful Broken Rude Slow Stale Dirty Angry Late Faulty Refund".split()
PLAIN = ["Word%02d" % i for i in range(60)]
VOCABULARY = [""] + GOOD + BAD + PLAIN


def _vectors():
    """The file of word vectors: lower-case word -> vector."""
    rng = np.random.default_rng(70)
    lean = rng.normal(size=WIDTH)
    file = {}
    for word in VOCABULARY[1:]:
        side = (word in GOOD) - float(word in BAD)
        file[word.lower()] = rng.normal(scale=0.5, size=WIDTH) + side * 0.6 * lean
    return file


def data(fixed=False):
    rng = np.random.default_rng(71)
    n = 1500
    y = rng.integers(0, 2, n)
    x = np.zeros((n, LENGTH), "int32")
    for i in range(n):
        count = rng.integers(8, LENGTH + 1)
        kind = rng.choice(3, size=count, p=[0.28, 0.07, 0.65] if y[i] else [0.07, 0.28, 0.65])
        low, high = np.array([1, 11, 21])[kind], np.array([11, 21, 81])[kind]
        x[i, :count] = rng.integers(low, high)
    return x[:1100], y[:1100].astype("float32"), x[1100:], y[1100:].astype("float32")


def model(fixed=False):
    file = _vectors()
    matrix = np.zeros((len(VOCABULARY), WIDTH), "float32")
    for i, word in enumerate(VOCABULARY):
        vector = file.get(word.lower() if fixed else word)
        if vector is not None:
            matrix[i] = vector
    network = keras.Sequential([
        layers.Input((LENGTH,), dtype="int32"),
        layers.Embedding(len(VOCABULARY), WIDTH, trainable=False,
                         embeddings_initializer=keras.initializers.Constant(matrix)),
        layers.Conv1D(24, 3, activation="relu"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.003), loss="binary_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0)[:, 0] > 0.5) == (y > 0.5)))


PASS = 0.85
FAULT = ("the words of the vocabulary start with a capital, those of the vector file do not: no word is found, the embedding matrix "
         "stays all zeros and is frozen, so every text looks the same to the network")
REPAIR = "words looked up in lower case"
