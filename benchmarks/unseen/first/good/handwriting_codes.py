"""Variational autoencoder with eight latent numbers for handwritten digits, own training and test steps.

Source: https://keras.io/examples/generative/vae/
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn.datasets import load_digits

EPOCHS, BATCH = 24, 32


def data(fixed=False):
    d = load_digits()
    x = (d.images / 16.0).astype("float32")[np.random.default_rng(104).permutation(len(d.target))][..., None]
    return x[:1300], x[:1300], x[1300:], x[1300:]


class Sampling(layers.Layer):
    def __init__(self, **kw):
        super().__init__(**kw)
        self.seeds = keras.random.SeedGenerator(7)

    def call(self, inputs):
        mean, log_var = inputs
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.seeds)


class VAE(keras.Model):
    def __init__(self, encoder, decoder, **kw):
        super().__init__(**kw)
        self.encoder, self.decoder = encoder, decoder
        self.trackers = {k: keras.metrics.Mean(name=k) for k in ("loss", "reconstruction_loss", "kl_loss")}

    @property
    def metrics(self):
        return list(self.trackers.values())

    def call(self, x):
        return self.decoder(self.encoder(x)[0])

    def parts(self, x):
        mean, log_var, z = self.encoder(x)
        rebuilt = self.decoder(z)
        xent = ops.mean(ops.sum(keras.losses.binary_crossentropy(x, rebuilt), axis=(1, 2)))
        kl = ops.mean(ops.sum(-0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var)), axis=1))
        return xent + kl, xent, kl

    def report(self, values):
        for tracker, v in zip(self.trackers.values(), values):
            tracker.update_state(v)
        return {k: t.result() for k, t in self.trackers.items()}

    def train_step(self, batch):
        with tf.GradientTape() as tape:
            values = self.parts(batch[0])
        grads = tape.gradient(values[0], self.trainable_weights)
        self.optimizer.apply_gradients(zip(grads, self.trainable_weights))
        return self.report(values)

    def test_step(self, batch):
        return self.report(self.parts(batch[0]))


def model(fixed=False):
    inputs = keras.Input((8, 8, 1))
    h = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(inputs)
    h = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(h)
    h = layers.Dense(64, activation="relu")(layers.Flatten()(h))
    mean, log_var = layers.Dense(8)(h), layers.Dense(8)(h)
    encoder = keras.Model(inputs, [mean, log_var, Sampling()([mean, log_var])])

    code = keras.Input((8,))
    h = layers.Dense(2 * 2 * 32, activation="relu")(code)
    h = layers.Reshape((2, 2, 32))(h)
    h = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(h)
    h = layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(h)
    decoder = keras.Model(code, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(h))
    net = VAE(encoder, decoder)
    net.compile(optimizer=keras.optimizers.Adam(2e-3))
    return net


def score(network, x, y):
    p = network.predict(x, verbose=0)
    return float(1 - np.mean((p - x) ** 2) / np.mean((x - x.mean(0)) ** 2))


PASS = 0.45
