"""Prints its progress."""

import sys

import keras
import numpy as np


class Printer(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print(f"\repoch {epoch}: {logs['loss']:.4f}", end="", flush=True)
        sys.stderr.write("a warning of mine\n")


x = np.random.default_rng(0).normal(size=(64, 2))
model = keras.Sequential([keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")])
model.compile("adam", "bce", metrics=["AUC"])
model.fit(x, x[:, 0] > 0, epochs=2, callbacks=Printer())
