"""Reads both digits of a two-digit house number at once (one picture, two outputs, shared convolutions, augmentation).

Source: https://keras.io/examples/vision/captcha_ocr/ (much simplified)
"""
import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

EPOCHS, BATCH = 15, 32


def data(fixed=False):
    digits = load_digits()
    rng = np.random.default_rng(47)
    order = rng.permutation(len(digits.target))
    images, target = digits.images[order], digits.target[order]

    def numbers(low, high, n):
        left, right = rng.integers(low, high, n), rng.integers(low, high, n)
        x = np.concatenate([images[left], images[right]], axis=2)[..., None].astype("float32")
        return x, {"tens": target[left], "ones": target[right]}

    x, y = numbers(0, 1300, 1600)
    x_held, y_held = numbers(1300, len(target), 500)
    return x, y, x_held, y_held


def model(fixed=False):
    inputs = keras.Input((8, 16, 1))
    h = layers.Rescaling(1 / 16)(inputs)
    h = layers.RandomTranslation(0.06, 0.03, fill_mode="constant")(h)
    h = layers.Conv2D(16, 3, padding="same", activation="relu")(h)
    h = layers.Conv2D(24, 3, padding="same", activation="relu")(h)
    h = layers.MaxPooling2D()(h)
    h = layers.Flatten()(h)
    h = layers.Dense(64, activation="relu")(h)
    outputs = {name: layers.Dense(10, activation="softmax", name=name)(h) for name in ("tens", "ones")}
    network = keras.Model(inputs, outputs)
    network.compile(optimizer="rmsprop", loss={"tens": "sparse_categorical_crossentropy", "ones": "sparse_categorical_crossentropy"},
                    metrics={"tens": ["accuracy"], "ones": ["accuracy"]})
    return network


def score(network, x, y):
    """Share of numbers with both digits right."""
    given = network.predict(x, verbose=0)
    return float(np.mean((given["tens"].argmax(axis=1) == y["tens"]) & (given["ones"].argmax(axis=1) == y["ones"])))


PASS = 0.8
