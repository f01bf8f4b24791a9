"""Judges whether two handwritten numerals are the same numeral (twin network with a distance as output).

Source: https://github.com/keras-team/keras/issues/16935
"""
import keras
import numpy as np
from keras import layers, ops
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

EPOCHS, BATCH = 12, 64


def _pairs(pictures, target, n, rng):
    groups = [np.flatnonzero(target == d) for d in range(10)]
    first = rng.integers(0, len(target), n)
    same = rng.integers(0, 2, n)
    second = np.array([rng.choice(groups[target[i]]) if s else rng.choice(groups[(target[i] + rng.integers(1, 10)) % 10])
                       for i, s in zip(first, same)])
    return [pictures[first], pictures[second]], same.astype("float32")[:, None]


def data(fixed=False):
    digits = load_digits()
    rng = np.random.default_rng(61)
    order = rng.permutation(len(digits.target))
    pictures, target = (digits.data[order] / 16.0).astype("float32"), digits.target[order]
    x, y = _pairs(pictures[:1300], target[:1300], 2500, rng)
    x_held, y_held = _pairs(pictures[1300:], target[1300:], 700, rng)
    return x, y, x_held, y_held              # label 1: the same numeral


def _loss(fixed, margin=1.0):
    def contrastive(y_true, distance):
        y_true = ops.cast(y_true, distance.dtype)
        near = ops.square(distance)
        far = ops.square(ops.maximum(margin - distance, 0.0))
        if fixed:
            return ops.mean(y_true * near + (1 - y_true) * far)
        return ops.mean((1 - y_true) * near + y_true * far)
    return contrastive


def model(fixed=False):
    left, right = keras.Input((64,)), keras.Input((64,))
    tower = keras.Sequential([
        layers.Input((64,)),
        layers.Dense(64, activation="relu"),
        layers.Dense(32, activation="relu"),
        layers.Dense(16),
    ])
    gap = layers.Subtract()([tower(left), tower(right)])
    distance = layers.Lambda(lambda d: ops.sqrt(ops.sum(ops.square(d), axis=1, keepdims=True) + 1e-7),
                             output_shape=(1,))(gap)
    network = keras.Model([left, right], distance)
    network.compile(optimizer="adam", loss=_loss(fixed))
    return network


def score(network, x, y):
    """Area under the ROC curve of 'near means same'."""
    distance = network.predict(x, verbose=0)[:, 0]
    return float(roc_auc_score(y[:, 0], -distance))


PASS = 0.9
FAULT = "the contrastive loss takes label 1 for a pair of different numerals, but the data mark equal pairs with 1: it pulls different pairs together and pushes equal ones apart"
REPAIR = "the two terms of the loss swapped, so that label 1 pulls a pair together"
