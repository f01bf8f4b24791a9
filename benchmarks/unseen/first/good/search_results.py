"""Orders ten search results of a query by relevance (listwise softmax loss, NDCG).

Source: https://www.tensorflow.org/recommenders/examples/listwise_ranking
"""
import keras
import numpy as np
from keras import ops
from sklearn.metrics import ndcg_score

EPOCHS, BATCH = 25, 32
DOCS, COLUMNS = 10, 8


def data(fixed=False):
    rng = np.random.default_rng(51)
    n = 900
    x = rng.normal(size=(n, DOCS, COLUMNS))
    x[:, :, 7] += 2 * rng.normal(size=(n, 1))          # belongs to the query, not to the document
    value = 0.9 * x[..., 0] + 0.8 * x[..., 1] * (x[..., 2] > 0) + 0.4 * np.abs(x[..., 3]) + rng.normal(0, 0.8, (n, DOCS))
    y = np.digitize(value, [0.3, 1.1, 1.9]).astype("float32")      # relevance 0 to 3
    x = x.astype("float32")
    return x[:700], y[:700], x[700:], y[700:]


def listwise(y_true, y_pred):
    target = ops.softmax(y_true)
    return -ops.sum(target * ops.log_softmax(y_pred), axis=-1)


def model(fixed=False):
    inputs = keras.Input((DOCS, COLUMNS))
    h = keras.layers.Dense(32, activation="relu")(inputs)
    h = keras.layers.Dense(16, activation="relu")(h)
    out = keras.layers.Reshape((DOCS,))(keras.layers.Dense(1)(h))
    net = keras.Model(inputs, out)
    net.compile(optimizer=keras.optimizers.Adam(2e-3), loss=listwise)
    return net


def score(network, x, y):
    return float(ndcg_score(y, network.predict(x, verbose=0), k=5))


PASS = 0.84
