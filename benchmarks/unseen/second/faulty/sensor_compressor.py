"""Squeezes twenty readings of a machine into five numbers and restores them (autoencoder).

Source: https://blog.keras.io/building-autoencoders-in-keras.html (and the report
https://stats.stackexchange.com/questions/441750/why-cant-this-autoencoder-reach-zero-loss)
"""
import keras
import numpy as np
from keras import layers
from sklearn.preprocessing import StandardScaler

EPOCHS, BATCH = 30, 64


def data(fixed=False):
    rng = np.random.default_rng(5)
    state = rng.normal(size=(1500, 4))
    mix = rng.normal(size=(4, 20))
    readings = np.tanh(state @ mix * 0.4) * 8 + rng.normal(scale=0.6, size=(1500, 20)) + rng.uniform(20, 90, 20)
    cut = 1200
    readings = StandardScaler().fit(readings[:cut]).transform(readings).astype("float32")
    return readings[:cut], readings[:cut], readings[cut:], readings[cut:]


def model(fixed=False):
    inputs = keras.Input((20,))
    h = layers.Dense(32, activation="relu")(inputs)
    code = layers.Dense(5, name="code")(h)
    h = layers.Dense(32, activation="relu")(code)
    outputs = layers.Dense(20, activation=None if fixed else "relu")(h)
    network = keras.Model(inputs, outputs)
    network.compile(optimizer=keras.optimizers.Adam(0.003), loss="mse")
    return network


def score(network, x, y):
    """Share of the variance of the readings that is restored."""
    restored = network.predict(x, verbose=0)
    return float(1 - np.mean((restored - y) ** 2) / np.mean((y - y.mean(axis=0)) ** 2))


PASS = 0.8
FAULT = "the last layer of the decoder has a relu, but the standardised readings to restore are negative half of the time"
REPAIR = "linear last layer"
