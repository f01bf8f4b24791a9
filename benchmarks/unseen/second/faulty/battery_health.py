"""Remaining capacity of a battery from a charging curve, trained on R2 itself.

Source: https://github.com/keras-team/keras/issues/7249
"""
import keras
import numpy as np
from keras import ops

EPOCHS, BATCH = 25, 64


def data(fixed=False):
    rng = np.random.default_rng(17)
    n, points = 1600, 30
    t = np.linspace(0, 1, points)
    health = rng.uniform(0.6, 1.0, n)
    warmth = rng.normal(0, 1, n)
    curve = (1 - np.exp(-t[None] * (2 + 4 * health[:, None]))) + 0.05 * warmth[:, None] * t[None]
    curve += rng.normal(0, 0.03, curve.shape)
    curve = (curve - curve[:1200].mean(0)) / curve[:1200].std(0)
    y = (health - 0.8) / 0.115
    return (curve[:1200, :, None].astype("float32"), y[:1200, None].astype("float32"),
            curve[1200:, :, None].astype("float32"), y[1200:, None].astype("float32"))


def determination(y_true, y_pred):
    left_over = ops.sum(ops.square(y_true - y_pred))
    total = ops.sum(ops.square(y_true - ops.mean(y_true)))
    return 1 - left_over / (total + 1e-7)


def negative_determination(y_true, y_pred):
    return -determination(y_true, y_pred)


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((30, 1)),
        keras.layers.Conv1D(8, 5, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    network.compile(optimizer="adam", loss=negative_determination if fixed else determination)
    return network


def score(network, x, y):
    p = network.predict(x, verbose=0)
    value = 1 - np.mean((y - p) ** 2) / np.var(y)
    return float(value) if np.isfinite(value) else -1e9


PASS = 0.8
FAULT = "R2, which should be large, is given as the loss without a minus sign, so training makes the fit worse"
REPAIR = "the loss is minus R2"
