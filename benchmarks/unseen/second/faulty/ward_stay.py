"""Length of a hospital stay (log days) from a dozen admission values.

Source: own (keep_prob of TensorFlow 1 became rate: https://www.tensorflow.org/guide/migrate)
"""
import keras
import numpy as np

EPOCHS, BATCH = 30, 32


def data(fixed=False):
    rng = np.random.default_rng(131)
    n = 1900
    x = rng.normal(size=(n, 12))
    y = (0.7 * x[:, 0] + 0.5 * x[:, 1] - 0.5 * x[:, 2] + 0.5 * np.maximum(x[:, 3], 0) * x[:, 4]
         + 0.3 * x[:, 5] ** 2 + rng.normal(0, 0.35, n))
    y = ((y - y.mean()) / y.std())[:, None]
    x, y = x.astype("float32"), y.astype("float32")
    return x[:1400], y[:1400], x[1400:], y[1400:]


def model(fixed=False):
    rate = 0.1 if fixed else 0.9
    network = keras.Sequential([
        keras.Input((12,)),
        keras.layers.Dense(48, activation="relu"),
        keras.layers.Dropout(rate),
        keras.layers.Dense(24, activation="relu"),
        keras.layers.Dropout(rate),
        keras.layers.Dense(1),
    ])
    network.compile(optimizer=keras.optimizers.Adam(2e-3), loss="mse", metrics=["mae"])
    return network


def score(network, x, y):
    p = network.predict(x, verbose=0)
    return float(1 - np.mean((y - p) ** 2) / np.var(y))


PASS = 0.65
FAULT = "dropout rate 0.9: the share to keep was given where Keras wants the share to drop, so nine of ten units are off"
REPAIR = "dropout rate 0.1"
