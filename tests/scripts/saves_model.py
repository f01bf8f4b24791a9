"""Saves the model and loads it again. writes: model.keras"""

import keras
import numpy as np

x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
y = np.eye(3)[np.arange(64) % 3]
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax")])
model.compile("adam", "categorical_crossentropy")
model.fit(x, y, epochs=1, verbose=0)
model.save("model.keras")
loaded = keras.models.load_model("model.keras")
np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5)
