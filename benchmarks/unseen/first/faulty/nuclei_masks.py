"""Marks cell nuclei in microscope-like pictures (one mask per picture).

Source: https://github.com/hlamba28/UNET-TGS/issues/8
"""
import keras
import numpy as np

EPOCHS, BATCH = 12, 16
SIZE = 32


def data(fixed=False):
    rng = np.random.default_rng(19)
    yy, xx = np.mgrid[0:SIZE, 0:SIZE]
    x, y = np.zeros((420, SIZE, SIZE, 1), "float32"), np.zeros((420, SIZE, SIZE, 1), "uint8")
    for i in range(len(x)):
        for _ in range(rng.integers(2, 5)):
            cx, cy = rng.uniform(4, SIZE - 4, 2)
            a, b = rng.uniform(2.5, 5, 2)
            y[i, ((xx - cx) / a) ** 2 + ((yy - cy) / b) ** 2 < 1, 0] = 255
        light = 60 + 40 * np.sin(xx / rng.uniform(6, 12) + rng.uniform(0, 6))
        x[i, :, :, 0] = light + 0.35 * y[i, :, :, 0] + rng.normal(0, 25, (SIZE, SIZE))
    x = np.clip(x, 0, 255) / 255.0
    y = y.astype("float32")
    if fixed:
        y = y / 255.0
    return x[:320], y[:320], x[320:], y[320:]


def model(fixed=False):
    conv = lambda f, h: keras.layers.Conv2D(f, 3, padding="same", activation="relu")(h)
    inputs = keras.Input((SIZE, SIZE, 1))
    a = conv(12, conv(12, inputs))
    b = conv(24, keras.layers.MaxPooling2D()(a))
    c = conv(24, keras.layers.MaxPooling2D()(b))
    d = conv(24, keras.layers.Concatenate()([keras.layers.UpSampling2D()(c), b]))
    e = conv(12, keras.layers.Concatenate()([keras.layers.UpSampling2D()(d), a]))
    net = keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(e))
    net.compile(optimizer=keras.optimizers.Adam(2e-3), loss="binary_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    p, m = network.predict(x, verbose=0) > 0.5, y > 0
    return float((p & m).sum() / max((p | m).sum(), 1))


PASS = 0.65
FAULT = "The masks hold 0 and 255 instead of 0 and 1; binary cross-entropy with a sigmoid goes far below zero and the net marks everything."
REPAIR = "The masks are divided by 255."
