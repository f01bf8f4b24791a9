"""Tomorrow's riders at a bicycle counter from two weeks of riders, air pressure and visibility.

Source: https://machinelearningmastery.com/how-to-scale-data-for-long-short-term-memory-networks-in-python/
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 12, 64
DAYS = 14


def data(fixed=False):
    rng = np.random.default_rng(511)
    n = 1500
    pressure = np.zeros(n + DAYS + 1)
    for i in range(1, len(pressure)):
        pressure[i] = 0.8 * pressure[i - 1] + rng.normal()
    week = np.arange(len(pressure)) % 7
    riders = 4000 - 1500 * (week >= 5) + 500 * pressure + rng.normal(scale=150, size=len(pressure))
    table = np.column_stack([riders, 1013 + 6 * pressure, rng.gamma(4, 3000, len(pressure))])
    x = np.stack([table[i:i + DAYS] for i in range(n)])
    y = np.stack([riders[i + DAYS] for i in range(n)])[:, None]
    y = (y - y[:1100].mean()) / y[:1100].std()
    if fixed:
        x = (x - x[:1100].mean((0, 1))) / x[:1100].std((0, 1))
    x, y = x.astype("float32"), y.astype("float32")
    return x[:1100], y[:1100], x[1100:], y[1100:]


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((DAYS, 3)),
        layers.LSTM(24),
        layers.Dense(1),
    ])
    network.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    return network


def score(network, x, y):
    p = network.predict(x, verbose=0)
    return float(1 - np.mean((y - p) ** 2) / np.var(y))


PASS = 0.5
FAULT = "riders, pressure and visibility go into the LSTM in thousands: all its gates are saturated at 0 or 1, the state is about the same for every window, and the gradient through the gates is zero"
REPAIR = "inputs standardised with the mean and spread of the training part"
