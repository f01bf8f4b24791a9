"""Predicts the yield of a field from soil and weather (table, regression).

Source: own
"""
import keras
import numpy as np
from sklearn.metrics import r2_score

EPOCHS, BATCH = 30, 32


def data(fixed=False):
    rng = np.random.default_rng(161)
    n = 1500
    table = {
        "day_sown": rng.integers(60, 140, n).astype(float),
        "rain_mm": rng.gamma(6, 60, n),
        "nitrogen": rng.uniform(20, 200, n),
        "ph": rng.normal(6.4, 0.5, n),
        "clay": rng.uniform(5, 45, n),
        "temperature": rng.normal(16, 2.5, n),
    }
    tons = (6 + 0.012 * table["nitrogen"] - 0.00004 * (table["rain_mm"] - 420) ** 2 - 0.9 * np.abs(table["ph"] - 6.5)
            + 0.15 * (table["temperature"] - 16) - 0.01 * (table["day_sown"] - 60) + rng.normal(0, 0.45, n))
    order = np.argsort(table["day_sown"], kind="stable")
    table = {k: v[order] for k, v in table.items()}
    if fixed:
        tons = tons[order]
    x = np.stack(list(table.values()), axis=1)
    x = (x - x.mean(0)) / x.std(0)
    y = (tons - tons.mean()) / tons.std()
    mix = rng.permutation(n)
    x, y = x[mix].astype("float32"), y[mix].astype("float32")
    return x[:1200], y[:1200], x[1200:], y[1200:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((6,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    net.compile(optimizer=keras.optimizers.Adam(2e-3), loss="mse", metrics=["mae"])
    return net


def score(network, x, y):
    return float(r2_score(y, network.predict(x, verbose=0)[:, 0]))


PASS = 0.65
FAULT = "The feature table was sorted by sowing day but the targets were left in the old order, so rows and targets do not belong together"
REPAIR = "The targets are sorted with the table"
