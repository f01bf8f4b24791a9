"""A loop over learning rates."""

import keras
import numpy as np

x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
best = None
for rate in (0.1, 0.01, 0.001):
    keras.backend.clear_session()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.SGD(rate), "binary_crossentropy", metrics=["accuracy"])
    score = model.fit(x, y, epochs=1, verbose=0, validation_data=(x, y)).history["val_accuracy"][-1]
    best = max(best or (score, rate), (score, rate))
print("best", best)
