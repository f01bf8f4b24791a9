"""Mean load of a lift, from a minute of noisy readings of its cable sensors.

Source: https://github.com/Marcovaldong/lstmp.pytorch/issues/2
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 12, 64
STEPS = 60


def data(fixed=False):
    rng = np.random.default_rng(506)
    n = 1000
    load = rng.uniform(-1, 1, n)
    x = load[:, None, None] * np.array([1.0, 0.7, -0.5]) + rng.normal(scale=1.0, size=(n, STEPS, 3))
    x, y = x.astype("float32"), load.astype("float32")[:, None]
    return x[:750], y[:750], x[750:], y[750:]


def model(fixed=False):
    start = "orthogonal" if fixed else keras.initializers.RandomNormal(stddev=0.7)
    network = keras.Sequential([
        layers.Input((STEPS, 3)),
        layers.SimpleRNN(32, kernel_initializer=keras.initializers.RandomNormal(stddev=0.1),
                         recurrent_initializer=start),
        layers.Dense(1),
    ])
    network.compile(optimizer=keras.optimizers.SGD(0.03, momentum=0.9), loss="mse")
    return network


def score(network, x, y):
    p = network.predict(x, verbose=0)
    return float(1 - np.mean((y - p) ** 2) / np.var(y))


PASS = 0.6
FAULT = "recurrent weights drawn from a normal distribution of 0.7 (spectral radius about 4): the state is chaotic and the gradient through 60 steps explodes, so every update is a huge random jump; no clipping"
REPAIR = "orthogonal initial recurrent weights (spectral radius 1)"
