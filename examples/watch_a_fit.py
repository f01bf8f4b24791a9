"""Find out why a model does not train: give your own `fit` the callback.

python3 examples/watch_a_fit.py    # prints the verdict, writes why.html
"""

import keras
import numpy as np

from pipeline import Diagnosis

keras.utils.set_random_seed(1)
random = np.random.default_rng(1)
x = random.normal(size=(2_000, 2)).astype("float32")
y = ((x**2).sum(axis=1) < 1.4).astype("int32")

model = keras.Sequential(
    [keras.Input((2,)), *(keras.layers.Dense(5, "relu") for _ in range(20)), keras.layers.Dense(1, "sigmoid")]
)
model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "binary_crossentropy", metrics=["accuracy"])

diagnosis = Diagnosis(x[:1_500], y[:1_500])
model.fit(x[:1_500], y[:1_500], validation_data=(x[1_500:], y[1_500:]), epochs=20, verbose=0, callbacks=[diagnosis])
print(diagnosis.verdict)
diagnosis.report("why.html")
