"""Sorts soil samples into five types by twenty-four laboratory values.

Source: https://ai.stackexchange.com/questions/16557/what-could-be-the-problem-when-a-neural-network-with-four-hidden-layers-with-the
"""
import keras
import numpy as np
from keras import layers
from sklearn.datasets import make_classification
from sklearn.preprocessing import StandardScaler

EPOCHS, BATCH = 20, 32


def data(fixed=False):
    x, y = make_classification(n_samples=1800, n_features=24, n_informative=12, n_redundant=4, n_classes=5,
                               n_clusters_per_class=1, class_sep=1.8, random_state=8)
    x = StandardScaler().fit(x[:1400]).transform(x).astype("float32")
    return x[:1400], y[:1400], x[1400:], y[1400:]


def model(fixed=False):
    activation, start = ("relu", "he_normal") if fixed else ("sigmoid", "glorot_uniform")
    network = keras.Sequential([layers.Input((24,))])
    for _ in range(10):
        network.add(layers.Dense(40, activation=activation, kernel_initializer=start))
    network.add(layers.Dense(5, activation="softmax"))
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=1) == y))


PASS = 0.8
FAULT = "ten hidden layers with sigmoid activations: the gradient vanishes on its way back, so the lower layers do not learn"
REPAIR = "relu with He initialisation in place of sigmoid"
