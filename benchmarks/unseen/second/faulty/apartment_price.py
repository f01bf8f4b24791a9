"""Price of an apartment (in 100 000 euros) from ten of its features.

Source: https://openillumi.com/en/en-keras-tf-fix-huge-negative-loss-regression
"""
import keras
import numpy as np

EPOCHS, BATCH = 25, 32


def data(fixed=False):
    rng = np.random.default_rng(31)
    n = 1800
    area = rng.gamma(6, 12, n)
    rooms = np.clip(np.round(area / 25 + rng.normal(0, 0.6, n)), 1, 8)
    age = rng.uniform(0, 90, n)
    distance = rng.exponential(6, n)
    floor = rng.integers(0, 10, n)
    lift = rng.random(n) < 0.5
    rest = rng.normal(size=(n, 4))
    price = (0.03 * area + 0.15 * rooms - 0.008 * age - 0.06 * distance + 0.03 * floor * lift
             + 0.1 * rest[:, 0] + 1.5 + rng.normal(0, 0.25, n))
    x = np.column_stack([area, rooms, age, distance, floor, lift, rest])
    x = ((x - x[:1300].mean(0)) / x[:1300].std(0)).astype("float32")
    y = price.astype("float32")[:, None]
    return x[:1300], y[:1300], x[1300:], y[1300:]


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((10,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    network.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse" if fixed else "binary_crossentropy",
                    metrics=["mae"])
    return network


def score(network, x, y):
    p = network.predict(x, verbose=0)
    return float(1 - np.mean((y - p) ** 2) / np.var(y))


PASS = 0.8
FAULT = "binary cross-entropy, a loss for 0/1 labels, is used for a regression of prices"
REPAIR = "mean squared error as the loss"
