"""Goes to the folder of its data. needs: data.csv"""

import os

import keras
import numpy as np

os.chdir(os.path.dirname(os.path.abspath(__file__)))
data = np.loadtxt("data.csv", delimiter=",", skiprows=1)
os.chdir("/")
model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
model.compile("adam", "mae")
model.fit(data[:, :2], data[:, 2], epochs=2, verbose=0)
