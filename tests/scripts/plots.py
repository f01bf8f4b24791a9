"""Plots at the end. writes: curves.png"""

import keras
import matplotlib.pyplot as plt
import numpy as np

x = np.linspace(-1, 1, 64).reshape(-1, 1)
model = keras.Sequential([keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)])
model.compile("sgd", "mse", metrics=["mae"])
history = model.fit(x, np.sin(3 * x), epochs=2, verbose=0)
plt.plot(history.history["loss"])
plt.savefig("curves.png")
plt.show()
