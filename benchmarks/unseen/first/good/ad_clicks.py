"""Estimates how likely an advertisement is clicked (wide and deep, weak signal, few clicks).

Source: https://keras.io/examples/structured_data/wide_deep_cross_networks/
"""
import keras
import numpy as np
from sklearn.metrics import roc_auc_score

EPOCHS, BATCH = 6, 64
SITES, ADS = 30, 50


def data(fixed=False):
    rng = np.random.default_rng(21)
    n = 6000
    site = rng.integers(0, SITES, n)
    ad = rng.integers(0, ADS, n)
    hour = rng.integers(0, 24, n)
    mobile = rng.integers(0, 2, n)
    site_effect, ad_effect = rng.normal(0, 0.6, SITES), rng.normal(0, 0.6, ADS)
    logit = -2.4 + site_effect[site] + ad_effect[ad] + 0.35 * np.cos((hour - 20) * np.pi / 12) + 0.5 * mobile * (hour > 17)
    y = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype("float32")
    rest = np.stack([np.sin(hour * np.pi / 12), np.cos(hour * np.pi / 12), mobile], axis=1).astype("float32")
    x = {"site": site.astype("int32"), "ad": ad.astype("int32"), "rest": rest}
    cut = 4500
    return {k: v[:cut] for k, v in x.items()}, y[:cut], {k: v[cut:] for k, v in x.items()}, y[cut:]


def model(fixed=False):
    site = keras.Input((), dtype="int32", name="site")
    ad = keras.Input((), dtype="int32", name="ad")
    rest = keras.Input((3,), name="rest")
    wide = keras.layers.Add()([keras.layers.Embedding(SITES, 1)(site), keras.layers.Embedding(ADS, 1)(ad),
                               keras.layers.Dense(1)(rest)])
    deep = keras.layers.Concatenate()([keras.layers.Embedding(SITES, 4)(site), keras.layers.Embedding(ADS, 4)(ad), rest])
    deep = keras.layers.Dense(16, activation="relu")(deep)
    deep = keras.layers.Dropout(0.2)(deep)
    deep = keras.layers.Dense(1)(deep)
    out = keras.layers.Activation("sigmoid")(keras.layers.Add()([wide, deep]))
    net = keras.Model({"site": site, "ad": ad, "rest": rest}, out)
    net.compile(optimizer=keras.optimizers.Adam(4e-3), loss="binary_crossentropy",
                metrics=[keras.metrics.AUC(name="auc")])
    return net


def score(network, x, y):
    return float(roc_auc_score(y, network.predict(x, verbose=0)[:, 0]))


PASS = 0.68
