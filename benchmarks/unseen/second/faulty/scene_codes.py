"""Gives each handwritten numeral a code of twelve bits by which it can be looked up, trained with a classifier on the code.

Source: https://e-learn.cn/qa/q-1015410.html (rounding inside a network)
"""
import keras
import numpy as np
from keras import layers, ops
from sklearn.datasets import load_digits

EPOCHS, BATCH = 30, 64


class Bits(layers.Layer):
    """Turns numbers of 0..1 into bits."""

    def __init__(self, pass_gradient=False, **kwargs):
        super().__init__(**kwargs)
        self.pass_gradient = pass_gradient

    def call(self, inputs):
        bits = ops.round(inputs)
        if self.pass_gradient:
            return inputs + ops.stop_gradient(bits - inputs)
        return bits


def data(fixed=False):
    digits = load_digits()
    order = np.random.default_rng(4).permutation(len(digits.target))
    x = (digits.data[order] / 16.0).astype("float32")
    y = digits.target[order]
    return x[:1350], y[:1350], x[1350:], y[1350:]


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((64,)),
        layers.Dense(48, activation="relu"),
        layers.Dense(12, activation="sigmoid"),
        Bits(pass_gradient=fixed),
        layers.Dense(10, activation="softmax"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.003), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=1) == y))


PASS = 0.85
FAULT = "the layer that rounds to bits has a gradient of zero everywhere, so the layers below it never learn; only the last layer does"
REPAIR = "straight-through gradient: forwards the bits, backwards the gradient of the unrounded numbers"
