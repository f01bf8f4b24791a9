"""Temperature in a kiln from fuel and air readings, with gradients summed over four batches per update.

Source: https://keras.io/guides/custom_train_step_in_tensorflow/ (own idea of the fault)
"""
import keras
import numpy as np
import tensorflow as tf

EPOCHS, BATCH = 30, 32
EVERY = 4


def data(fixed=False):
    rng = np.random.default_rng(101)
    n = 2000
    x = rng.normal(size=(n, 7))
    y = np.tanh(x[:, 0] + 0.5 * x[:, 1]) + 0.6 * x[:, 2] - 0.4 * x[:, 3] * x[:, 4] + rng.normal(0, 0.25, n)
    y = ((y - y.mean()) / y.std())[:, None]
    x, y = x.astype("float32"), y.astype("float32")
    return x[:1600], y[:1600], x[1600:], y[1600:]


class Accumulating(keras.Model):
    clear = False

    def prepare(self):
        self.sums = [tf.Variable(tf.zeros(w.shape), trainable=False) for w in self.trainable_weights]
        self.batches = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.optimizer.build(self.trainable_variables)

    def update(self):
        self.optimizer.apply_gradients([(s / EVERY, w) for s, w in zip(self.sums, self.trainable_weights)])
        if self.clear:
            for s in self.sums:
                s.assign(tf.zeros_like(s))
        return True

    def train_step(self, batch):
        x, y = batch
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        for s, g in zip(self.sums, tape.gradient(loss, self.trainable_weights)):
            s.assign_add(g)
        self.batches.assign_add(1)
        tf.cond(self.batches % EVERY == 0, self.update, lambda: False)
        return {"loss": loss}


def model(fixed=False):
    inputs = keras.Input((7,))
    h = keras.layers.Dense(32, activation="relu")(inputs)
    h = keras.layers.Dense(16, activation="relu")(h)
    network = Accumulating(inputs, keras.layers.Dense(1)(h))
    network.clear = fixed
    network.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    network.prepare()
    return network


def score(network, x, y):
    p = network.predict(x, verbose=0)
    value = 1 - np.mean((y - p) ** 2) / np.var(y)
    return float(value) if np.isfinite(value) else -1e9


PASS = 0.7
FAULT = ("the summed gradients are never set back to zero after an update, so every update uses the sum of all "
         "gradients since the start and training swings and blows up")
REPAIR = "the sums are set to zero after each update"
