"""One replica of relu_5 as anyone would train it: Keras's own `fit`, the test set validated at every epoch.

In a process of its own with TensorFlow's own settings, so that nothing of the engine's helps or hinders it.
"""

import sys
import time

import keras

from pipeline.data.generate import generate
from pipeline.data.split import split
from pipeline.params import file, variants
from pipeline.params.data import DataParams
from pipeline.params.split import SplitParams
from pipeline.params.training import TrainingParams


def main(epochs: int) -> None:
    """Print the seconds that `fit` takes."""
    document = file.read()
    recipe, training = variants.resolve(document, "relu_5"), file.section(document, "training", TrainingParams)
    points = generate(file.section(document, "data", DataParams))
    parts, _ = split(points, file.section(document, "split", SplitParams))
    keras.utils.set_random_seed(training.seed)
    layers = [
        keras.layers.Dense(recipe.units, recipe.activation.class_name, kernel_initializer="he_uniform")
        for _ in range(recipe.hidden_layers)
    ]
    model = keras.Sequential([keras.Input((2,)), *layers, keras.layers.Dense(1, "sigmoid")])
    optimizer = keras.optimizers.get({"class_name": recipe.optimizer.class_name, "config": recipe.optimizer.config})
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    began = time.perf_counter()
    model.fit(
        parts.train.inputs.astype("float32"),
        parts.train.labels,
        batch_size=training.batch_size,
        epochs=epochs,
        validation_data=(parts.test.inputs.astype("float32"), parts.test.labels),
        verbose=0,
    )
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main(int(sys.argv[1]))
