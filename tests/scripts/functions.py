"""Functions, and a guard."""

import keras
import numpy as np


def load_data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 2)).astype("float32")
    return x, (x.sum(axis=1) > 0).astype("int32")


def build_model(units):
    model = keras.Sequential([keras.layers.Dense(units, activation="relu"), keras.layers.Dense(1, "sigmoid")])
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def main():
    x, y = load_data()
    model = build_model(8)
    history = model.fit(x, y, epochs=2, validation_split=0.25, verbose=0)
    print("final", history.history["loss"][-1])


if __name__ == "__main__":
    main()
