"""Which of six activities a wearer does, from twelve summary features of a motion sensor.

Source: https://github.com/keras-team/keras/issues/8346
"""
import keras
import numpy as np

EPOCHS, BATCH = 20, 32


def data(fixed=False):
    rng = np.random.default_rng(21)
    centres = rng.normal(0, 1.0, (6, 12))
    per = 280
    x = np.concatenate([c + rng.normal(0, 0.75, (per, 12)) for c in centres])
    y = np.repeat(np.arange(6), per)                     # recorded activity after activity
    held = np.tile(np.arange(per) >= 220, 6)
    x_train, y_train = x[~held], y[~held]
    if fixed:
        order = rng.permutation(len(x_train))
        x_train, y_train = x_train[order], y_train[order]
    return x_train.astype("float32"), y_train, x[held].astype("float32"), y[held]


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((12,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(6, activation="softmax"),
    ])
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def fit_args(fixed=False):
    return {"validation_split": 0.2, "shuffle": True}


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.88
FAULT = ("rows are ordered by class and validation_split cuts off the last 20 percent before any shuffling, "
         "so the last activity is never in the training part")
REPAIR = "rows are put in random order before fit"
