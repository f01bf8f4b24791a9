"""Tells the sex of penguins from their measures.

Source: https://github.com/keras-team/keras/issues/18796
"""
import keras
import numpy as np

EPOCHS, BATCH = 30, 16


def data(fixed=False):
    rng = np.random.default_rng(121)
    n = 700
    male = rng.random(n) < 0.5
    species = rng.integers(0, 3, n)
    bill = np.array([38.8, 48.8, 47.5])[species] + 2.0 * np.where(male, 1, -1) + rng.normal(0, 1.6, n)
    depth = np.array([18.3, 18.4, 15.0])[species] + 0.75 * np.where(male, 1, -1) + rng.normal(0, 0.5, n)
    mass = np.array([3.7, 3.7, 5.1])[species] + 0.35 * np.where(male, 1, -1) + rng.normal(0, 0.25, n)
    x = np.column_stack([bill, depth, mass, np.eye(3)[species]])
    x = ((x - x[:500].mean(0)) / x[:500].std(0)).astype("float32")
    y = male.astype("float32")[:, None]
    return x[:500], y[:500], x[500:], y[500:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((6,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    metric = keras.metrics.BinaryAccuracy(name="accuracy") if fixed else keras.metrics.Accuracy(name="accuracy")
    net.compile(optimizer=keras.optimizers.Adam(3e-3), loss="binary_crossentropy", metrics=[metric])
    return net


def score(network, x, y):
    """The accuracy that the user sees."""
    return float(network.evaluate(x, y, verbose=0, return_dict=True)["accuracy"])


PASS = 0.88
FAULT = ("Only what is reported is wrong: keras.metrics.Accuracy counts outputs that are exactly equal to the label, which "
         "probabilities never are, so it shows 0 although the network learns")
REPAIR = "BinaryAccuracy instead of Accuracy"
