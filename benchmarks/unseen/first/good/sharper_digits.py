"""Makes 8 by 8 pictures out of 4 by 4 ones (super-resolution with sub-pixel convolution on top of plain enlarging).

Source: https://keras.io/examples/vision/super_resolution_sub_pixel/
"""
import keras
import numpy as np
from keras import layers, ops
from sklearn.datasets import load_digits

EPOCHS, BATCH = 25, 32


def data(fixed=False):
    d = load_digits()
    rng = np.random.default_rng(109)
    big = (d.images / 16.0).astype("float32")[rng.permutation(len(d.target))][..., None]
    small = big.reshape(-1, 4, 2, 4, 2, 1).mean(axis=(2, 4)) + rng.normal(0, 0.02, (len(big), 4, 4, 1))
    small = small.astype("float32")
    return small[:1300], big[:1300], small[1300:], big[1300:]


class DepthToSpace(layers.Layer):
    def call(self, x):
        n, h, w, c = ops.shape(x)
        x = ops.reshape(x, (-1, h, w, 2, 2, c // 4))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, 2 * h, 2 * w, c // 4))

    def compute_output_shape(self, s):
        return (s[0], 2 * s[1], 2 * s[2], s[3] // 4)


def model(fixed=False):
    inputs = keras.Input((4, 4, 1))
    plain = layers.UpSampling2D(2, interpolation="bilinear")(inputs)
    h = layers.Conv2D(48, 3, padding="same", activation="relu", kernel_initializer="orthogonal")(inputs)
    h = layers.Conv2D(48, 3, padding="same", activation="relu", kernel_initializer="orthogonal")(h)
    h = layers.Conv2D(32, 3, padding="same", activation="relu", kernel_initializer="orthogonal")(h)
    h = DepthToSpace()(layers.Conv2D(4, 3, padding="same")(h))
    net = keras.Model(inputs, layers.Add()([plain, h]))
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * 1300 // BATCH)
    net.compile(optimizer=keras.optimizers.Adam(schedule), loss="mean_squared_error")
    return net


def score(network, x, y):
    """Share of the squared error of plain enlarging (every pixel doubled) that is removed."""
    plain = np.repeat(np.repeat(x, 2, axis=1), 2, axis=2)
    return float(1 - np.mean((network.predict(x, verbose=0) - y) ** 2) / np.mean((plain - y) ** 2))


PASS = 0.62
