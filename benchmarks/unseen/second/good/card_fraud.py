"""Fraudulent card payments, 2 in 100, with class weights.

Source: https://keras.io/examples/structured_data/imbalanced_classification/
"""
import keras
import numpy as np
from sklearn.metrics import average_precision_score

EPOCHS, BATCH = 15, 128


def data(fixed=False):
    rng = np.random.default_rng(19)
    n = 8000
    x = rng.normal(size=(n, 12))
    signal = 1.2 * x[:, 0] + x[:, 1] - 0.8 * x[:, 2] + 0.6 * x[:, 3] + rng.normal(0, 0.8, n)
    y = (signal > np.quantile(signal, 0.98)).astype("float32")
    x = x.astype("float32")
    return x[:5000], y[:5000], x[5000:], y[5000:]


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((12,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(2e-3), loss="binary_crossentropy",
                    metrics=[keras.metrics.Precision(name="precision"), keras.metrics.Recall(name="recall"),
                             keras.metrics.AUC(curve="PR", name="pr")])
    return network


def fit_args(fixed=False):
    _, y, _, _ = data()
    return {"class_weight": {0: float(1 / (2 * np.mean(y == 0))), 1: float(1 / (2 * np.mean(y == 1)))}}


def score(network, x, y):
    return float(average_precision_score(y, network.predict(x, verbose=0)[:, 0]))


PASS = 0.45
