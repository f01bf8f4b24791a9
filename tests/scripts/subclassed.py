"""A model of its own class."""

import keras
import numpy as np


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.blocks = [keras.layers.Dense(8, "relu") for _ in range(2)]
        self.drop = keras.layers.Dropout(0.1)
        self.head = keras.layers.Dense(3)

    def call(self, inputs, training=False):
        for block in self.blocks:
            inputs = block(inputs)
        return self.head(self.drop(inputs, training=training))


x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
net = Net()
net.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
net.fit(x, np.arange(64) % 3, epochs=2, verbose=0)
