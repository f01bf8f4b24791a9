"""Marks the cells in small microscope pictures (segmentation).

Source: https://github.com/IAmSuyogJadhav/3d-mri-brain-tumor-segmentation-using-autoencoder-regularization/issues/7
"""
import keras
import numpy as np
from keras import ops

EPOCHS, BATCH = 12, 16
SIZE = 24


def _pictures(n, rng):
    yy, xx = np.mgrid[:SIZE, :SIZE]
    images, masks = [], []
    for _ in range(n):
        mask = np.zeros((SIZE, SIZE), bool)
        for _ in range(rng.integers(1, 4)):
            cy, cx = rng.uniform(4, SIZE - 4, 2)
            ry, rx = rng.uniform(2.5, 5, 2)
            mask |= ((yy - cy) / ry) ** 2 + ((xx - cx) / rx) ** 2 < 1
        image = 0.25 + 0.45 * mask + rng.normal(0, 0.15, mask.shape)
        images.append(image)
        masks.append(mask)
    return (np.array(images, "float32")[..., None], np.array(masks, "float32")[..., None])


def data(fixed=False):
    rng = np.random.default_rng(303)
    x, y = _pictures(360, rng)
    return x[:280], y[:280], x[280:], y[280:]


def dice(y_true, y_pred):
    inter = ops.sum(y_true * y_pred, axis=(1, 2, 3))
    total = ops.sum(y_true, axis=(1, 2, 3)) + ops.sum(y_pred, axis=(1, 2, 3))
    return ops.mean((2.0 * inter + 1.0) / (total + 1.0))


def dice_loss(y_true, y_pred):
    return dice(y_true, y_pred)


def dice_loss_repaired(y_true, y_pred):
    return 1.0 - dice(y_true, y_pred)


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((SIZE, SIZE, 1)),
        keras.layers.Conv2D(12, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(12, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(1, 1, activation="sigmoid"),
    ])
    net.compile(optimizer=keras.optimizers.Adam(3e-3),
                loss=dice_loss_repaired if fixed else dice_loss, metrics=[dice])
    return net


def score(network, x, y):
    p = network.predict(x, verbose=0) > 0.5
    t = y > 0.5
    inter = (p & t).sum(axis=(1, 2, 3))
    return float(np.mean(2 * inter / (p.sum(axis=(1, 2, 3)) + t.sum(axis=(1, 2, 3)) + 1e-9)))


PASS = 0.75
FAULT = "The custom loss returns the Dice coefficient itself (more is better), so training makes the overlap as small as possible"
REPAIR = "The loss returns 1 minus the Dice coefficient"
