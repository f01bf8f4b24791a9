"""Puts several labels on a support ticket by its word ids (padded, tf.data pipeline, multi-label).

Source: https://keras.io/examples/nlp/multi_label_classification/
"""
import keras
import numpy as np
import tensorflow as tf
from sklearn.metrics import average_precision_score

EPOCHS, BATCH = 15, 32
WORDS, LABELS, LONGEST = 400, 8, 40


def data(fixed=False):
    rng = np.random.default_rng(81)
    n = 2000
    common = rng.dirichlet(np.full(WORDS - 1, 0.5))
    special = rng.dirichlet(np.full(WORDS - 1, 0.06), LABELS)
    tags = rng.random((n, LABELS)) < np.linspace(0.08, 0.35, LABELS)
    ids = np.zeros((n, LONGEST), "int32")
    for i in range(n):
        length = rng.integers(12, LONGEST + 1)
        p = 0.7 * common + (0.3 * special[tags[i]].mean(0) if tags[i].any() else 0.3 * common)
        ids[i, :length] = 1 + rng.choice(WORDS - 1, length, p=p / p.sum())
    flip = rng.random(tags.shape) < 0.02
    y = (tags ^ flip).astype("float32")
    train = (tf.data.Dataset.from_tensor_slices((ids[:1500], y[:1500]))
             .shuffle(1500, seed=3).batch(BATCH).prefetch(tf.data.AUTOTUNE))
    return train, None, ids[1500:], y[1500:]


def model(fixed=False):
    inputs = keras.Input((LONGEST,), dtype="int32")
    h = keras.layers.Embedding(WORDS, 32, mask_zero=True)(inputs)
    h = keras.layers.GlobalAveragePooling1D()(h)
    h = keras.layers.Dense(32, activation="relu")(h)
    h = keras.layers.Dropout(0.2)(h)
    out = keras.layers.Dense(LABELS, activation="sigmoid")(h)
    net = keras.Model(inputs, out)
    net.compile(optimizer=keras.optimizers.Adam(4e-3), loss="binary_crossentropy",
                metrics=[keras.metrics.BinaryAccuracy(name="accuracy")])
    return net


def score(network, x, y):
    return float(average_precision_score(y, network.predict(x, verbose=0), average="macro"))


PASS = 0.64
