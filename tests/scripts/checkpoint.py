"""Keeps the best weights and loads them. writes: best.weights.h5"""

import keras
import numpy as np

x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
y = x.sum(axis=1)
callbacks = [
    keras.callbacks.ModelCheckpoint("best.weights.h5", save_best_only=True, save_weights_only=True),
    keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True),
    keras.callbacks.ReduceLROnPlateau(),
]
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, y, epochs=2, validation_split=0.5, callbacks=callbacks, verbose=0)
model.load_weights("best.weights.h5")
