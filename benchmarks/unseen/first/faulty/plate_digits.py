"""Reads single small digits with a convolutional network.

Source: https://github.com/keras-team/keras/issues/10666
"""
import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

EPOCHS, BATCH = 8, 128


def data(fixed=False):
    d = load_digits()
    x = (d.images / 16.0).astype("float32")[..., None]
    x, x_test, y, y_test = train_test_split(x, d.target, train_size=640, test_size=500, random_state=3, stratify=d.target)
    return x, y, x_test, y_test


def model(fixed=False):
    momentum = 0.8 if fixed else 0.99
    inputs = keras.Input((8, 8, 1))
    h = inputs
    for filters, stride in ((16, 1), (32, 2), (32, 1), (64, 2)):
        h = keras.layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(h)
        h = keras.layers.BatchNormalization(momentum=momentum)(h)
        h = keras.layers.ReLU()(h)
    h = keras.layers.Flatten()(h)
    outputs = keras.layers.Dense(10, activation="softmax")(h)
    net = keras.Model(inputs, outputs)
    net.compile(optimizer=keras.optimizers.Adam(2e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.92
FAULT = ("Batch normalisation's moving averages (momentum 0.99) have not caught up after some 40 training steps, so the network "
         "is good in training mode and bad when predicting or validating. The harm is in inference: training loss and accuracy look fine.")
REPAIR = "The momentum of the batch normalisation layers was lowered to 0.8."
