"""Outputs that cannot match the targets: one softmax unit, ReLU or sigmoid outputs, too few units.

With one softmax unit every prediction is 1. On TensorFlow the training loss falls all the same, because Keras computes
the cross-entropy from the logits.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, optimizers
from sklearn.datasets import load_breast_cancer, load_iris, make_regression

from benchmarks.known_faults.parts import compile_model, exclusive_or, one_hot, stack, standardised, two_classes
from benchmarks.known_faults.program import Program, ProgramData


def so_31880720_data(repaired: bool) -> ProgramData:
    return two_classes(600, 20)


def so_31880720_model(repaired: bool) -> keras.Model:
    last = layers.Dense(1, "sigmoid" if repaired else "softmax")
    hidden = [layers.Dense(128, "relu"), layers.Dropout(0.2), layers.Dense(50, "relu"), layers.Dropout(0.2)]
    return compile_model(stack(20, *hidden, last), "rmsprop", "binary_crossentropy")


def so_68751439_data(repaired: bool) -> ProgramData:
    x, y, _, _ = two_classes(100, 14)
    return ProgramData(x, y.astype("float32")[:, None])


def so_68751439_model(repaired: bool) -> keras.Model:
    hidden = [layers.Dense(units, "relu") for units in (64, 128, 64)]
    last, loss = ("sigmoid", "binary_crossentropy") if repaired else ("softmax", "categorical_crossentropy")
    return compile_model(stack(14, *hidden, layers.Dense(1, last)), "adam", loss)


def so_33969059_data(repaired: bool) -> ProgramData:
    random = np.random.default_rng(0)
    factor = random.normal(size=(400, 1))
    columns = factor * random.uniform(0.8, 1.2, 5) + random.normal(0, 0.3, (400, 5))
    x = np.clip(3500 + 1500 * columns, 0, 10_000).astype("float32")
    y = (4 + 1.2 * factor + random.normal(0, 0.2, (400, 1))).astype("float32")
    return ProgramData(standardised(x) if repaired else x, y)


def so_33969059_model(repaired: bool) -> keras.Model:
    sequence = [
        layers.Dense(3, "tanh", kernel_initializer="random_uniform"),
        layers.Dropout(0.5),
        layers.Dense(2, "tanh", kernel_initializer="random_uniform"),
        layers.Dropout(0.5),
        layers.Dense(1, None if repaired else "softmax", kernel_initializer="random_uniform"),
    ]
    return compile_model(stack(5, *sequence), optimizers.SGD(0.1, momentum=0.9), "mse")


def so_54738769_data(repaired: bool) -> ProgramData:
    x, y = make_regression(100, 18, n_informative=6, noise=1.0, random_state=0)
    return ProgramData(x.astype("float32"), y.astype("float32")[:, None])


def so_54738769_model(repaired: bool) -> keras.Model:
    hidden = [layers.Dense(18, "tanh"), *(layers.Dense(units, "relu") for units in (36, 72, 72, 32, 16))]
    return compile_model(stack(18, *hidden, layers.Dense(1, None if repaired else "softmax")), "adam", "mse")


def so_59078187_data(repaired: bool) -> ProgramData:
    x = np.linspace(0, 10, 1000, dtype="float32")[:, None]
    return ProgramData(x, x**2)


def so_59078187_model(repaired: bool) -> keras.Model:
    last = layers.Dense(1, None if repaired else "softmax")
    return compile_model(stack(1, layers.Dense(128, "relu"), layers.Dropout(0.2), last), "adam", "mse")


def so_44758894_data(repaired: bool) -> ProgramData:
    x, y, _, _ = two_classes(1000, 7)
    return ProgramData(5 * x, y)


def so_44758894_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(16, "relu"), layers.Activation("relu"), layers.Dense(1, "sigmoid" if repaired else "relu")]
    return compile_model(stack(7, *sequence), "sgd", "mse")


def so_48251943_data(repaired: bool) -> ProgramData:
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 3)).astype("float32")
    y = x @ [[1.0], [-2.0], [1.5]] + np.sin(2 * x[:, :1]) + random.normal(0, 0.1, (300, 1))
    return ProgramData(x, standardised(y))


def so_48251943_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(4, "relu"), layers.Dense(1, None if repaired else "relu")]
    return compile_model(stack(3, *sequence), optimizers.SGD(0.01), "mse")


def so_58572274_data(repaired: bool) -> ProgramData:
    return exclusive_or(100)


def so_58572274_model(repaired: bool) -> keras.Model:
    units = 16 if repaired else 2
    last = layers.Dense(1, "sigmoid" if repaired else "relu")
    return compile_model(
        stack(2, layers.Dense(units, "relu"), layers.Dense(units, "relu"), last), "adam", "binary_crossentropy"
    )


def so_69787272_data(repaired: bool) -> ProgramData:
    return two_classes(1000, 31, apart=2.0)


def so_69787272_model(repaired: bool) -> keras.Model:
    last = layers.Dense(1, "sigmoid" if repaired else "relu")
    sequence = [layers.Dense(31, "relu"), layers.Dense(1, "relu"), last]
    return compile_model(stack(31, *sequence), "sgd", "binary_crossentropy")


def so_60801900_data(repaired: bool) -> ProgramData:
    x = np.random.default_rng(0).uniform(-1.92, 1.92, (2000, 3)).astype("float32")
    return ProgramData(x, x)


def so_60801900_model(repaired: bool) -> keras.Model:
    hidden = [layers.Dense(units, "relu") for units in (64, 32, 16, 32, 64)]
    return compile_model(stack(3, *hidden, layers.Dense(3, None if repaired else "relu")), "adam", "mse")


def so_59278771_data(repaired: bool) -> ProgramData:
    x, y = load_iris(return_X_y=True)
    return ProgramData(x.astype("float32"), one_hot(y))


def so_59278771_model(repaired: bool) -> keras.Model:
    sequence = [
        layers.Dense(4, "relu", kernel_initializer="random_normal"),
        layers.Dense(3, "softmax" if repaired else "sigmoid", kernel_initializer="random_normal"),
    ]
    return compile_model(stack(4, *sequence), "adam", "categorical_crossentropy")


def so_60766775_data(repaired: bool) -> ProgramData:
    x, y = make_regression(1000, 8, n_targets=4, noise=1.0, random_state=0)
    return ProgramData(x.astype("float32"), standardised(y))


def so_60766775_model(repaired: bool) -> keras.Model:
    sequence = []
    for units in (32, 20, 15):
        sequence += [layers.Dense(units, "sigmoid"), layers.Dropout(0.1)]
    last = layers.Dense(4, None if repaired else "softmax")
    return compile_model(stack(8, *sequence, last), optimizers.SGD(0.1, momentum=0.9), "mse")


def so_48221692_data(repaired: bool) -> ProgramData:
    x = np.linspace(0, 10, 100, dtype="float32")[:, None]
    y = x**2 + 3
    return ProgramData(standardised(x), standardised(y)) if repaired else ProgramData(x, y)


def so_48221692_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(5, "sigmoid"), layers.Dense(1, None if repaired else "sigmoid")]
    return compile_model(stack(1, *sequence), optimizers.SGD(0.1), "mse")


def so_41596619_data(repaired: bool) -> ProgramData:
    labels = np.arange(11, dtype="int32") % 4
    corners = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    x = corners[labels] + np.random.default_rng(0).normal(0, 0.2, (11, 2))
    return ProgramData(x.astype("float32"), labels)


def so_41596619_model(repaired: bool) -> keras.Model:
    def uniform(units: int, activation: str) -> layers.Layer:
        return layers.Dense(units, activation, kernel_initializer="random_uniform")

    if repaired:
        model = stack(2, uniform(16, "relu"), uniform(4, "softmax"))
        return compile_model(model, optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return compile_model(
        stack(2, uniform(3, "relu"), uniform(1, "sigmoid")), optimizers.SGD(0.001), "binary_crossentropy"
    )


def softmax_of_one_data(repaired: bool) -> ProgramData:
    x = np.random.default_rng(2).uniform(size=(600, 2)).astype("float32")
    y = (x[:, 0] + x[:, 1] > 1).astype("int32")
    return ProgramData(x[:400], y[:400], x[400:], y[400:])


def softmax_of_one_model(repaired: bool) -> keras.Model:
    sequence = []
    for _ in range(2):
        sequence += [layers.Dense(64, "tanh", kernel_initializer="random_uniform"), layers.Dropout(0.5)]
    last = layers.Dense(1, "sigmoid" if repaired else "softmax", kernel_initializer="random_uniform")
    return compile_model(stack(2, *sequence, last), optimizers.SGD(0.1, momentum=0.9, nesterov=True), "mse")


def several_tags_data(repaired: bool) -> ProgramData:
    """Return texts of 15 words; a text has each of five tags if it has one of the tag's four words."""
    random = np.random.default_rng(8)
    x = random.integers(20, 60, (1000, 15))
    y = random.integers(0, 2, (1000, 5))
    for row, tags in zip(x, y, strict=True):
        places = random.permutation(15)
        for tag in np.flatnonzero(tags):
            row[places[tag]] = 4 * tag + random.integers(4)
    y = y.astype("float32")
    return ProgramData(x[:750], y[:750], x[750:], y[750:])


