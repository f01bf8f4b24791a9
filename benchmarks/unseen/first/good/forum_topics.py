"""Sorts forum posts into twelve boards by their words; some posts are on the wrong board.

Source: https://www.tensorflow.org/tutorials/keras/text_classification (exercise: more than two classes)
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 14, 32
BOARDS, WORDS, LENGTH = 12, 900, 40


def data(fixed=False):
    rng = np.random.default_rng(103)
    common = rng.dirichlet(np.full(WORDS, 0.5))
    special = rng.dirichlet(np.full(WORDS, 0.03), BOARDS)
    n = 1900
    share = rng.dirichlet(np.full(BOARDS, 4.0))
    board = rng.choice(BOARDS, n, p=share)
    x = np.zeros((n, LENGTH), "int32")
    for i, b in enumerate(board):
        length = rng.integers(8, LENGTH + 1)
        words = rng.choice(WORDS, length, p=0.78 * common + 0.22 * special[b])
        x[i, :length] = words + 1
    y = np.where(rng.random(n) < 0.1, rng.integers(0, BOARDS, n), board)
    return x[:1400], y[:1400], x[1400:], y[1400:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((LENGTH,), dtype="int32"),
        layers.Embedding(WORDS + 1, 32, mask_zero=True),
        layers.Dropout(0.3),
        layers.GlobalAveragePooling1D(),
        layers.Dropout(0.3),
        layers.Dense(BOARDS),
    ])
    net.compile(optimizer=keras.optimizers.Adam(1e-2), metrics=["accuracy"],
                loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return net


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.68
