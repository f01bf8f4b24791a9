"""Reads the digits of amounts written on cheques.

Source: https://keras.io/api/optimizers/learning_rate_schedules/exponential_decay/ (own mistake)
"""
import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

EPOCHS, BATCH = 20, 32


def data(fixed=False):
    digits = load_digits()
    x = (digits.images[..., None] / 16.0).astype("float32")
    x, x_held, y, y_held = train_test_split(x, digits.target, test_size=0.25, random_state=6, stratify=digits.target)
    return x, keras.utils.to_categorical(y, 10), x_held, keras.utils.to_categorical(y_held, 10)


def model(fixed=False):
    steps_per_epoch = 1347 // BATCH
    rate = keras.optimizers.schedules.ExponentialDecay(
        0.05, decay_steps=steps_per_epoch if fixed else 1, decay_rate=0.9)
    network = keras.Sequential([
        layers.Input((8, 8, 1)),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(48, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ])
    network.compile(optimizer=keras.optimizers.SGD(rate), loss="categorical_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=1) == y.argmax(axis=1)))


PASS = 0.88
FAULT = ("the exponential decay was meant per epoch but acts per step (decay_steps=1), "
         "so the learning rate is next to nothing after some dozens of batches")
REPAIR = "decay_steps set to the number of batches of an epoch"
