"""Learns a small latent space of handwritten numerals (variational autoencoder).

Source: https://keras.io/examples/generative/vae/ ; https://ar5iv.labs.arxiv.org/html/2002.07514
"""
import keras
import numpy as np
from keras import layers, ops
from sklearn.datasets import load_digits

EPOCHS, BATCH = 40, 64
LATENT = 6


@keras.saving.register_keras_serializable(package="numeral_sketches")
class Draw(layers.Layer):
    """Draws z from the normal distribution of the encoder and adds the KL term to the loss."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, inputs, training=False):
        mean, log_var = inputs
        kl = -0.5 * ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=1)
        self.add_loss(ops.mean(kl))
        if not training:
            return mean
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.seeds)


def data(fixed=False):
    digits = load_digits()
    order = np.random.default_rng(1).permutation(len(digits.target))
    x = (digits.data[order] / 16.0).astype("float32")
    return x[:1400], x[:1400], x[1400:], x[1400:]


def _summed(y_true, y_pred):
    return 64 * keras.losses.binary_crossentropy(y_true, y_pred)


def model(fixed=False):
    inputs = keras.Input((64,))
    h = layers.Dense(64, activation="relu")(inputs)
    mean, log_var = layers.Dense(LATENT)(h), layers.Dense(LATENT)(h)
    z = Draw()([mean, log_var])
    h = layers.Dense(64, activation="relu")(z)
    outputs = layers.Dense(64, activation="sigmoid")(h)
    network = keras.Model(inputs, outputs)
    network.compile(optimizer=keras.optimizers.Adam(0.002), loss=_summed if fixed else "binary_crossentropy")
    return network


def score(network, x, y):
    """Share of the variance of the pictures that comes back."""
    restored = network.predict(x, verbose=0)
    return float(1 - np.mean((restored - y) ** 2) / np.mean((y - y.mean(axis=0)) ** 2))


PASS = 0.35
FAULT = ("the reconstruction loss is a mean over the 64 pixels while the KL term is a sum over the latent numbers: the KL term weighs far too much, "
         "the latent space collapses to the prior and every picture comes back as the average picture")
REPAIR = "reconstruction loss summed over the pixels"
