"""Trains a very small digit reader to imitate a larger one (knowledge distillation, own training step).

Source: https://keras.io/examples/vision/knowledge_distillation/
"""
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn.datasets import load_digits

EPOCHS, BATCH = 30, 32


def data(fixed=False):
    d = load_digits()
    order = np.random.default_rng(108).permutation(len(d.target))
    x, y = (d.images[order] / 16.0).astype("float32")[..., None], d.target[order]
    return x[:1200], y[:1200], x[1200:], y[1200:]


class Distiller(keras.Model):
    def __init__(self, student, teacher, alpha=0.3, temperature=4.0):
        super().__init__()
        self.student, self.teacher = student, teacher
        self.teacher.trainable = False
        self.alpha, self.temperature = alpha, temperature

    def call(self, x, training=False):
        return self.student(x, training=training)

    def train_step(self, batch):
        x, y = batch
        soft = ops.softmax(self.teacher(x, training=False) / self.temperature)
        with tf.GradientTape() as tape:
            logits = self.student(x, training=True)
            hard_loss = self.compute_loss(x=x, y=y, y_pred=logits)
            soft_loss = ops.mean(keras.losses.kl_divergence(soft, ops.softmax(logits / self.temperature))) * self.temperature ** 2
            loss = self.alpha * hard_loss + (1 - self.alpha) * soft_loss
        grads = tape.gradient(loss, self.student.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.student.trainable_variables))
        out = self.compute_metrics(x, y, logits)
        out["loss"] = loss
        return out


def model(fixed=False):
    (x, y, _, _) = data()
    teacher = keras.Sequential([
        keras.Input((8, 8, 1)),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dense(10),
    ])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher.compile("adam", loss)
    teacher.fit(x, y, epochs=10, batch_size=32, verbose=0)
    student = keras.Sequential([
        keras.Input((8, 8, 1)),
        layers.Conv2D(6, 3, strides=2, padding="same"),
        layers.LeakyReLU(),
        layers.Flatten(),
        layers.Dense(10),
    ])
    net = Distiller(student, teacher)
    net.build((None, 8, 8, 1))
    net.compile(optimizer=keras.optimizers.Adam(5e-3), loss=loss, metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(1) == y))


PASS = 0.91
