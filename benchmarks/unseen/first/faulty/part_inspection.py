"""Tells round from angular parts in noisy pictures, on top of a base network trained earlier on six kinds of shapes.

Source: https://github.com/ageron/handson-ml2/issues/246
"""
import keras
import numpy as np

EPOCHS, BATCH = 40, 32
SIZE = 20


def draw(rng, kind):
    yy, xx = np.mgrid[0:SIZE, 0:SIZE].astype(float)
    cx, cy, r = rng.uniform(7, 13), rng.uniform(7, 13), rng.uniform(4, 6.5)
    dx, dy = xx - cx, yy - cy
    d = np.hypot(dx, dy)
    if kind == 0:
        m = d < r                                        # disc
    elif kind == 1:
        m = (d < r) & (d > r - 2.2)                      # ring
    elif kind == 2:
        m = (dx / r) ** 2 + (dy / (0.55 * r)) ** 2 < 1   # ellipse
    elif kind == 3:
        m = np.maximum(abs(dx), abs(dy)) < 0.85 * r      # square
    elif kind == 4:
        m = (dy < 0.7 * r) & (dy > -0.9 * r + 1.8 * abs(dx))   # triangle
    else:
        m = (np.minimum(abs(dx), abs(dy)) < 1.3) & (np.maximum(abs(dx), abs(dy)) < r)   # cross
    return m + rng.normal(0, 0.2, (SIZE, SIZE))


def pictures(n, seed):
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 6, n)
    x = np.stack([draw(rng, k) for k in kind]).astype("float32")[..., None]
    return x, kind


def data(fixed=False):
    x, kind = pictures(700, 5)
    y = (kind >= 3).astype("float32")
    return x[:250], y[:250], x[250:], y[250:]


def model(fixed=False):
    base = keras.Sequential([
        keras.Input((SIZE, SIZE, 1)),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.Conv2D(24, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
    ], name="shape_base")
    # the earlier job: name the shape
    x_old, kind_old = pictures(1500, 77)
    earlier = keras.Sequential([base, keras.layers.Dense(6, activation="softmax")])
    earlier.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    earlier.fit(x_old, kind_old, epochs=18, batch_size=32, verbose=0)

    features = keras.models.clone_model(base)
    if fixed:
        features.set_weights(base.get_weights())
    features.trainable = False
    net = keras.Sequential([keras.Input((SIZE, SIZE, 1)), features, keras.layers.Dense(1, activation="sigmoid")])
    net.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0).ravel() > 0.5) == (y > 0.5)))


PASS = 0.85
FAULT = "The trained base is copied with clone_model, which gives new random weights, and then frozen: the head sits on random features."
REPAIR = "The weights of the trained base are copied into the clone (set_weights) before it is frozen."
