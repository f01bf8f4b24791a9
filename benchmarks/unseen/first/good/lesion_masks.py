"""Marks skin lesions in small pictures with a U-Net and a Dice plus cross-entropy loss.

Source: https://keras.io/examples/vision/oxford_pets_image_segmentation/
"""
import keras
import numpy as np
from keras import layers, ops

EPOCHS, BATCH = 12, 16
SIZE = 32


def data(fixed=False):
    rng = np.random.default_rng(101)
    yy, xx = np.mgrid[0:SIZE, 0:SIZE].astype(float)
    x, y = np.zeros((420, SIZE, SIZE, 3), "float32"), np.zeros((420, SIZE, SIZE, 1), "float32")
    for i in range(len(x)):
        cx, cy = rng.uniform(8, 24, 2)
        r = rng.uniform(3, 7.5)
        angle = np.arctan2(yy - cy, xx - cx)
        rim = r * (1 + 0.2 * np.sin(3 * angle + rng.uniform(0, 6)))
        m = np.hypot(xx - cx, yy - cy) < rim
        y[i, m, 0] = 1
        skin = np.array([0.8, 0.6, 0.5]) + rng.normal(0, 0.05, 3)
        shade = 0.12 * np.sin(xx / rng.uniform(5, 12) + yy / rng.uniform(5, 12) + rng.uniform(0, 6))
        x[i] = skin + shade[..., None] - y[i] * rng.uniform(0.1, 0.25) * np.array([0.7, 1.0, 1.0])
        for _ in range(rng.integers(0, 4)):                       # hairs
            a, off = rng.uniform(0, np.pi), rng.uniform(-10, 10)
            hair = np.abs((xx - 16) * np.cos(a) + (yy - 16) * np.sin(a) - off) < 0.6
            x[i, hair] -= 0.3
        x[i] += rng.normal(0, 0.06, x[i].shape)
    return x[:320], y[:320], x[320:], y[320:]


def dice_and_bce(y, p):
    y, p = ops.cast(y, "float32"), ops.cast(p, "float32")
    both = ops.sum(y * p, axis=(1, 2, 3))
    dice = (2 * both + 1) / (ops.sum(y, axis=(1, 2, 3)) + ops.sum(p, axis=(1, 2, 3)) + 1)
    return 1 - dice + ops.mean(keras.losses.binary_crossentropy(y, p), axis=(1, 2))


def block(h, filters):
    for _ in range(2):
        h = layers.Conv2D(filters, 3, padding="same", use_bias=False)(h)
        h = layers.BatchNormalization(momentum=0.9)(h)
        h = layers.ReLU()(h)
    return h


def model(fixed=False):
    inputs = keras.Input((SIZE, SIZE, 3))
    a = block(inputs, 8)
    b = block(layers.MaxPooling2D()(a), 16)
    c = block(layers.MaxPooling2D()(b), 24)
    d = block(layers.Concatenate()([layers.UpSampling2D()(c), b]), 16)
    e = block(layers.Concatenate()([layers.UpSampling2D()(d), a]), 8)
    net = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(e))
    net.compile(optimizer=keras.optimizers.Adam(3e-3), loss=dice_and_bce,
                metrics=[keras.metrics.BinaryIoU(target_class_ids=[1], threshold=0.5, name="iou")])
    return net


def score(network, x, y):
    p, m = network.predict(x, verbose=0) > 0.5, y > 0.5
    return float((p & m).sum() / (p | m).sum())


PASS = 0.75
