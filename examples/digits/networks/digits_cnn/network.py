"""A small convolutional network for the digits: the rows of 64 grey values become images of 8 x 8 again."""

import keras
from keras import layers


def build(inputs, task, filters=8):
    """Two convolutions and a softmax.

    inputs: the shape of a row, [64]. task: its kind, and its number of outputs. filters: of the first convolution.
    """
    return keras.Sequential(
        [
            keras.Input(inputs),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(filters, 3, activation="relu"),
            layers.Conv2D(2 * filters, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(task.outputs, activation="softmax"),
        ]
    )
