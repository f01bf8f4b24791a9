"""An endless generator."""

import keras
import numpy as np


def batches(size=16):
    rng = np.random.default_rng()
    while True:
        x = rng.normal(size=(size, 4)).astype("float32")
        yield x, (x[:, 0] > 0).astype("int32")


model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid")])
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit(batches(), steps_per_epoch=4, epochs=2, validation_data=batches(), validation_steps=2, verbose=0)
