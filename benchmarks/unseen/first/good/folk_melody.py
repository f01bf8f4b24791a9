"""Writes on a melody: predicts the next sign (five notes or a rest) at every place of a tune.

Source: https://www.tensorflow.org/text/tutorials/text_generation
"""
import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 16, 32
NOTES, LENGTH = 6, 40


def data(fixed=False):
    rng = np.random.default_rng(106)
    table = rng.dirichlet(np.full(NOTES, 0.3), (NOTES, NOTES))      # next note given the two before
    tunes = np.zeros((700, LENGTH + 1), "int32")
    for i in range(len(tunes)):
        a, b = rng.integers(0, NOTES, 2)
        for j in range(LENGTH + 1):
            a, b = b, rng.choice(NOTES, p=table[a, b])
            tunes[i, j] = b
    x, y = tunes[:, :-1], tunes[:, 1:]
    return x[:550], y[:550], x[550:], y[550:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((LENGTH,), dtype="int32"),
        layers.Embedding(NOTES, 16),
        layers.GRU(48, return_sequences=True),
        layers.Dropout(0.15),
        layers.Dense(NOTES),
    ])
    net.compile(optimizer=keras.optimizers.Adam(6e-3, clipnorm=1.0),
                loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return net


def score(network, x, y):
    """Minus the cross-entropy per note (nats)."""
    z = network.predict(x, verbose=0).astype("float64")
    z = z - np.log(np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True)) - z.max(-1, keepdims=True)
    return float(np.take_along_axis(z, y[..., None], axis=-1).mean())


PASS = -1.12
