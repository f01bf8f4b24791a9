"""Cleans noisy scans of handwritten numerals (denoising autoencoder with convolutions).

Source: https://blog.keras.io/building-autoencoders-in-keras.html
"""
import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

EPOCHS, BATCH = 20, 32


def data(fixed=False):
    digits = load_digits()
    rng = np.random.default_rng(13)
    clean = (digits.images[rng.permutation(len(digits.images))][..., None] / 16.0).astype("float32")
    noisy = np.clip(clean + rng.normal(scale=0.35, size=clean.shape), 0, 1).astype("float32")
    return noisy[:1400], clean[:1400], noisy[1400:], clean[1400:]


def model(fixed=False):
    inputs = keras.Input((8, 8, 1))
    h = layers.Conv2D(24, 3, padding="same", activation="relu")(inputs)
    h = layers.MaxPooling2D(2)(h)
    h = layers.Conv2D(24, 3, padding="same", activation="relu")(h)
    h = layers.Conv2DTranspose(24, 3, strides=2, padding="same", activation="relu")(h)
    outputs = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(h)
    network = keras.Model(inputs, outputs)
    network.compile(optimizer="adam", loss="binary_crossentropy")
    return network


def score(network, x, y):
    """Share of the variance of the clean pictures that is restored."""
    restored = network.predict(x, verbose=0)
    return float(1 - np.mean((restored - y) ** 2) / np.mean((y - y.mean(axis=0)) ** 2))


PASS = 0.7
