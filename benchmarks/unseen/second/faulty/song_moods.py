"""Tags songs with the moods they carry (a song may carry several) from counts of sound events.

Source: https://stackoverflow.com/questions/44164749/how-does-keras-handle-multilabel-classification
"""
import keras
import numpy as np
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler

EPOCHS, BATCH = 25, 32
MOODS = 6


def data(fixed=False):
    counts, moods = make_multilabel_classification(
        n_samples=1800, n_features=40, n_classes=MOODS, n_labels=3,
        allow_unlabeled=False, random_state=11)
    cut = 1400
    scaler = StandardScaler().fit(counts[:cut])
    x = scaler.transform(counts).astype("float32")
    y = moods.astype("float32")
    return x[:cut], y[:cut], x[cut:], y[cut:]


def model(fixed=False):
    network = keras.Sequential([
        keras.layers.Input((40,)),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dropout(0.1),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(MOODS, activation="sigmoid" if fixed else "softmax"),
    ])
    network.compile(optimizer="adam", loss="binary_crossentropy", metrics=["binary_accuracy"])
    return network


def score(network, x, y):
    """Micro F1 of the tags given at a probability of one half."""
    given = network.predict(x, verbose=0) >= 0.5
    return float(f1_score(y.astype(int), given.astype(int), average="micro"))


PASS = 0.75
FAULT = ("several tags may be right for one song, but the output layer is a softmax, whose probabilities "
         "compete and add up to 1, so several tags cannot all be likely")
REPAIR = "sigmoid in place of softmax on the output layer"
