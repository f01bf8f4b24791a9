"""Marks roads in small aerial tiles; judged by the intersection over union that Keras reports.

Source: https://qa.1r1g.com/sf/ask/4199341121
"""
import keras
import numpy as np

EPOCHS, BATCH = 10, 16
SIZE = 32


def data(fixed=False):
    rng = np.random.default_rng(23)
    yy, xx = np.mgrid[0:SIZE, 0:SIZE].astype(float)
    x, y = np.zeros((380, SIZE, SIZE, 3), "float32"), np.zeros((380, SIZE, SIZE, 1), "float32")
    for i in range(len(x)):
        for _ in range(rng.integers(1, 3)):
            angle, off = rng.uniform(0, np.pi), rng.uniform(-8, 8)
            d = np.abs((xx - 16) * np.cos(angle) + (yy - 16) * np.sin(angle) - off)
            y[i, d < rng.uniform(1.8, 3.2), 0] = 1
        field = np.array([0.35, 0.5, 0.3]) + rng.normal(0, 0.06, 3)
        x[i] = field + y[i] * (np.array([0.55, 0.53, 0.5]) - field) + rng.normal(0, 0.08, (SIZE, SIZE, 3))
    return x[:280], y[:280], x[280:], y[280:]


def model(fixed=False):
    inputs = keras.Input((SIZE, SIZE, 3))
    h = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    skip = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(h)
    h = keras.layers.Conv2D(24, 3, strides=2, padding="same", activation="relu")(skip)
    h = keras.layers.Conv2D(24, 3, padding="same", activation="relu")(h)
    h = keras.layers.Conv2DTranspose(16, 2, strides=2, activation="relu")(h)
    h = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(keras.layers.Concatenate()([h, skip]))
    net = keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(h))
    if fixed:
        iou = keras.metrics.BinaryIoU(target_class_ids=[0, 1], threshold=0.5, name="iou")
    else:
        iou = keras.metrics.MeanIoU(num_classes=2, name="iou")
    net.compile(optimizer=keras.optimizers.Adam(2e-3), loss="binary_crossentropy", metrics=[iou])
    return net


def score(network, x, y):
    return float(network.evaluate(x, y, verbose=0, return_dict=True)["iou"])


PASS = 0.7
FAULT = ("The metric MeanIoU is given probabilities and casts them to whole numbers, so all pixels count as background. Only what is reported "
         "is wrong: the masks themselves are good and the loss falls.")
REPAIR = "BinaryIoU with threshold 0.5 instead of MeanIoU."
