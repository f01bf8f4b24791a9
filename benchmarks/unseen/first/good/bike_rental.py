"""Counts of rented bicycles per hour from clock and weather (Poisson loss, rows come from a tf.data pipeline).

Source: https://www.tensorflow.org/tutorials/load_data/csv and https://scikit-learn.org/stable/auto_examples/linear_model/plot_poisson_regression_non_normal_loss.html
"""
import keras
import numpy as np
import tensorflow as tf
from sklearn.metrics import d2_tweedie_score

EPOCHS, BATCH = 25, 32


def data(fixed=False):
    rng = np.random.default_rng(31)
    n = 2000
    hour = rng.integers(0, 24, n)
    temp = rng.normal(14, 8, n)
    rain = (rng.random(n) < 0.2).astype(float)
    weekend = (rng.random(n) < 2 / 7).astype(float)
    rush = np.exp(-0.5 * ((hour - 8) / 1.5) ** 2) + np.exp(-0.5 * ((hour - 17.5) / 2) ** 2)
    noon = np.exp(-0.5 * ((hour - 14) / 3.5) ** 2)
    log_rate = 0.6 + (1 - weekend) * 1.5 * rush + weekend * 1.3 * noon + 0.03 * (temp - 14) - 0.7 * rain
    y = rng.poisson(np.exp(log_rate) * rng.gamma(8, 1 / 8, n)).astype("float32")
    x = np.stack([np.sin(hour * np.pi / 12), np.cos(hour * np.pi / 12), np.sin(hour * np.pi / 6),
                  np.cos(hour * np.pi / 6), (temp - 14) / 8, rain, weekend], axis=1).astype("float32")
    train = (tf.data.Dataset.from_tensor_slices((x[:1500], y[:1500]))
             .shuffle(1500).batch(BATCH).prefetch(2))
    return train, None, x[1500:], y[1500:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((7,)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1, activation="exponential"),
    ])
    net.compile(optimizer=keras.optimizers.Adam(2e-3), loss="poisson")
    return net


def score(network, x, y):
    """Share of the Poisson deviance that is explained."""
    return float(d2_tweedie_score(y, network.predict(x, verbose=0)[:, 0], power=1))


PASS = 0.42
