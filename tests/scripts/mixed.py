"""Half precision, a schedule, and a log. writes: log.csv"""

import keras
import numpy as np

keras.mixed_precision.set_global_policy("mixed_float16")
x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
model = keras.Sequential(
    [keras.Input((2,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid", dtype="float32")]
)
rate = keras.optimizers.schedules.CosineDecay(0.01, 8)
model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
model.fit(x, (x[:, 0] > 0).astype("int32"), epochs=2, verbose=0, callbacks=[keras.callbacks.CSVLogger("log.csv")])
