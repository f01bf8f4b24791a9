"""Even or limping: rhythm of knocks on a door (1 = knock, 0 = silence, one value per 50 ms).

Source: https://datascience.stackexchange.com/questions/67599/use-lstm-to-predict-the-proportion-of-steps-with-nonzero-feature-values
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 12, 64
LONGEST = 50


def data(fixed=False):
    rng = np.random.default_rng(508)
    n = 1300
    y = rng.integers(0, 2, n)
    x = np.full((n, LONGEST, 1), -1.0 if fixed else 0.0, "float32")
    for i in range(n):
        knocks = rng.integers(5, 9)
        gaps = np.where(np.arange(knocks) % 2, 6, 2) if y[i] else np.full(knocks, 4)
        gaps = np.clip(gaps + rng.integers(-1, 2, knocks), 1, 6)
        sound = np.concatenate([[1.0] + [0.0] * (g - 1) for g in gaps])[:LONGEST]
        x[i, :len(sound), 0] = sound
    y = y.astype("float32")
    return x[:1000], y[:1000], x[1000:], y[1000:]


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((LONGEST, 1)),
        layers.Masking(mask_value=-1.0 if fixed else 0.0),
        layers.LSTM(16),
        layers.Dense(1, activation="sigmoid"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0)[:, 0] > 0.5) == (y > 0.5)))


PASS = 0.85
FAULT = "the padding and the mask value are 0, but 0 also means silence: the mask takes away all the pauses between the knocks, and the LSTM sees only a row of ones, the same for both rhythms"
REPAIR = "padding and mask value of -1, which does not occur in the data"
