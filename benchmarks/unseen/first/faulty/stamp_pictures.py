"""Reads stamped digits with a net meant for half precision.

Source: https://github.com/keras-team/keras/issues/11860
"""
import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

EPOCHS, BATCH = 10, 32


def data(fixed=False):
    d = load_digits()
    x = (d.data / 16.0).astype("float32")
    x, x_test, y, y_test = train_test_split(x, d.target, test_size=500, random_state=1, stratify=d.target)
    return x, y, x_test, y_test


def model(fixed=False):
    dtype = keras.DTypePolicy("mixed_float16") if fixed else "float16"
    inputs = keras.Input((64,))
    h = keras.layers.Dense(64, activation="relu", dtype=dtype)(inputs)
    h = keras.layers.Dense(64, activation="relu", dtype=dtype)(h)
    outputs = keras.layers.Dense(10, activation="softmax", dtype="float32" if fixed else dtype)(h)
    net = keras.Model(inputs, outputs)
    net.compile(optimizer=keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.9
FAULT = ("All layers, weights included, are pure float16 instead of mixed precision; Adam's squared gradients and its epsilon of 1e-7 "
         "underflow in float16, the steps become infinite and the weights NaN.")
REPAIR = "The hidden layers use the policy mixed_float16 (float32 weights), the output layer float32."
