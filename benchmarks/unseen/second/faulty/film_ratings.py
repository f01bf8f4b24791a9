"""Ratings of films by viewers, as a product of learned tastes (matrix factorisation with a layer of our own).

Source: https://keras.io/guides/migrating_to_keras_3/
"""
import keras
import numpy as np
import tensorflow as tf
from keras import ops

EPOCHS, BATCH = 30, 64
VIEWERS, FILMS, WIDTH = 60, 50, 4


def data(fixed=False):
    rng = np.random.default_rng(91)
    a, b = rng.normal(size=(VIEWERS, 2)), rng.normal(size=(FILMS, 2))
    pairs = np.array([(v, f) for v in range(VIEWERS) for f in range(FILMS)])
    rng.shuffle(pairs)
    stars = 3 + 0.7 * np.sum(a[pairs[:, 0]] * b[pairs[:, 1]], axis=1) + rng.normal(0, 0.3, len(pairs))
    x, y = pairs.astype("int32"), stars.astype("float32")[:, None]
    return x[:2400], y[:2400], x[2400:], y[2400:]


class Tastes(keras.layers.Layer):
    def __init__(self, rows, width, own_weight, **kwargs):
        super().__init__(**kwargs)
        self.rows, self.width, self.own_weight = rows, width, own_weight

    def build(self, input_shape):
        if self.own_weight:
            self.table = self.add_weight(shape=(self.rows, self.width), name="table",
                                         initializer=keras.initializers.RandomNormal(stddev=0.1))
        else:
            self.table = tf.Variable(tf.random.normal((self.rows, self.width), stddev=0.1), trainable=True)

    def call(self, ids):
        return ops.take(self.table, ids, axis=0)


def model(fixed=False):
    inputs = keras.Input((2,), dtype="int32")
    viewer = Tastes(VIEWERS, WIDTH, fixed, name="viewers")(inputs[:, 0])
    film = Tastes(FILMS, WIDTH, fixed, name="films")(inputs[:, 1])
    match = keras.layers.Dot(axes=1)([viewer, film])
    network = keras.Model(inputs, keras.layers.Dense(1)(match))
    network.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    return network


def score(network, x, y):
    p = network.predict(x, verbose=0)
    return float(1 - np.mean((y - p) ** 2) / np.var(y))


PASS = 0.6
FAULT = ("the layer keeps its table in a plain tf.Variable, which Keras 3 does not track, so the tables are not among "
         "the trainable weights and stay at their random start")
REPAIR = "the table is made with add_weight"
