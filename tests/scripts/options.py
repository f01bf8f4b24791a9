"""Options of a command line. arguments: --epochs 2 --name run"""

import argparse

import keras
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, required=True)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--name", default="")
args = parser.parse_args()

x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
y = x @ np.array([[1.0], [2.0], [3.0]], "float32")
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)], name=args.name)
model.compile(keras.optimizers.Adam(args.lr), "mse")
model.fit(x, y, epochs=args.epochs, verbose=0)
