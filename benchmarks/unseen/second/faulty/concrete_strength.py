"""Strength of concrete from its mix.

Source: https://www.drjamesfroggatt.com/python-and-neural-networks/normalising-training-and-test-data-for-neural-networks/
"""
import keras
import numpy as np
from sklearn.preprocessing import StandardScaler

EPOCHS, BATCH = 30, 32


def data(fixed=False):
    rng = np.random.default_rng(51)
    n = 1500
    cement = rng.uniform(120, 520, n)
    slag = rng.uniform(0, 320, n)
    water = rng.uniform(130, 230, n)
    plasticiser = rng.uniform(0, 25, n)
    gravel = rng.uniform(820, 1120, n)
    days = rng.choice([3, 7, 14, 28, 56, 90], n)
    strength = (0.09 * cement + 0.05 * slag - 0.15 * water + 0.4 * plasticiser + 7 * np.log(days)
                + rng.normal(0, 4, n))
    x = np.column_stack([cement, slag, water, plasticiser, gravel, days])
    y = (strength - strength.mean()) / strength.std()
    x_train, x_held = x[:1100], x[1100:]
    scaler = StandardScaler()
    x_train = scaler.fit_transform(x_train)
    if fixed:
        x_held = scaler.transform(x_held)
    return (x_train.astype("float32"), y[:1100].astype("float32"),
            x_held.astype("float32"), y[1100:].astype("float32"))


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((6,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(1),
    ])
    network.compile(optimizer="adam", loss="mse", metrics=["mae"])
    return network


def score(network, x, y):
    p = network.predict(x, verbose=0)[:, 0]
    return float(1 - np.mean((y - p) ** 2) / np.var(y))


PASS = 0.75
FAULT = ("the training inputs are standardised but the validation inputs are left in their raw units, so the "
         "validation results are meaningless (only what is reported is bad)")
REPAIR = "the scaler of the training inputs is applied to the validation inputs too"
