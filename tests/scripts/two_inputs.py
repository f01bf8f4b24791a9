"""Functional, with two inputs and two outputs."""

import keras
import numpy as np

rng = np.random.default_rng(0)
data = {"age": rng.random((64, 1)).astype("float32"), "words": rng.integers(0, 20, (64, 5))}
age, words = keras.Input((1,), name="age"), keras.Input((5,), name="words", dtype="int32")
mean = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(20, 4)(words))
joined = keras.layers.Concatenate()([age, mean])
price = keras.layers.Dense(1, name="price")(joined)
sold = keras.layers.Dense(1, "sigmoid", name="sold")(joined)
model = keras.Model([age, words], {"price": price, "sold": sold})
model.compile("adam", {"price": "mse", "sold": "binary_crossentropy"}, metrics={"sold": ["accuracy"]})
targets = {"price": data["age"] * 3, "sold": (data["age"] > 0.5).astype("float32")}
model.fit(data, targets, epochs=2, verbose=0)
