"""Compresses 8x8 pictures into a few sparse code numbers and restores them (sparse autoencoder).

Source: https://github.com/fchollet/keras-blog/issues/5
"""
import keras
import numpy as np
from sklearn.datasets import load_digits

EPOCHS, BATCH = 30, 32


def data(fixed=False):
    x = (load_digits().data / 16.0).astype("float32")
    x = x[np.random.default_rng(10).permutation(len(x))]
    return x[:1400], x[:1400], x[1400:], x[1400:]


def model(fixed=False):
    strength = 1e-5 if fixed else 1e-2
    inputs = keras.Input((64,))
    code = keras.layers.Dense(24, activation="relu", activity_regularizer=keras.regularizers.L1(strength))(inputs)
    outputs = keras.layers.Dense(64, activation="sigmoid")(code)
    net = keras.Model(inputs, outputs)
    net.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse")
    return net


def score(network, x, y):
    """Share of the variance of the pictures that survives."""
    p = network.predict(x, verbose=0)
    return float(1 - np.mean((p - y) ** 2) / np.mean((y - y.mean(0)) ** 2))


PASS = 0.65
FAULT = ("The L1 activity regulariser of the code layer is far too strong (0.01): it outweighs the reconstruction error, the code is "
         "switched off and the mean picture is put out")
REPAIR = "Activity regulariser of 1e-5"
