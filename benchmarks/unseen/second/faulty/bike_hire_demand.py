"""Hourly bike hire demand from weather and time of day (regression with a training step of our own).

Source: https://github.com/keras-team/keras/issues/16836
"""
import keras
import numpy as np
import tensorflow as tf
from keras import ops

EPOCHS, BATCH = 25, 32


def data(fixed=False):
    rng = np.random.default_rng(11)
    n = 2000
    temperature = rng.normal(14, 8, n)
    humidity = rng.uniform(30, 95, n)
    wind = rng.gamma(2.0, 6.0, n)
    hour = rng.integers(0, 24, n)
    weekend = rng.random(n) < 2 / 7
    commute = np.exp(-((hour - 8) / 2.0) ** 2) + np.exp(-((hour - 17.5) / 2.5) ** 2)
    leisure = np.exp(-((hour - 14) / 4.0) ** 2)
    demand = (180 * np.where(weekend, leisure, commute) + 5 * temperature - 0.8 * humidity
              - 1.5 * wind + rng.normal(0, 18, n))
    x = np.stack([temperature, humidity, wind, np.sin(hour / 24 * 2 * np.pi),
                  np.cos(hour / 24 * 2 * np.pi), np.sin(hour / 12 * 2 * np.pi),
                  np.cos(hour / 12 * 2 * np.pi), weekend], axis=1)
    x, y = x.astype("float32"), demand.astype("float32")
    m, s = x[:1500].mean(0), x[:1500].std(0)
    x = (x - m) / s
    y = (y - y[:1500].mean()) / y[:1500].std()
    return x[:1500], y[:1500], x[1500:], y[1500:]


class HireModel(keras.Model):
    column_targets = False

    def train_step(self, batch):
        x, y = batch
        if self.column_targets:
            y = ops.reshape(y, (-1, 1))
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = ops.mean(ops.square(y - predicted))
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights))
        return {"loss": loss}


def model(fixed=False):
    inputs = keras.Input((8,))
    h = keras.layers.Dense(48, activation="relu")(inputs)
    h = keras.layers.Dense(24, activation="relu")(h)
    network = HireModel(inputs, keras.layers.Dense(1)(h))
    network.column_targets = fixed
    network.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse")
    return network


def score(network, x, y):
    p = network.predict(x, verbose=0)[:, 0]
    return float(1 - np.mean((y - p) ** 2) / np.var(y))


PASS = 0.8
FAULT = ("the squared error in train_step subtracts predictions of shape (batch, 1) from targets of shape (batch,), "
         "which broadcasts to a (batch, batch) table, so the network only learns the mean")
REPAIR = "targets are reshaped to (batch, 1) before the difference is taken"
