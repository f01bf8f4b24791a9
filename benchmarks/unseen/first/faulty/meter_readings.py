"""Reads the digits of utility meters; the pictures come through a tf.data pipeline.

Source: own, on https://www.tensorflow.org/guide/data
"""
import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

EPOCHS, BATCH = 12, 32


def data(fixed=False):
    d = load_digits()
    order = np.random.default_rng(4).permutation(len(d.target))
    pictures, numbers = d.images[order].astype("float32"), d.target[order]
    images = tf.data.Dataset.from_tensor_slices(pictures[:1200]).map(lambda p: p[..., None] / 16.0)
    labels = tf.data.Dataset.from_tensor_slices(numbers[:1200])
    if fixed:
        train = tf.data.Dataset.zip((images, labels)).shuffle(1200)
    else:
        images = images.shuffle(1200)
        labels = labels.shuffle(1200)
        train = tf.data.Dataset.zip((images, labels))
    pairs = list(train.as_numpy_iterator())
    x = np.stack([p for p, _ in pairs])
    y = np.array([n for _, n in pairs])
    return x, y, pictures[1200:, :, :, None] / 16.0, numbers[1200:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ])
    net.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.9
FAULT = "Pictures and labels are shuffled as two separate tf.data datasets before they are zipped, so the labels belong to other pictures."
REPAIR = "The datasets are zipped first and the pairs are shuffled."
