"""Reads 8x8 pictures of handwritten numbers.

Source: https://github.com/tensorflow/tensorflow/issues/52529
"""
import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

EPOCHS, BATCH = 20, 32


def data(fixed=False):
    bunch = load_digits()
    x = (bunch.data / 16.0).astype("float32")
    x_train, x_test, y_train, y_test = train_test_split(
        x, bunch.target, test_size=0.25, random_state=5, stratify=bunch.target)
    return x_train, y_train, x_test, y_test


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((64,)),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ])
    steps = 1347 // BATCH if fixed else 1
    rate = keras.optimizers.schedules.ExponentialDecay(
        initial_learning_rate=0.05, decay_steps=steps, decay_rate=0.9)   # 10 % less after every epoch
    net.compile(optimizer=keras.optimizers.SGD(rate),
                loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.88
FAULT = ("The exponential schedule counts in steps, not epochs: with decay_steps=1 the rate falls by 10 % after every batch and is "
         "practically zero within the second epoch")
REPAIR = "decay_steps is the number of batches of one epoch"
