"""Cleaning noisy pictures of digits with a convolutional autoencoder.

Source: https://keras.io/examples/vision/autoencoder/
"""
import keras
import numpy as np
from sklearn.datasets import load_digits

EPOCHS, BATCH = 20, 64


def data(fixed=False):
    rng = np.random.default_rng(29)
    clean = (load_digits().images / 16).astype("float32")[..., None]
    clean = clean[rng.permutation(len(clean))]
    noisy = np.clip(clean + rng.normal(0, 0.35, clean.shape), 0, 1).astype("float32")
    return noisy[:1400], clean[:1400], noisy[1400:], clean[1400:]


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(2, padding="same"),
        keras.layers.Conv2D(24, 3, padding="same", activation="relu"),
        keras.layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
        keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(3e-3), loss="binary_crossentropy")
    return network


def score(network, x, y):
    """Share of the variance of the clean pixels that is restored."""
    p = network.predict(x, verbose=0)
    return float(1 - np.mean((y - p) ** 2) / np.mean((y - y.mean(0)) ** 2))


PASS = 0.6
