"""Prepares rows in a process of its own, behind the guard."""

import multiprocessing


def square(value):
    return value * value


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        squares = pool.map(square, [value / 32 - 1 for value in range(64)])

    import keras
    import numpy as np

    x = np.linspace(-1, 1, 64).reshape(-1, 1)
    model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, np.array(squares), epochs=2, verbose=0)
