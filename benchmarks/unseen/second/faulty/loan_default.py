"""Will a small loan default? Rare positives, class weights in fit.

Source: https://github.com/keras-team/keras/issues/1223
"""
import keras
import numpy as np

EPOCHS, BATCH = 15, 64


def data(fixed=False):
    rng = np.random.default_rng(8)
    n = 4000
    x = rng.normal(size=(n, 8))
    risk = 1.3 * x[:, 0] - 1.0 * x[:, 1] + 0.8 * x[:, 2] * x[:, 3] + 0.7 * np.abs(x[:, 4]) + rng.normal(0, 0.7, n)
    y = (risk > np.quantile(risk, 0.92)).astype("float32")
    x = x.astype("float32")
    return x[:3000], y[:3000], x[3000:], y[3000:]


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((8,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    network.compile(optimizer="adam", loss="binary_crossentropy",
                    metrics=["accuracy", keras.metrics.Recall(name="recall")])
    return network


def fit_args(fixed=False):
    _, y, _, _ = data(fixed)
    share = np.array([np.mean(y == 0), np.mean(y == 1)])
    weight = 1 / (2 * share) if fixed else 2 * share
    return {"class_weight": {0: float(weight[0]), 1: float(weight[1])}}


def score(network, x, y):
    guess = network.predict(x, verbose=0)[:, 0] > 0.5
    return float((np.mean(guess[y == 1]) + np.mean(~guess[y == 0])) / 2)


PASS = 0.75
FAULT = ("the class weights are proportional to the class shares instead of inversely proportional, so the rare "
         "defaults count for almost nothing and the network hardly ever predicts one")
REPAIR = "class weights are the inverse of the class shares"
