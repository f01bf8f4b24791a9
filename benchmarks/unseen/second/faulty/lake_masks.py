"""Marks the water pixels in small satellite tiles (segmentation).

Source: https://github.com/hlamba28/UNET-TGS/issues/8
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 8, 16
SIDE = 24


def data(fixed=False):
    rng = np.random.default_rng(21)
    n = 420
    rows, cols = np.mgrid[0:SIDE, 0:SIDE]
    tiles = np.zeros((n, SIDE, SIDE, 1), "float32")
    masks = np.zeros((n, SIDE, SIDE, 1), "float32")
    for i in range(n):
        water = np.zeros((SIDE, SIDE), bool)
        for _ in range(rng.integers(1, 3)):
            r, c = rng.uniform(4, SIDE - 4, 2)
            a, b = rng.uniform(3, 7, 2)
            water |= ((rows - r) / a) ** 2 + ((cols - c) / b) ** 2 < 1
        picture = 150 - 60 * water + rng.normal(scale=35, size=(SIDE, SIDE))
        tiles[i, :, :, 0] = np.clip(picture, 0, 255)
        masks[i, :, :, 0] = water * 255.0          # as stored in the PNG files
    tiles /= 255.0
    if fixed:
        masks /= 255.0
    return tiles[:340], masks[:340], tiles[340:], masks[340:]


def model(fixed=False):
    inputs = keras.Input((SIDE, SIDE, 1))
    a = layers.Conv2D(12, 3, padding="same", activation="relu")(inputs)
    b = layers.MaxPooling2D()(a)
    b = layers.Conv2D(24, 3, padding="same", activation="relu")(b)
    b = layers.Conv2D(24, 3, padding="same", activation="relu")(b)
    up = layers.UpSampling2D()(b)
    c = layers.Concatenate()([a, up])
    c = layers.Conv2D(12, 3, padding="same", activation="relu")(c)
    outputs = layers.Conv2D(1, 1, activation="sigmoid")(c)
    network = keras.Model(inputs, outputs)
    network.compile(optimizer=keras.optimizers.Adam(0.003), loss="binary_crossentropy", metrics=["accuracy"])
    return network


def score(network, x, y):
    """Intersection over union of the water pixels."""
    found = network.predict(x, verbose=0) > 0.5
    truth = y > 0.5
    return float((found & truth).sum() / max(1, (found | truth).sum()))


PASS = 0.7
FAULT = "the masks hold 0 and 255 instead of 0 and 1, which binary cross-entropy does not accept as targets (the loss runs to large negative values)"
REPAIR = "masks divided by 255"
