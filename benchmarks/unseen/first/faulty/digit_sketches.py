"""Variational autoencoder of small digit pictures, with its own training step.

Source: https://github.com/keras-team/keras/pull/3383
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn.datasets import load_digits

EPOCHS, BATCH = 40, 32
LATENT = 6


def data(fixed=False):
    d = load_digits()
    x = (d.data / 16.0).astype("float32")[np.random.default_rng(6).permutation(len(d.data))]
    return x[:1300], x[:1300], x[1300:], x[1300:]


class VAE(keras.Model):
    def __init__(self, summed):
        super().__init__()
        self.summed = summed
        self.trunk = layers.Dense(128, activation="relu")
        self.mean = layers.Dense(LATENT)
        self.log_var = layers.Dense(LATENT)
        self.decoder = keras.Sequential([layers.Dense(128, activation="relu"), layers.Dense(64, activation="sigmoid")])
        self.noise = keras.random.SeedGenerator(1)

    def call(self, x, training=False):
        h = self.trunk(x)
        mean, log_var = self.mean(h), self.log_var(h)
        z = mean
        if training:
            z = z + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.noise)
        self.last = mean, log_var
        return self.decoder(z)

    def losses_of(self, x, training):
        picture = self(x, training=training)
        mean, log_var = self.last
        xent = keras.losses.binary_crossentropy(x, picture)          # per picture, mean over the pixels
        if self.summed:
            xent = xent * 64.0
        kl = -0.5 * ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=-1)
        return ops.mean(xent), ops.mean(kl)

    def train_step(self, batch):
        x, _ = batch
        with tf.GradientTape() as tape:
            xent, kl = self.losses_of(x, True)
            loss = xent + kl
        self.optimizer.apply_gradients(zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables))
        return {"loss": loss, "reconstruction": xent, "kl": kl}

    def test_step(self, batch):
        xent, kl = self.losses_of(batch[0], False)
        return {"loss": xent + kl, "reconstruction": xent, "kl": kl}


def model(fixed=False):
    net = VAE(summed=fixed)
    net.compile(optimizer=keras.optimizers.Adam(1e-3))
    return net


def score(network, x, y):
    """How much of the pictures' variance the reconstructions explain."""
    p = network.predict(x, verbose=0)
    return float(1 - np.mean((p - x) ** 2) / np.mean((x - x.mean(0)) ** 2))


PASS = 0.4
FAULT = ("The reconstruction loss is a mean over the 64 pixels while the KL term is a sum over the latent units, so the KL term outweighs it, "
         "the posterior collapses and every picture is rebuilt as the mean digit.")
REPAIR = "The reconstruction loss is multiplied by the number of pixels (a sum), like the KL term."
