"""From a customer profile: how much the customer will spend and whether he comes back (two outputs).

Source: https://theneuralbase.com/keras/learn/intermediate/loss-weighting-for-multi-output/
"""
import keras
import numpy as np

EPOCHS, BATCH = 25, 32


def data(fixed=False):
    rng = np.random.default_rng(202)
    n = 1600
    x = rng.normal(size=(n, 8)).astype("float32")
    spend = 2400 + 900 * x[:, 0] + 500 * np.abs(x[:, 1]) - 400 * x[:, 2] + rng.normal(0, 250, n)
    back = (np.tanh(x[:, 3]) * 2.5 * np.sign(x[:, 4]) + x[:, 5] + rng.normal(0, 0.4, n) > 0).astype("float32")
    if fixed:
        spend = (spend - 2400) / 1000
    spend = spend.astype("float32")
    y = {"spend": spend, "back": back}
    cut = 1250
    return (x[:cut], {k: v[:cut] for k, v in y.items()},
            x[cut:], {k: v[cut:] for k, v in y.items()})


def model(fixed=False):
    inputs = keras.Input((8,))
    h = keras.layers.Dense(48, activation="relu")(inputs)
    h = keras.layers.Dense(24, activation="relu")(h)
    outputs = {
        "spend": keras.layers.Dense(1, name="spend")(h),
        "back": keras.layers.Dense(1, activation="sigmoid", name="back")(h),
    }
    net = keras.Model(inputs, outputs)
    net.compile(
        optimizer=keras.optimizers.Adam(0.003),
        loss={"spend": "mse", "back": "binary_crossentropy"},
        metrics={"spend": ["mae"], "back": ["accuracy"]},
    )
    return net


def score(network, x, y):
    p = network.predict(x, verbose=0)
    return float(np.mean((p["back"][:, 0] > 0.5) == (y["back"] > 0.5)))


PASS = 0.80
FAULT = ("The amount spent is given in raw currency (thousands), so its squared error is about a million times larger "
         "than the cross-entropy of the other output and the shared layers learn nothing for that other output")
REPAIR = "The amount is scaled to thousands around its mean, so both losses are of the same size"
