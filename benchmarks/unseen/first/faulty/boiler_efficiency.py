"""Predicts the efficiency of a boiler from its operating values (own training step).

Source: https://github.com/keras-team/keras/issues/14627
"""
import keras
import numpy as np
import tensorflow as tf
from sklearn.metrics import r2_score

EPOCHS, BATCH = 30, 32


def data(fixed=False):
    rng = np.random.default_rng(151)
    n = 1400
    x = rng.normal(size=(n, 6)).astype("float32")
    y = 0.9 * x[:, 0] - 0.7 * x[:, 1] + 0.6 * x[:, 2] * x[:, 3] + 0.3 * np.sin(2 * x[:, 4]) + rng.normal(0, 0.3, n)
    y = y.astype("float32")
    return x[:1100], y[:1100], x[1100:], y[1100:]


class Regressor(keras.Model):
    def __init__(self, fixed=False):
        super().__init__()
        self.fixed = fixed
        self.hidden = keras.Sequential([keras.layers.Dense(48, activation="relu"),
                                        keras.layers.Dense(24, activation="relu")])
        self.out = keras.layers.Dense(1)
        self.tracker = keras.metrics.Mean(name="loss")

    def call(self, x):
        return self.out(self.hidden(x))

    @property
    def metrics(self):
        return [self.tracker]

    def _loss(self, y, p):
        if self.fixed:
            p = tf.squeeze(p, -1)
        return tf.reduce_mean(tf.square(y - p))

    def train_step(self, batch):
        x, y = batch
        with tf.GradientTape() as tape:
            loss = self._loss(y, self(x, training=True))
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(grads, self.trainable_variables)
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}

    def test_step(self, batch):
        x, y = batch
        self.tracker.update_state(self._loss(y, self(x, training=False)))
        return {"loss": self.tracker.result()}


def model(fixed=False):
    net = Regressor(fixed)
    net.build((None, 6))
    net.compile(optimizer=keras.optimizers.Adam(2e-3))
    return net


def score(network, x, y):
    return float(r2_score(y, network.predict(x, verbose=0)[:, 0]))


PASS = 0.70
FAULT = ("In the own training step the targets (n,) and outputs (n, 1) are subtracted, which broadcasts to an n by n matrix; the network "
         "learns the mean of the targets only")
REPAIR = "The output is squeezed to (n,) before the subtraction"
