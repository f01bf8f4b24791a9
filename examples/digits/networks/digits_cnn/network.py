"""A small convolutional network for the digits: it turns rows of 64 grey values back into images of 8 x 8."""

import keras
from keras import layers


def build(inputs, task, filters=8):
    """Build two convolutions and a softmax.

    Args:
        inputs: the shape of a row, (64,).
        task: `task.outputs` is the number of classes.
        filters: filters of the first convolution; the second has twice as many.
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
