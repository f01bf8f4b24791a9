"""Finds fraud among card payments (rare class).

Source: https://github.com/keras-team/keras/issues/1875
"""
import keras
import numpy as np
from sklearn.metrics import balanced_accuracy_score

EPOCHS, BATCH = 20, 64


def data(fixed=False):
    rng = np.random.default_rng(707)
    n = 3000
    x = rng.normal(size=(n, 10))
    logit = 1.6 * x[:, 0] - 1.3 * x[:, 1] + 1.2 * x[:, 2] * x[:, 3] + 0.9 * np.abs(x[:, 4]) - 5.2
    y = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype("int32")
    x = x.astype("float32")
    return x[:2000], y[:2000], x[2000:], y[2000:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((10,)),
        keras.layers.Dense(24, activation="relu"),
        keras.layers.Dense(12, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    net.compile(optimizer="adam", loss="binary_crossentropy",
                metrics=[keras.metrics.Recall(name="recall"), keras.metrics.Precision(name="precision")])
    return net


def fit_args(fixed=False):
    labels = data(fixed)[1]
    share = np.bincount(labels) / len(labels)
    if fixed:
        weights = {k: 0.5 / s for k, s in enumerate(share)}
    else:
        weights = {k: float(s) for k, s in enumerate(share)}
    return {"class_weight": weights}


def score(network, x, y):
    return float(balanced_accuracy_score(y, network.predict(x, verbose=0)[:, 0] > 0.5))


PASS = 0.70
FAULT = ("class_weight holds the share of each class instead of its inverse, so the rare fraud class weighs almost nothing and the "
         "network always says 'no fraud'")
REPAIR = "class_weight holds the inverse share of each class"
