"""Pressure behind a pump from speed, flow and temperature; the compiled metric is what gets reported.

Source: https://github.com/keras-team/keras/issues/7947
"""
import keras
import numpy as np

EPOCHS, BATCH = 25, 32


def data(fixed=False):
    rng = np.random.default_rng(41)
    n = 1600
    x = rng.normal(size=(n, 6))
    y = 0.9 * x[:, 0] ** 2 - 0.8 * x[:, 1] + 0.5 * x[:, 2] * x[:, 0] + 0.2 * np.sin(2 * x[:, 3]) + rng.normal(0, 0.3, n)
    y = (y - y.mean()) / y.std()
    x, y = x.astype("float32"), y.astype("float32")[:, None]
    return x[:1200], y[:1200], x[1200:], y[1200:]


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((6,)),
        keras.layers.Dense(40, activation="relu"),
        keras.layers.Dense(20, activation="relu"),
        keras.layers.Dense(1),
    ])
    network.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse",
                    metrics=[keras.metrics.R2Score(name="r2")] if fixed else ["accuracy"])
    return network


def score(network, x, y):
    reported = network.evaluate(x, y, verbose=0, return_dict=True)
    reported.pop("loss")
    return float(list(reported.values())[0])


PASS = 0.75
FAULT = ("accuracy is the metric of a regression, so about 0 is reported although the network learns well "
         "(only what is reported is bad)")
REPAIR = "R2 as the metric"
