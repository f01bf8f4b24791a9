"""Tells from vibration and temperature readings whether a pump needs service.

Source: https://stats.stackexchange.com/revisions/2bda6552-783b-4fb7-ba2b-a03d2266e69b/view-source
"""
import keras
import numpy as np

EPOCHS, BATCH = 25, 32


def data(fixed=False):
    rng = np.random.default_rng(101)
    n = 1300
    rms = rng.gamma(4.0, 0.6, n)              # mm/s
    crest = rng.normal(3.2, 0.5, n)
    temp = rng.normal(61.0, 7.0, n)           # degrees C
    hours = rng.uniform(0, 9000, n)
    load = rng.uniform(0.3, 1.0, n)
    wear = 0.9 * (rms - 2.4) + 0.8 * (crest - 3.2) * (rms > 2.0) + 0.07 * (temp - 61) * load + (hours - 4500) / 4000
    y = (wear + rng.normal(0, 0.4, n) > 0.1).astype("float32")
    x = np.stack([rms, crest, temp, hours, load], axis=1)
    x = (x - x[:1000].mean(0)) / x[:1000].std(0)
    x = x.astype("float32")
    return x[:1000], y[:1000], x[1000:], y[1000:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((5,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid" if fixed else "softmax"),
    ])
    net.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    p = network.predict(x, verbose=0)[:, 0]
    return float(np.mean((p > 0.5) == (y > 0.5)))


PASS = 0.80
FAULT = "The single output unit has a softmax activation, so it always says 1.0 and no gradient flows"
REPAIR = "The output unit uses sigmoid"
