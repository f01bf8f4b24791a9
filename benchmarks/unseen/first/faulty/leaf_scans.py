"""Tells four kinds of leaves apart in scans that are shrunk before training.

Source: https://github.com/BerkeleyAutomation/perception/issues/20
"""
import keras
import numpy as np

EPOCHS, BATCH = 12, 32


def scan(rng, kind):
    yy, xx = np.mgrid[-1:1:32j, -1:1:32j]
    a = rng.uniform(-0.5, 0.5)
    u, v = xx * np.cos(a) - yy * np.sin(a), xx * np.sin(a) + yy * np.cos(a)
    size = rng.uniform(0.65, 0.95)
    angle, r = np.arctan2(v, u), np.hypot(u, v) / size
    if kind == 0:
        m = r < 0.35 + 0.6 * np.abs(np.cos(angle))        # two lobes
    elif kind == 1:
        m = (u / size) ** 2 + (v / (0.35 * size)) ** 2 < 1   # slender
    elif kind == 2:
        m = r < 0.75                                      # round
    else:
        m = r < 0.55 + 0.4 * np.cos(5 * angle)            # five-pointed
    return np.clip(m * rng.uniform(0.5, 0.9) + 0.05 + rng.normal(0, 0.12, m.shape), 0, 0.999)


def shrink(picture, out=16):
    k = picture.shape[0] // out
    return picture.reshape(out, k, out, k).mean(axis=(1, 3))


def data(fixed=False):
    rng = np.random.default_rng(12)
    kind = rng.integers(0, 4, 1000)
    x = np.zeros((1000, 16, 16, 1), dtype=np.float32 if fixed else np.uint8)
    for i, k in enumerate(kind):
        x[i, :, :, 0] = shrink(scan(rng, k))
    return x[:750], kind[:750], x[750:], kind[750:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((16, 16, 1)),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(4, activation="softmax"),
    ])
    net.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.85
FAULT = "The shrunken scans (values between 0 and 1) are written into a uint8 array, which cuts every value to 0: all pictures are blank."
REPAIR = "The array that takes the shrunken scans is float32."
