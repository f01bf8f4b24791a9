"""Sorts pictures of galaxies (round, barred, ringed) in half precision with an own training step.

Source: https://keras.io/2.17/api/mixed_precision/loss_scale_optimizer/
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

EPOCHS, BATCH = 15, 32
SIDE = 14


class Trainer(keras.Model):
    scaled = False

    def train_step(self, batch):
        x, y = batch
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
            watched = self.optimizer.scale_loss(loss) if self.scaled else loss
        gradients = tape.gradient(watched, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        return {"loss": loss}


def data(fixed=False):
    rng = np.random.default_rng(50)
    n = 1100
    rows, cols = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    y = rng.integers(0, 3, n)
    x = np.empty((n, SIDE, SIDE, 1), "float32")
    for i, kind in enumerate(y):
        turn = rng.uniform(0, np.pi)
        a = rows * np.cos(turn) + cols * np.sin(turn)
        b = -rows * np.sin(turn) + cols * np.cos(turn)
        r = np.hypot(a, b)
        light = (np.exp(-r ** 2 / 10) if kind == 0
                 else np.exp(-a ** 2 / 25 - b ** 2 / 2) if kind == 1
                 else np.exp(-(r - 4.5) ** 2 / 2))
        x[i, :, :, 0] = light + rng.normal(scale=0.2, size=light.shape)
    return x[:800], y[:800], x[800:], y[800:]


def model(fixed=False):
    half = "mixed_float16"
    inputs = keras.Input((SIDE, SIDE, 1))
    h = layers.Conv2D(12, 3, strides=2, activation="relu", dtype=half)(inputs)
    h = layers.Flatten(dtype=half)(h)
    h = layers.Dense(32, activation="relu", dtype=half)(h)
    outputs = layers.Dense(3, activation="softmax", dtype="float32")(h)
    network = Trainer(inputs, outputs)
    network.scaled = fixed
    network.compile(optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.05, momentum=0.9)),
                    loss="sparse_categorical_crossentropy")
    return network


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(axis=1) == y))


PASS = 0.9
FAULT = ("the own train_step hands unscaled gradients to a LossScaleOptimizer, which divides them by the loss scale (32768): "
         "the loss is never multiplied by it, so the steps are far too small")
REPAIR = "the loss goes through optimizer.scale_loss before the gradients are taken"
