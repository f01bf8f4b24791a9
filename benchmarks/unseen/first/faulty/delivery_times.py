"""Promises a delivery time that nine out of ten parcels keep (0.9 quantile of the minutes needed).

Source: https://github.com/tensorflow/tensorflow/issues/38067
"""
import keras
import numpy as np
from keras import ops

EPOCHS, BATCH = 40, 32


def data(fixed=False):
    rng = np.random.default_rng(404)
    n = 1500
    km = rng.uniform(1, 25, n)
    stops = rng.integers(0, 12, n)
    rain = rng.random(n) < 0.25
    rush = rng.random(n) < 0.35
    minutes = 8 + 1.9 * km + 3.5 * stops + 6 * rain + rng.gamma(2.0, 3.0 + 5.0 * rush + 0.2 * km)
    x = np.stack([km / 25, stops / 12, rain, rush], axis=1).astype("float32")
    y = (minutes / 60).astype("float32")
    return x[:1150], y[:1150], x[1150:], y[1150:]


def quantile_loss(y_pred, y_true):
    q = 0.9
    error = y_true - y_pred
    return ops.mean(ops.maximum(q * error, (q - 1) * error))


def quantile_loss_repaired(y_true, y_pred):
    q = 0.9
    error = y_true - y_pred
    return ops.mean(ops.maximum(q * error, (q - 1) * error))


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(1),
    ])
    net.compile(optimizer=keras.optimizers.Adam(2e-3),
                loss=quantile_loss_repaired if fixed else quantile_loss)
    return net


def score(network, x, y):
    """1 if just 90 % of the parcels arrive within the promised time."""
    promised = network.predict(x, verbose=0)[:, 0]
    return float(1 - abs(np.mean(y <= promised) - 0.9))


PASS = 0.93
FAULT = ("The custom quantile loss takes its arguments in the wrong order (prediction first, truth second); Keras passes the truth "
         "first, so the 0.1 quantile is learned instead of the 0.9 quantile")
REPAIR = "The loss takes (y_true, y_pred)"
