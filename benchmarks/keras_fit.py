"""One replica of a recipe as anyone would train it: Keras's own `fit`, the test set validated at every epoch.

With TensorFlow's own settings, so that nothing of the engine's helps or hinders it.
"""

import keras
import numpy as np

from benchmarks.recipe import Recipe, columns


def train(made: Recipe) -> np.ndarray:
    """Final test accuracy of one replica, [1]."""
    variant, training, task = made.variant, made.training, made.parts.task
    keras.utils.set_random_seed(training.seed)
    layers = [
        keras.layers.Dense(units, variant.activation.class_name, kernel_initializer="he_uniform")
        for units in variant.widths
    ]
    output = keras.layers.Dense(task.outputs, task.of_kind.activation)
    model = keras.Sequential([keras.Input((made.parts.inputs,)), *layers, output])
    optimizer = keras.optimizers.get({"class_name": variant.optimizer.class_name, "config": variant.optimizer.config})
    model.compile(optimizer, task.of_kind.loss, metrics=["accuracy"])
    inputs, targets, *test = columns(made)
    history = model.fit(
        inputs, targets, batch_size=training.batch_size, epochs=training.epochs, validation_data=tuple(test), verbose=0
    )
    return np.array(history.history["val_accuracy"][-1:])
