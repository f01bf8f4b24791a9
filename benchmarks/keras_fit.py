"""Train one replica of a recipe by Keras's own `fit`, the test set evaluated at every epoch.

TensorFlow has its default settings, so that no setting of the engine helps or hinders it.
"""

import keras
import numpy as np

from benchmarks.recipe import PeerRecipe, arrays


def train(recipe: PeerRecipe) -> np.ndarray:
    """Return the final test accuracy of one replica, [1]."""
    variant, training, task = recipe.variant, recipe.training, recipe.parts.task
    keras.utils.set_random_seed(training.seed)
    layers = [
        keras.layers.Dense(units, variant.activation.class_name, kernel_initializer="he_uniform")
        for units in variant.widths
    ]
    output = keras.layers.Dense(task.outputs, task.of_kind.activation)
    model = keras.Sequential([keras.Input((recipe.parts.inputs,)), *layers, output])
    optimizer = keras.optimizers.get({"class_name": variant.optimizer.class_name, "config": variant.optimizer.config})
    model.compile(optimizer, task.of_kind.loss, metrics=["accuracy"])
    inputs, targets, *test = arrays(recipe)
    history = model.fit(
        inputs, targets, batch_size=training.batch_size, epochs=training.epochs, validation_data=tuple(test), verbose=0
    )
    return np.array(history.history["val_accuracy"][-1:])
