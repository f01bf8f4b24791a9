"""Names the weave pattern in a small picture, with residual blocks written as a custom layer.

Source: https://github.com/lllyasviel/ControlNet/blob/main/docs/faq.md
"""
import keras
import numpy as np

EPOCHS, BATCH = 12, 32
KINDS = 5


def data(fixed=False):
    rng = np.random.default_rng(17)
    n, yy, xx = 1100, *np.mgrid[0:14, 0:14].astype(float)
    y = rng.integers(0, KINDS, n)
    x = np.empty((n, 14, 14, 1), "float32")
    for i, k in enumerate(y):
        p, q = rng.uniform(0, 6.28, 2)
        f = rng.uniform(1.3, 1.8)
        if k == 0:
            w = np.sin(f * xx + p)
        elif k == 1:
            w = np.sin(f * yy + p)
        elif k == 2:
            w = np.sin(f * (xx + yy) / 1.4 + p)
        elif k == 3:
            w = np.sin(f * (xx - yy) / 1.4 + p)
        else:
            w = np.sign(np.sin(f * xx + p) * np.sin(f * yy + q)) * 0.7
        x[i, :, :, 0] = 0.6 * w + rng.normal(0, 0.5, w.shape)
    return x[:800], y[:800], x[800:], y[800:]


class ResidualBlock(keras.layers.Layer):
    """x + alpha * branch(x), where alpha starts at zero so that the block is the identity at first."""

    def __init__(self, filters, branch_end, **kw):
        super().__init__(**kw)
        self.first = keras.layers.Conv2D(filters, 3, padding="same")
        self.second = keras.layers.Conv2D(filters, 3, padding="same", kernel_initializer=branch_end)

    def build(self, shape):
        self.first.build(shape)
        self.second.build(shape)
        self.alpha = self.add_weight(shape=(1,), initializer="zeros", name="alpha")

    def call(self, x):
        h = self.first(keras.ops.relu(x))
        h = self.second(keras.ops.relu(h))
        return x + self.alpha * h


def model(fixed=False):
    branch_end = "glorot_uniform" if fixed else "zeros"
    net = keras.Sequential([
        keras.Input((14, 14, 1)),
        keras.layers.Conv2D(20, 3, padding="same"),
        ResidualBlock(20, branch_end),
        ResidualBlock(20, branch_end),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(KINDS, activation="softmax"),
    ])
    net.compile(optimizer=keras.optimizers.Adam(4e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.85
FAULT = ("In the custom residual block both the scale alpha and the kernel of the last convolution start at zero; the gradient of each is "
         "multiplied by the other, so neither ever moves and the branches stay switched off.")
REPAIR = "Only alpha starts at zero; the last convolution of the branch has the usual random start."
