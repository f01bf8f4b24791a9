"""Tells whether a short phrase on a product is positive, with negations that turn the next word round (transformer, mixed precision).

Source: https://keras.io/examples/nlp/text_classification_with_transformer/
"""
import keras
import numpy as np
from keras import layers, ops

EPOCHS, BATCH = 22, 32
WORDS, LENGTH = 122, 14
NOT = 1


def data(fixed=False):
    rng = np.random.default_rng(107)
    n = 2200
    x, tone = np.zeros((n, LENGTH), "int32"), np.zeros(n)
    for i in range(n):
        j, length = 0, rng.integers(8, LENGTH + 1)
        while j < length:
            u = rng.random()
            if u < 0.6 or j == length - 1:
                x[i, j] = rng.integers(42, WORDS)                # plain words
                j += 1
                continue
            sign = rng.choice([-1, 1])
            word = rng.integers(2, 22) + (20 if sign > 0 else 0)
            if rng.random() < 0.4:
                x[i, j], sign = NOT, -sign
                j += 1
            x[i, j] = word
            tone[i] += sign
            j += 1
    tone += rng.normal(0, 0.4, n)
    y = (tone > 0).astype("float32")
    return x[:1700], y[:1700], x[1700:], y[1700:]


class TokenAndPosition(layers.Layer):
    def __init__(self, words, length, size, **kw):
        super().__init__(**kw)
        self.words, self.places = layers.Embedding(words, size), layers.Embedding(length, size)
        self.length = length

    def build(self, shape):
        self.words.build(shape)
        self.places.build((self.length,))

    def call(self, x):
        return self.words(x) + self.places(ops.arange(self.length))


def model(fixed=False):
    half = keras.DTypePolicy("mixed_float16")
    inputs = keras.Input((LENGTH,), dtype="int32")
    h = TokenAndPosition(WORDS, LENGTH, 32)(inputs)
    h = layers.Dropout(0.1)(h)
    neighbours = layers.Conv1D(32, 2, padding="causal", activation="relu", dtype=half)(h)
    a = layers.MultiHeadAttention(2, 16, dtype=half)(neighbours, neighbours)
    h = layers.LayerNormalization()(layers.Add(dtype="float32")([neighbours, a]))
    f = layers.Dense(32, dtype=half)(layers.Dense(64, activation="relu", dtype=half)(h))
    h = layers.LayerNormalization()(layers.Add(dtype="float32")([h, f]))
    h = layers.GlobalAveragePooling1D()(h)
    h = layers.Dropout(0.2)(h)
    outputs = layers.Dense(1, activation="sigmoid", dtype="float32")(h)
    net = keras.Model(inputs, outputs)
    net.compile(optimizer=keras.optimizers.Adam(1.5e-3), loss="binary_crossentropy", metrics=["accuracy"])
    return net


def fit_args(fixed=False):
    return {"callbacks": [keras.callbacks.EarlyStopping(monitor="val_loss", patience=5, restore_best_weights=True)]}


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0).ravel() > 0.5) == (y > 0.5)))


PASS = 0.8
