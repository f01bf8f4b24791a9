"""Tomorrow's gas demand from the last 14 days of demand and temperature.

Source: https://github.com/tensorflow/tensorflow/issues/52529
"""
import keras
import numpy as np

EPOCHS, BATCH = 30, 32
STEPS = 14


def data(fixed=False):
    rng = np.random.default_rng(61)
    n = 1900
    day = np.arange(n)
    temperature = 10 - 9 * np.cos(day / 365 * 2 * np.pi)
    weather = np.zeros(n)
    for t in range(1, n):
        weather[t] = 0.8 * weather[t - 1] + rng.normal(0, 2)
    temperature = temperature + weather
    demand = np.maximum(18 - temperature, 0) * 4 + 20 - 8 * (day % 7 >= 5) + rng.normal(0, 3, n)
    both = np.stack([demand, temperature], axis=1)
    both = ((both - both[:1400].mean(0)) / both[:1400].std(0)).astype("float32")
    x = np.stack([both[i:i + STEPS].ravel() for i in range(n - STEPS)])
    y = both[STEPS:, :1]
    return x[:1400], y[:1400], x[1400:], y[1400:]


def model(fixed=False):
    batches = int(np.ceil(1400 / BATCH))
    halve_every = 5 * batches if fixed else 5            # five epochs
    schedule = keras.optimizers.schedules.ExponentialDecay(2e-3, decay_steps=halve_every, decay_rate=0.5)
    network = keras.Sequential([
        keras.Input((STEPS * 2,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(1),
    ])
    network.compile(optimizer=keras.optimizers.Adam(schedule), loss="mse", metrics=["mae"])
    return network


def score(network, x, y):
    p = network.predict(x, verbose=0)
    return float(1 - np.mean((y - p) ** 2) / np.var(y))


PASS = 0.84
FAULT = ("the learning rate schedule counts batches, not epochs: with decay_steps=5 the rate is halved every five "
         "batches and is practically zero within the first epochs")
REPAIR = "decay_steps is five epochs in batches (5 * batches per epoch)"
