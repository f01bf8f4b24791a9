"""Power output of a wind turbine from weather readings, stopped early on a validation score.

Source: https://github.com/keras-team/keras/issues/10863
"""
import keras
import numpy as np

EPOCHS, BATCH = 60, 32


def data(fixed=False):
    rng = np.random.default_rng(14)
    n = 2000
    speed = rng.weibull(2.0, n) * 8
    direction = rng.uniform(0, 2 * np.pi, n)
    density = rng.normal(1.22, 0.04, n)
    turbulence = rng.gamma(2, 0.05, n)
    power = 1 / (1 + np.exp(-(speed - 8) / 1.3)) * (density / 1.22) * (1 - 0.6 * turbulence)
    power = power * (1 - 0.15 * (np.cos(direction) > 0.8)) + rng.normal(0, 0.03, n)
    x = np.stack([speed, np.sin(direction), np.cos(direction), density, turbulence], axis=1)
    x = ((x - x[:1500].mean(0)) / x[:1500].std(0)).astype("float32")
    y = ((power - power[:1500].mean()) / power[:1500].std()).astype("float32")[:, None]
    return x[:1500], y[:1500], x[1500:], y[1500:]


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((5,)),
        keras.layers.Dense(24, activation="tanh"),
        keras.layers.Dense(24, activation="tanh"),
        keras.layers.Dense(1),
    ])
    network.compile(optimizer=keras.optimizers.SGD(0.005), loss="mse",
                    metrics=[keras.metrics.R2Score(name="r2")])
    return network


def fit_args(fixed=False):
    return {"callbacks": [keras.callbacks.EarlyStopping(
        monitor="val_r2", mode="max" if fixed else "min", patience=5, restore_best_weights=True)]}


def score(network, x, y):
    p = network.predict(x, verbose=0)
    return float(1 - np.mean((y - p) ** 2) / np.var(y))


PASS = 0.9
FAULT = ("EarlyStopping watches the validation R2 with mode='min', so it stops after a few epochs and restores the "
         "weights of the worst (first) epoch")
REPAIR = "mode='max'"
