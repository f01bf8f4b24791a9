"""Estimates walking speed from a window of accelerometer readings, with its own training step.

Source: https://github.com/tensorflow/tensorflow/issues/28901
"""
import keras
import numpy as np
import tensorflow as tf

EPOCHS, BATCH = 25, 32


def data(fixed=False):
    rng = np.random.default_rng(11)
    n, t = 1200, np.arange(50) / 25.0
    speed = rng.uniform(0.5, 2.2, n)
    cadence = 0.9 + 0.55 * speed + rng.normal(0, 0.05, n)
    phase = rng.uniform(0, 2 * np.pi, n)
    wave = np.sin(2 * np.pi * cadence[:, None] * t + phase[:, None]) * (0.3 + 0.6 * speed)[:, None]
    side = 0.3 * np.sin(np.pi * cadence[:, None] * t + phase[:, None])
    x = np.stack([wave, side], axis=-1) + rng.normal(0, 0.15, (n, 50, 2))
    x, y = x.astype("float32"), speed.astype("float32")
    return x[:900], y[:900], x[900:], y[900:]


class SpeedNet(keras.Model):
    squeeze = False

    def error(self, y, y_pred):
        if self.squeeze:
            y_pred = tf.squeeze(y_pred, axis=-1)
        return tf.reduce_mean(tf.square(y - y_pred))

    def train_step(self, batch):
        x, y = batch
        with tf.GradientTape() as tape:
            loss = self.error(y, self(x, training=True))
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables))
        return {"loss": loss}

    def test_step(self, batch):
        x, y = batch
        return {"loss": self.error(y, self(x, training=False))}


def model(fixed=False):
    inputs = keras.Input((50, 2))
    h = keras.layers.Conv1D(16, 5, activation="relu")(inputs)
    h = keras.layers.MaxPooling1D(2)(h)
    h = keras.layers.Conv1D(32, 5, activation="relu")(h)
    h = keras.layers.GlobalAveragePooling1D()(h)
    h = keras.layers.Dense(32, activation="relu")(h)
    net = SpeedNet(inputs, keras.layers.Dense(1)(h))
    net.squeeze = fixed
    net.compile(optimizer=keras.optimizers.Adam(2e-3))
    return net


def score(network, x, y):
    p = network.predict(x, verbose=0).ravel()
    return float(1 - np.mean((p - y) ** 2) / np.var(y))


PASS = 0.8
FAULT = ("In the custom training step the targets have shape (batch,) and the predictions (batch, 1), so their difference is broadcast to "
         "(batch, batch) and the loss compares each prediction with every target; the network learns only the mean.")
REPAIR = "The predictions are squeezed to (batch,) before the difference is taken."
