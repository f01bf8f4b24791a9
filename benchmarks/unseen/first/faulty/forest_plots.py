"""Tells the kind of forest from measurements of a plot of land (table, five classes).

Source: https://github.com/keras-team/keras/issues/13815
"""
import keras
import numpy as np
from sklearn.datasets import make_classification

EPOCHS, BATCH = 20, 64


def data(fixed=False):
    x, y = make_classification(n_samples=1900, n_features=14, n_informative=9, n_redundant=2, n_classes=5,
                               n_clusters_per_class=1, class_sep=1.6, flip_y=0.03, random_state=606)
    x = ((x - x[:1500].mean(0)) / x[:1500].std(0)).astype("float32")
    return x[:1500], y[:1500], x[1500:], y[1500:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((14,)),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(5, activation="softmax"),
    ])
    optimizer = keras.optimizers.Adadelta(learning_rate=1.0) if fixed else keras.optimizers.Adadelta()
    net.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.80
FAULT = "Adadelta with its default learning rate of 0.001 hardly moves the weights; this optimizer expects about 1.0"
REPAIR = "Adadelta with learning_rate=1.0"
