"""Number of loaves ordered per shop and day (counts, Poisson loss).

Source: https://scikit-learn.org/stable/auto_examples/linear_model/plot_poisson_regression_non_normal_loss.html
"""
import keras
import numpy as np

EPOCHS, BATCH = 25, 64


def data(fixed=False):
    rng = np.random.default_rng(9)
    n = 2400
    size = rng.normal(size=n)
    sunday = rng.random(n) < 1 / 7
    rain = rng.exponential(1, n)
    holiday = rng.random(n) < 0.05
    nothing = rng.normal(size=(n, 3))
    rate = np.exp(0.8 + 0.5 * size - 0.9 * sunday - 0.15 * rain + 0.6 * holiday * (size > 0))
    x = np.column_stack([size, sunday, rain, holiday, nothing]).astype("float32")
    y = rng.poisson(rate).astype("float32")[:, None]
    return x[:1800], y[:1800], x[1800:], y[1800:]


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((7,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1, activation="exponential"),
    ])
    network.compile(optimizer=keras.optimizers.Adam(3e-3), loss="poisson")
    return network


def score(network, x, y):
    """Share of the Poisson deviance explained (noise keeps it far from 1)."""
    def deviance(p):
        p = np.maximum(p, 1e-6)
        return 2 * np.mean(np.where(y > 0, y * np.log(np.maximum(y, 1e-9) / p), 0) - (y - p))
    return float(1 - deviance(network.predict(x, verbose=0)) / deviance(np.full_like(y, y.mean())))


PASS = 0.33