def several_tags_model(repaired: bool) -> keras.Model:
    sequence = [layers.Embedding(60, 16), layers.GlobalAveragePooling1D(), layers.Dense(32, "relu")]
    last = layers.Dense(5, "sigmoid" if repaired else "softmax")
    loss = "binary_crossentropy" if repaired else "categorical_crossentropy"
    return compile_model(stack(15, *sequence, last), optimizers.Adam(0.01), loss)


def half_a_loss_data(repaired: bool) -> ProgramData:
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(12).permutation(len(x))
    x, y = standardised(x[order]), y[order, None].astype("float32")
    return ProgramData(x[:420], y[:420], x[420:], y[420:])


def loss_without_label_0(targets: Any, outputs: Any) -> Any:
    """Return the cross-entropy of one-hot labels, wrongly applied to one output."""
    return -keras.ops.mean(targets * keras.ops.log(outputs + 1e-7), axis=-1)


def half_a_loss_model(repaired: bool) -> keras.Model:
    model = stack(30, layers.Dense(16, "relu"), layers.Dense(1, "sigmoid"))
    return compile_model(model, optimizers.Adam(0.005), "binary_crossentropy" if repaired else loss_without_label_0)


PROGRAMS = (
    Program(
        name="so_31880720",
        fault="One softmax unit for two classes: it outputs 1 for every input.",
        remedy="A sigmoid unit.",
        truth=("output_mismatch",),
        also=(),
        learned={"accuracy": 0.9},
        epochs=15,
        batch_size=16,
        data=so_31880720_data,
        model=so_31880720_model,
    ),
    Program(
        name="so_68751439",
        fault="One softmax unit for two classes with categorical cross-entropy, which is 0 from the start.",
        remedy="A sigmoid unit and binary cross-entropy.",
        truth=("output_mismatch",),
        also=(),
        learned={"accuracy": 0.9},
        epochs=40,
        batch_size=10,
        data=so_68751439_data,
        model=so_68751439_model,
    ),
    Program(
        name="so_33969059",
        fault="One softmax unit for targets around 4, from inputs of up to 10,000.",
        remedy="A linear unit, and standardised inputs.",
        truth=("output_mismatch",),
        also=("unscaled_inputs", "unscaled_targets"),
        learned={"r2": 0.5},  # dropout of half of the few units keeps even the repaired model from a close fit
        epochs=60,
        batch_size=20,
        data=so_33969059_data,
        model=so_33969059_model,
    ),
    Program(
        name="so_54738769",
        fault="One softmax unit for a regression: it outputs 1 for every input.",
        remedy="A linear unit.",
        truth=("output_mismatch",),
        also=(),
        learned={"r2": 0.8},
        epochs=60,
        batch_size=10,
        data=so_54738769_data,
        model=so_54738769_model,
    ),
    Program(
        name="so_59078187",
        fault="One softmax unit for targets of up to 100.",
        remedy="A linear unit.",
        truth=("output_mismatch",),
        also=("unscaled_targets",),
        learned={"r2": 0.8},
        epochs=40,
        batch_size=20,
        data=so_59078187_data,
        model=so_59078187_model,
    ),
    Program(
        name="so_44758894",
        fault="A ReLU output unit for two classes: it has no slope where it outputs 0.",
        remedy="A sigmoid unit.",
        truth=("output_mismatch",),
        also=("born_dead", "died_in_training", "dead_output"),
        learned={"accuracy": 0.9},
        epochs=15,
        batch_size=10,
        data=so_44758894_data,
        model=so_44758894_model,
    ),
    Program(
        name="so_48251943",
        fault="A ReLU output unit for targets that may be negative.",
        remedy="A linear unit.",
        truth=("output_mismatch",),
        also=("born_dead", "died_in_training", "dead_output"),
        learned={"r2": 0.8},
        epochs=60,
        batch_size=8,
        data=so_48251943_data,
        model=so_48251943_model,
    ),
    Program(
        name="so_58572274",
        fault="Exclusive or with two ReLU layers of two units and a ReLU output.",
        remedy="A sigmoid unit, and wider layers.",
        truth=("output_mismatch", "born_dead", "died_in_training", "dead_output"),
        also=("learning_rate_too_small", "too_few_epochs"),
        learned={"accuracy": 0.9},
        epochs=40,
        batch_size=8,
        data=so_58572274_data,
        model=so_58572274_model,
    ),
    Program(
        name="so_69787272",
        fault="A ReLU output unit for two classes, after a layer of one ReLU unit.",
        remedy="A sigmoid unit.",
        truth=("output_mismatch", "born_dead", "died_in_training", "dead_output"),
        also=("learning_rate_too_small", "too_few_epochs"),
        learned={"accuracy": 0.9},
        epochs=24,
        batch_size=10,
        data=so_69787272_data,
        model=so_69787272_model,
    ),
    Program(
        name="so_60801900",
        fault="A ReLU output in an autoencoder of positive and negative numbers.",
        remedy="A linear output.",
        truth=("output_mismatch",),
        also=("born_dead", "died_in_training", "dead_output"),
        learned={"r2": 0.8},
        epochs=20,
        batch_size=32,
        data=so_60801900_data,
        model=so_60801900_model,
    ),
    Program(
        name="so_59278771",
        fault="Three sigmoid units for three exclusive classes.",
        remedy="Softmax.",
        truth=("output_mismatch",),
        also=("learning_rate_too_small", "too_few_epochs"),
        learned={"accuracy": 0.9},
        epochs=50,
        batch_size=5,
        data=so_59278771_data,
        model=so_59278771_model,
    ),
    Program(
        name="so_60766775",
        fault="Softmax, whose outputs sum to 1, for four targets that may be negative.",
        remedy="A linear output.",
        truth=("output_mismatch",),
        also=(),
        learned={"r2": 0.5},  # dropout in narrow sigmoid layers allows no more
        epochs=60,
        batch_size=32,
        data=so_60766775_data,
        model=so_60766775_model,
    ),
    Program(
        name="so_48221692",
        fault="A sigmoid output, which stays below 1, for targets of up to 103.",
        remedy="A linear unit, and standardised inputs and targets.",
        truth=("output_mismatch",),
        also=("saturated", "unscaled_targets"),
        learned={"r2": 0.8},
        epochs=150,
        batch_size=100,
        data=so_48221692_data,
        model=so_48221692_model,
    ),
    Program(
        name="so_41596619",
        fault="One sigmoid unit for four classes, and a learning rate of 0.001.",
        remedy="Four softmax units, more hidden units and a larger learning rate.",
        truth=("output_mismatch",),
        also=("learning_rate_too_small", "too_few_epochs"),
        learned={"accuracy": 0.9},
        epochs=60,
        batch_size=1,
        data=so_41596619_data,
        model=so_41596619_model,
    ),
    Program(
        name="softmax_of_one",
        fault="One softmax unit for two classes, with squared error.",
        remedy="A sigmoid unit.",
        truth=("output_mismatch",),
        also=(),
        learned={"accuracy": 0.85},
        epochs=40,
        batch_size=32,
        data=softmax_of_one_data,
        model=softmax_of_one_model,
    ),
)
MORE = (
    Program(
        name="several_tags",
        fault="Softmax, whose outputs sum to 1, for tags of which several may hold at once.",
        remedy="Sigmoid units with binary cross-entropy.",
        truth=("output_mismatch",),
        also=("exploding",),
        learned={"r2": 0.7},
        epochs=25,
        batch_size=32,
        data=several_tags_data,
        model=several_tags_model,
    ),
    Program(
        name="half_a_loss",
        fault="A custom cross-entropy that ignores label 0, so that predicting 1 is always best.",
        remedy="Binary cross-entropy.",
        truth=("output_mismatch",),
        also=("saturated",),
        learned={"balanced_accuracy": 0.85},
        epochs=25,
        batch_size=32,
        data=half_a_loss_data,
        model=half_a_loss_model,
    ),
)
