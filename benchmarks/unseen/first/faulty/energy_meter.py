"""Estimates the daily use of electricity of a house from weather and household (regression).

Source: https://machinelearningmastery.com/how-to-improve-neural-network-stability-and-modeling-performance-with-data-scaling/
"""
import keras
import numpy as np
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

EPOCHS, BATCH = 40, 32


def data(fixed=False):
    rng = np.random.default_rng(131)
    n = 1400
    outside = rng.normal(11, 8, n)
    people = rng.integers(1, 6, n)
    area = rng.normal(110, 30, n)
    pressure = rng.normal(1013, 9, n)
    daylight = rng.uniform(8, 16, n)
    kwh = 4 + 0.35 * np.maximum(18 - outside, 0) * area / 110 + 1.6 * people - 0.25 * (daylight - 12) + rng.normal(0, 0.9, n)
    x = np.stack([outside, people, area, pressure, daylight], axis=1)
    y = ((kwh - kwh[:1100].mean()) / kwh[:1100].std()).astype("float32")
    scaler = StandardScaler()
    x_train = scaler.fit_transform(x[:1100])
    x_test = x[1100:]
    if fixed:
        x_test = scaler.transform(x_test)
    return x_train.astype("float32"), y[:1100], x_test.astype("float32"), y[1100:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((5,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(1),
    ])
    net.compile(optimizer="adam", loss="mse", metrics=["mae"])
    return net


def score(network, x, y):
    return float(r2_score(y, network.predict(x, verbose=0)[:, 0]))


PASS = 0.80
FAULT = ("Only the training columns are standardised; the validation columns are left in their raw units, so the network looks useless "
         "on validation although it has learned (harms only what is reported)")
REPAIR = "The validation columns go through the same scaler"
