"""Outputs that cannot give the targets: one softmax unit, rectified or squashed outputs, too few units.

With one softmax unit every prediction is 1. On TensorFlow, Keras computes a cross-entropy from the stored logits, so
there the training loss falls all the same.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, optimizers
from sklearn.datasets import load_breast_cancer, load_iris, make_regression

from benchmarks.known_faults.parts import compiled, exclusive_or, one_hot, stack, standardised, two_classes
from benchmarks.known_faults.program import Data, Program


def so_31880720_data(repaired: bool) -> Data:
    return two_classes(600, 20)


def so_31880720_model(repaired: bool) -> keras.Model:
    last = layers.Dense(1, "sigmoid" if repaired else "softmax")
    hidden = [layers.Dense(128, "relu"), layers.Dropout(0.2), layers.Dense(50, "relu"), layers.Dropout(0.2)]
    return compiled(stack(20, *hidden, last), "rmsprop", "binary_crossentropy")


def so_68751439_data(repaired: bool) -> Data:
    x, y, _, _ = two_classes(100, 14)
    return Data(x, y.astype("float32")[:, None])


def so_68751439_model(repaired: bool) -> keras.Model:
    hidden = [layers.Dense(units, "relu") for units in (64, 128, 64)]
    last, loss = ("sigmoid", "binary_crossentropy") if repaired else ("softmax", "categorical_crossentropy")
    return compiled(stack(14, *hidden, layers.Dense(1, last)), "adam", loss)


def so_33969059_data(repaired: bool) -> Data:
    random = np.random.default_rng(0)
    factor = random.normal(size=(400, 1))
    columns = factor * random.uniform(0.8, 1.2, 5) + random.normal(0, 0.3, (400, 5))
    x = np.clip(3500 + 1500 * columns, 0, 10_000).astype("float32")
    y = (4 + 1.2 * factor + random.normal(0, 0.2, (400, 1))).astype("float32")
    return Data(standardised(x) if repaired else x, y)


def so_33969059_model(repaired: bool) -> keras.Model:
    made = [
        layers.Dense(3, "tanh", kernel_initializer="random_uniform"),
        layers.Dropout(0.5),
        layers.Dense(2, "tanh", kernel_initializer="random_uniform"),
        layers.Dropout(0.5),
        layers.Dense(1, None if repaired else "softmax", kernel_initializer="random_uniform"),
    ]
    return compiled(stack(5, *made), optimizers.SGD(0.1, momentum=0.9), "mse")


def so_54738769_data(repaired: bool) -> Data:
    x, y = make_regression(100, 18, n_informative=6, noise=1.0, random_state=0)
    return Data(x.astype("float32"), y.astype("float32")[:, None])


def so_54738769_model(repaired: bool) -> keras.Model:
    hidden = [layers.Dense(18, "tanh"), *(layers.Dense(units, "relu") for units in (36, 72, 72, 32, 16))]
    return compiled(stack(18, *hidden, layers.Dense(1, None if repaired else "softmax")), "adam", "mse")


def so_59078187_data(repaired: bool) -> Data:
    x = np.linspace(0, 10, 1000, dtype="float32")[:, None]
    return Data(x, x**2)


def so_59078187_model(repaired: bool) -> keras.Model:
    last = layers.Dense(1, None if repaired else "softmax")
    return compiled(stack(1, layers.Dense(128, "relu"), layers.Dropout(0.2), last), "adam", "mse")


def so_44758894_data(repaired: bool) -> Data:
    x, y, _, _ = two_classes(1000, 7)
    return Data(5 * x, y)


def so_44758894_model(repaired: bool) -> keras.Model:
    made = [layers.Dense(16, "relu"), layers.Activation("relu"), layers.Dense(1, "sigmoid" if repaired else "relu")]
    return compiled(stack(7, *made), "sgd", "mse")


def so_48251943_data(repaired: bool) -> Data:
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 3)).astype("float32")
    y = x @ [[1.0], [-2.0], [1.5]] + np.sin(2 * x[:, :1]) + random.normal(0, 0.1, (300, 1))
    return Data(x, standardised(y))


def so_48251943_model(repaired: bool) -> keras.Model:
    made = [layers.Dense(4, "relu"), layers.Dense(1, None if repaired else "relu")]
    return compiled(stack(3, *made), optimizers.SGD(0.01), "mse")


def so_58572274_data(repaired: bool) -> Data:
    return exclusive_or(100)


def so_58572274_model(repaired: bool) -> keras.Model:
    units = 16 if repaired else 2
    last = layers.Dense(1, "sigmoid" if repaired else "relu")
    return compiled(
        stack(2, layers.Dense(units, "relu"), layers.Dense(units, "relu"), last), "adam", "binary_crossentropy"
    )


def so_69787272_data(repaired: bool) -> Data:
    return two_classes(1000, 31, apart=2.0)


def so_69787272_model(repaired: bool) -> keras.Model:
    last = layers.Dense(1, "sigmoid" if repaired else "relu")
    made = [layers.Dense(31, "relu"), layers.Dense(1, "relu"), last]
    return compiled(stack(31, *made), "sgd", "binary_crossentropy")


def so_60801900_data(repaired: bool) -> Data:
    x = np.random.default_rng(0).uniform(-1.92, 1.92, (2000, 3)).astype("float32")
    return Data(x, x)


def so_60801900_model(repaired: bool) -> keras.Model:
    hidden = [layers.Dense(units, "relu") for units in (64, 32, 16, 32, 64)]
    return compiled(stack(3, *hidden, layers.Dense(3, None if repaired else "relu")), "adam", "mse")


def so_59278771_data(repaired: bool) -> Data:
    x, y = load_iris(return_X_y=True)
    return Data(x.astype("float32"), one_hot(y))


def so_59278771_model(repaired: bool) -> keras.Model:
    made = [
        layers.Dense(4, "relu", kernel_initializer="random_normal"),
        layers.Dense(3, "softmax" if repaired else "sigmoid", kernel_initializer="random_normal"),
    ]
    return compiled(stack(4, *made), "adam", "categorical_crossentropy")


def so_60766775_data(repaired: bool) -> Data:
    x, y = make_regression(1000, 8, n_targets=4, noise=1.0, random_state=0)
    return Data(x.astype("float32"), standardised(y))


def so_60766775_model(repaired: bool) -> keras.Model:
    made = []
    for units in (32, 20, 15):
        made += [layers.Dense(units, "sigmoid"), layers.Dropout(0.1)]
    last = layers.Dense(4, None if repaired else "softmax")
    return compiled(stack(8, *made, last), optimizers.SGD(0.1, momentum=0.9), "mse")


def so_48221692_data(repaired: bool) -> Data:
    x = np.linspace(0, 10, 100, dtype="float32")[:, None]
    y = x**2 + 3
    return Data(standardised(x), standardised(y)) if repaired else Data(x, y)


def so_48221692_model(repaired: bool) -> keras.Model:
    made = [layers.Dense(5, "sigmoid"), layers.Dense(1, None if repaired else "sigmoid")]
    return compiled(stack(1, *made), optimizers.SGD(0.1), "mse")


def so_41596619_data(repaired: bool) -> Data:
    labels = np.arange(11, dtype="int32") % 4
    corners = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    x = corners[labels] + np.random.default_rng(0).normal(0, 0.2, (11, 2))
    return Data(x.astype("float32"), labels)


def so_41596619_model(repaired: bool) -> keras.Model:
    def uniform(units: int, activation: str) -> layers.Layer:
        return layers.Dense(units, activation, kernel_initializer="random_uniform")

    if repaired:
        model = stack(2, uniform(16, "relu"), uniform(4, "softmax"))
        return compiled(model, optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return compiled(stack(2, uniform(3, "relu"), uniform(1, "sigmoid")), optimizers.SGD(0.001), "binary_crossentropy")


def softmax_of_one_data(repaired: bool) -> Data:
    x = np.random.default_rng(2).uniform(size=(600, 2)).astype("float32")
    y = (x[:, 0] + x[:, 1] > 1).astype("int32")
    return Data(x[:400], y[:400], x[400:], y[400:])


def softmax_of_one_model(repaired: bool) -> keras.Model:
    made = []
    for _ in range(2):
        made += [layers.Dense(64, "tanh", kernel_initializer="random_uniform"), layers.Dropout(0.5)]
    last = layers.Dense(1, "sigmoid" if repaired else "softmax", kernel_initializer="random_uniform")
    return compiled(stack(2, *made, last), optimizers.SGD(0.1, momentum=0.9, nesterov=True), "mse")


def several_tags_data(repaired: bool) -> Data:
    """Texts of 15 words; each of five tags is there where one of its four words is."""
    random = np.random.default_rng(8)
    x = random.integers(20, 60, (1000, 15))
    y = random.integers(0, 2, (1000, 5))
    for row, tags in zip(x, y, strict=True):
        places = random.permutation(15)
        for tag in np.flatnonzero(tags):
            row[places[tag]] = 4 * tag + random.integers(4)
    y = y.astype("float32")
    return Data(x[:750], y[:750], x[750:], y[750:])


def several_tags_model(repaired: bool) -> keras.Model:
    made = [layers.Embedding(60, 16), layers.GlobalAveragePooling1D(), layers.Dense(32, "relu")]
    last = layers.Dense(5, "sigmoid" if repaired else "softmax")
    loss = "binary_crossentropy" if repaired else "categorical_crossentropy"
    return compiled(stack(15, *made, last), optimizers.Adam(0.01), loss)


def half_a_loss_data(repaired: bool) -> Data:
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(12).permutation(len(x))
    x, y = standardised(x[order]), y[order, None].astype("float32")
    return Data(x[:420], y[:420], x[420:], y[420:])


def without_the_part_for_0(targets: Any, outputs: Any) -> Any:
    """A cross-entropy as for one-hot labels, of one output."""
    return -keras.ops.mean(targets * keras.ops.log(outputs + 1e-7), axis=-1)


def half_a_loss_model(repaired: bool) -> keras.Model:
    model = stack(30, layers.Dense(16, "relu"), layers.Dense(1, "sigmoid"))
    return compiled(model, optimizers.Adam(0.005), "binary_crossentropy" if repaired else without_the_part_for_0)


PROGRAMS = (
    Program(
        name="so_31880720",
        kind="output",
        fault="Two classes by one softmax unit, which gives 1 for every input.",
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
        kind="output",
        fault="Two classes by one softmax unit and categorical cross-entropy, which is 0 from the start.",
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
        kind="output",
        fault="A number around 4 by one softmax unit, from inputs of up to 10,000.",
        remedy="A linear unit, and standardised inputs.",
        truth=("output_mismatch",),
        also=("unscaled_inputs", "unscaled_targets"),
        learned={"r2": 0.5},  # half of few units are dropped, so not even the repaired one fits closely
        epochs=60,
        batch_size=20,
        data=so_33969059_data,
        model=so_33969059_model,
    ),
    Program(
        name="so_54738769",
        kind="output",
        fault="A number by one softmax unit, which gives 1 for every input.",
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
        kind="output",
        fault="Squares of up to 100 by one softmax unit.",
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
        kind="output",
        fault="Two classes by a rectified unit, which has no slope where it gives 0.",
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
        kind="output",
        fault="Negative targets, and a rectified unit that cannot give them.",
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
        kind="output",
        fault="Exclusive or by two rectified layers of two units and a rectified output.",
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
        kind="output",
        fault="Two classes by a rectified unit that follows a layer of one rectified unit.",
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
        kind="output",
        fault="An autoencoder of positive and negative numbers whose output is rectified.",
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
        kind="output",
        fault="Three exclusive classes by three sigmoid units.",
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
        kind="output",
        fault="Four numbers, positive and negative, by softmax, whose outputs are shares of 1.",
        remedy="A linear output.",
        truth=("output_mismatch",),
        also=(),
        learned={"r2": 0.5},  # after dropout in narrow sigmoid layers
        epochs=60,
        batch_size=32,
        data=so_60766775_data,
        model=so_60766775_model,
    ),
    Program(
        name="so_48221692",
        kind="output",
        fault="Squares of up to 100, and 3, by a sigmoid unit, which stays below 1.",
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
        kind="output",
        fault="Four classes by one sigmoid unit, in steps of 0.001 of the gradient.",
        remedy="Four softmax units on more hidden ones, and larger steps.",
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
        kind="output",
        fault="The two sides of a line by one softmax unit and squared error.",
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
        kind="output",
        fault="Several tags may hold at once, and a softmax shares one out among them.",
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
        kind="output",
        fault="A cross-entropy of one's own that lacks the part for 0, so that 1 is always best.",
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
