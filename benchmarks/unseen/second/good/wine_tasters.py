"""Sorts simulated wines of nine vineyards, tasters being wrong one time in four, in mixed precision.

Source: https://www.tensorflow.org/guide/mixed_precision
"""
import keras
import numpy as np
from keras import layers
from sklearn.datasets import make_classification
from sklearn.preprocessing import StandardScaler

EPOCHS, BATCH = 12, 64


def data(fixed=False):
    x, y = make_classification(n_samples=2000, n_features=20, n_informative=12, n_redundant=0, n_classes=9,
                               n_clusters_per_class=1, class_sep=1.6, flip_y=0.25, random_state=77)
    x = StandardScaler().fit(x[:1500]).transform(x).astype("float32")
    return x[:1500], y[:1500], x[1500:], y[1500:]


def model(fixed=False):
    mixed = "mixed_float16"
    inputs = keras.Input((20,))
    h = layers.Dense(96, activation="relu", dtype=mixed)(inputs)
    h = layers.Dropout(0.2, dtype=mixed)(h)
    h = layers.Dense(48, activation="relu", dtype=mixed)(h)
    logits = layers.Dense(9, dtype=mixed)(h)
    outputs = layers.Activation("softmax", dtype="float32")(logits)
    network = keras.Model(inputs, outputs)
    network.compile(optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.002)),
                    loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=1) == y))


PASS = 0.6
