"""Gives films their genres (several each, some rare) from the words of the plot.

Source: https://keras.io/examples/nlp/multi_label_classification/
"""
import keras
import numpy as np
from keras import layers
from sklearn.metrics import roc_auc_score

EPOCHS, BATCH = 20, 64
WORDS, GENRES = 200, 8


def data(fixed=False):
    rng = np.random.default_rng(41)
    n = 1800
    y = (rng.random((n, GENRES)) < np.array([0.45, 0.35, 0.3, 0.25, 0.15, 0.12, 0.08, 0.06])).astype("float32")
    common = rng.dirichlet(np.full(WORDS, 0.8))
    own = rng.dirichlet(np.full(WORDS, 0.15), size=GENRES)
    x = np.zeros((n, WORDS), "float32")
    for i in range(n):
        p = 3 * common + y[i] @ own
        x[i] = rng.multinomial(rng.integers(20, 50), p / p.sum()) > 0
    return x[:1400], y[:1400], x[1400:], y[1400:]


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((WORDS,)),
        layers.Dense(64, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(GENRES, activation="sigmoid"),
    ])
    network.compile(optimizer="adam", loss="binary_crossentropy",
                    metrics=[keras.metrics.AUC(multi_label=True, num_labels=GENRES, name="auc")])
    return network


def score(network, x, y):
    """Mean area under the ROC curve over the genres."""
    return float(roc_auc_score(y, network.predict(x, verbose=0), average="macro"))


PASS = 0.88
