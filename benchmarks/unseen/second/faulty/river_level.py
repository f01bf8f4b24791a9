"""Next hour's river level from the last 24 hours of level and rainfall.

Source: https://github.com/tensorflow/tensorflow/issues/41334
"""
import keras
import numpy as np
import tensorflow as tf

EPOCHS, BATCH = 12, 64
STEPS = 24


def series():
    rng = np.random.default_rng(5)
    n = 2300
    rain = rng.gamma(0.3, 2.0, n) * (rng.random(n) < 0.3)
    level = np.zeros(n)
    for t in range(1, n):
        level[t] = 0.94 * level[t - 1] + 0.25 * rain[t - 1] + 0.1 * rain[max(t - 4, 0)] + rng.normal(0, 0.05)
    level += 0.3 * np.sin(np.arange(n) / 24 * 2 * np.pi)
    both = np.stack([level, rain], axis=1)
    return ((both - both[:1600].mean(0)) / both[:1600].std(0)).astype("float32")


def data(fixed=False):
    s = series()
    windows = np.stack([s[i:i + STEPS] for i in range(len(s) - STEPS)])
    following = s[STEPS:, :1]
    cut = 1600
    inputs = tf.data.Dataset.from_tensor_slices(windows[:cut])
    targets = tf.data.Dataset.from_tensor_slices(following[:cut])
    if fixed:
        pairs = tf.data.Dataset.zip((inputs, targets)).shuffle(cut)
    else:
        pairs = tf.data.Dataset.zip((inputs.shuffle(cut), targets.shuffle(cut)))
    x, y = next(iter(pairs.batch(cut)))
    return x.numpy(), y.numpy(), windows[cut + STEPS:], following[cut + STEPS:]


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((STEPS, 2)),
        keras.layers.GRU(16),
        keras.layers.Dense(1),
    ])
    network.compile(optimizer=keras.optimizers.Adam(1e-2), loss="mse", metrics=["mae"])
    return network


def score(network, x, y):
    p = network.predict(x, verbose=0)
    return float(1 - np.mean((y - p) ** 2) / np.var(y))


PASS = 0.8
FAULT = ("the tf.data pipeline shuffles the input windows and the targets separately before zipping them, "
         "so inputs and targets no longer belong together")
REPAIR = "inputs and targets are zipped first and the pairs are shuffled together"
