"""Price of a used car and whether it sells within a month, from numbers and categories (two inputs, two outputs).

Source: https://keras.io/guides/functional_api/ (models with multiple inputs and outputs)
"""
import keras
import numpy as np
from sklearn.metrics import r2_score, roc_auc_score

EPOCHS, BATCH = 25, 32
MAKES = 15


def data(fixed=False):
    rng = np.random.default_rng(61)
    n = 2000
    make = rng.integers(0, MAKES, n)
    age = rng.gamma(2.5, 2.5, n)
    km = age * rng.gamma(6, 2.2, n)                                   # thousand km
    power = rng.normal(90, 25, n)
    level, demand = rng.normal(0, 0.3, MAKES), rng.normal(0, 0.7, MAKES)
    log_price = 9.6 + level[make] - 0.09 * age - 0.002 * km + 0.006 * (power - 90) + rng.normal(0, 0.2, n)
    over = rng.normal(0, 0.25, n)                                     # asked above what is usual
    sold = rng.random(n) < 1 / (1 + np.exp(-(0.4 + demand[make] - 2.5 * over - 0.08 * (age - 6))))
    numbers = np.stack([(age - 6.2) / 4, (km - 82) / 70, (power - 90) / 25, over / 0.25], axis=1).astype("float32")
    x = {"numbers": numbers, "make": make.astype("int32")}
    y = {"price": (log_price - 9.0).astype("float32"), "sold": sold.astype("float32")}
    cut = 1500
    return ({k: v[:cut] for k, v in x.items()}, {k: v[:cut] for k, v in y.items()},
            {k: v[cut:] for k, v in x.items()}, {k: v[cut:] for k, v in y.items()})


def model(fixed=False):
    numbers = keras.Input((4,), name="numbers")
    make = keras.Input((), dtype="int32", name="make")
    h = keras.layers.Concatenate()([numbers, keras.layers.Embedding(MAKES, 4)(make)])
    h = keras.layers.Dense(32, activation="relu")(h)
    price = keras.layers.Dense(1, name="price")(keras.layers.Dense(16, activation="relu")(h))
    sold = keras.layers.Dense(1, activation="sigmoid", name="sold")(keras.layers.Dense(16, activation="relu")(h))
    net = keras.Model({"numbers": numbers, "make": make}, {"price": price, "sold": sold})
    net.compile(optimizer=keras.optimizers.Adam(2e-3),
                loss={"price": "mse", "sold": "binary_crossentropy"}, loss_weights={"price": 1.0, "sold": 0.5},
                metrics={"price": ["mae"], "sold": [keras.metrics.AUC(name="auc")]})
    return net


def score(network, x, y):
    """Mean of R2 of the price and 2 AUC - 1 of the sale."""
    p = network.predict(x, verbose=0)
    return float(0.5 * r2_score(y["price"], p["price"][:, 0]) + 0.5 * (2 * roc_auc_score(y["sold"], p["sold"][:, 0]) - 1))


PASS = 0.58
