"""Price of a used car and whether it sells within a week (two outputs).

Source: https://github.com/keras-team/keras/issues/10306
"""
import keras
import numpy as np

EPOCHS, BATCH = 20, 32


def data(fixed=False):
    rng = np.random.default_rng(121)
    n = 2000
    x = rng.normal(size=(n, 9)).astype("float32")
    price = 14000 + 5000 * x[:, 0] - 3500 * x[:, 1] + 2000 * x[:, 2] * x[:, 0] + rng.normal(0, 1500, n)
    fast = (1.2 * x[:, 4] - x[:, 5] + 0.9 * x[:, 6] * x[:, 7] + rng.normal(0, 0.5, n) > 0).astype("float32")
    if fixed:
        price = (price - price[:1500].mean()) / price[:1500].std()
    price = price.astype("float32")[:, None]
    fast = fast[:, None]
    return (x[:1500], {"price": price[:1500], "fast": fast[:1500]},
            x[1500:], {"price": price[1500:], "fast": fast[1500:]})


def model(fixed=False):
    inputs = keras.Input((9,))
    h = keras.layers.Dense(48, activation="relu")(inputs)
    h = keras.layers.Dense(24, activation="relu")(h)
    network = keras.Model(inputs, {"price": keras.layers.Dense(1, name="price")(h),
                                   "fast": keras.layers.Dense(1, activation="sigmoid", name="fast")(h)})
    network.compile(optimizer=keras.optimizers.Adam(3e-3, global_clipnorm=1.0),
                    loss={"price": "mse", "fast": "binary_crossentropy"},
                    metrics={"fast": ["accuracy"], "price": ["mae"]})
    return network


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0)["fast"] > 0.5) == (y["fast"] > 0.5)))


PASS = 0.78
FAULT = ("the price is in euros, so its squared error (some 100 million) drowns the cross-entropy of the other "
         "output, which does not learn")
REPAIR = "the price target is standardised, so both losses are of the same size"
