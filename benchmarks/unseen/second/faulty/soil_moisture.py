"""Soil moisture from the raw reflectance of eight satellite bands.

Source: https://github.com/keras-team/keras/issues/10666
"""
import keras
import numpy as np

EPOCHS, BATCH = 15, 256


def data(fixed=False):
    rng = np.random.default_rng(111)
    n = 1424
    moisture = rng.beta(2, 3, n)
    plants = rng.beta(2, 2, n)
    bands = []
    for k in range(8):
        bands.append(1800 + 150 * k - 700 * moisture * (k > 3) - 250 * moisture + 500 * plants * (k == 4)
                     - 200 * plants * (k < 3) + rng.normal(0, 80, n))
    x = np.stack(bands, axis=1).astype("float32")
    y = ((moisture - moisture.mean()) / moisture.std()).astype("float32")[:, None]
    return x[:1024], y[:1024], x[1024:], y[1024:]


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((8,)),
        keras.layers.BatchNormalization(momentum=0.8 if fixed else 0.99),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(1),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    return network


def score(network, x, y):
    p = network.predict(x, verbose=0)
    return float(1 - np.mean((y - p) ** 2) / np.var(y))


PASS = 0.7
FAULT = ("batch normalisation has momentum 0.99 but there are only 60 batches in all, so its moving mean and variance "
         "are still far from the data's; training looks fine, validation and prediction are bad")
REPAIR = "momentum 0.8, so that the moving statistics arrive"
