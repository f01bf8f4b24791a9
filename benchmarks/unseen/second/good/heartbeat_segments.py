"""Which samples of a noisy trace belong to a beat (labels per time step).

Source: own, after https://keras.io/examples/vision/oxford_pets_image_segmentation/
"""
import keras
import numpy as np

EPOCHS, BATCH = 10, 32
LENGTH = 96


def data(fixed=False):
    rng = np.random.default_rng(43)
    n = 900
    t = np.arange(LENGTH)
    x, y = np.zeros((n, LENGTH)), np.zeros((n, LENGTH))
    for i in range(n):
        for start in rng.choice(np.arange(2, LENGTH - 14), rng.integers(1, 4), replace=False):
            width = rng.integers(8, 13)
            inside = (t >= start) & (t < start + width)
            x[i] += inside * np.sin((t - start) / width * 2 * np.pi) * rng.uniform(0.8, 1.4)
            y[i, inside] = 1
        x[i] += 0.3 * np.sin(t / LENGTH * 2 * np.pi + rng.uniform(0, 6)) + rng.normal(0, 0.25, LENGTH)
    x, y = x[..., None].astype("float32"), y[..., None].astype("float32")
    return x[:650], y[:650], x[650:], y[650:]


def model(fixed=False):
    inputs = keras.Input((LENGTH, 1))
    a = keras.layers.Conv1D(16, 7, padding="same", activation="relu")(inputs)
    b = keras.layers.MaxPooling1D(2)(a)
    b = keras.layers.Conv1D(24, 7, padding="same", activation="relu")(b)
    b = keras.layers.Conv1D(24, 7, padding="same", activation="relu")(b)
    b = keras.layers.UpSampling1D(2)(b)
    c = keras.layers.Concatenate()([a, b])
    c = keras.layers.Conv1D(16, 5, padding="same", activation="relu")(c)
    network = keras.Model(inputs, keras.layers.Conv1D(1, 1, activation="sigmoid")(c))
    network.compile(optimizer=keras.optimizers.Adam(3e-3), loss="binary_crossentropy",
                    metrics=[keras.metrics.BinaryIoU(target_class_ids=[1], name="iou")])
    return network


def score(network, x, y):
    """Overlap (intersection over union) of found and true beats."""
    found, true = network.predict(x, verbose=0) > 0.5, y > 0.5
    return float(np.sum(found & true) / np.sum(found | true))


PASS = 0.85
