"""Trainings that end early: a learning rate that falls to nothing, a callback that stops; and strong regularisation."""

from typing import Any

import keras
import numpy as np
from keras import callbacks, layers, optimizers, regularizers
from sklearn.datasets import load_breast_cancer, make_friedman1

from benchmarks.known_faults.parts import compile_model, digits, stack, standardised
from benchmarks.known_faults.program import Program, ProgramData


def digits_data(repaired: bool) -> ProgramData:
    return digits()


def friedman_data(repaired: bool) -> ProgramData:
    x, y = make_friedman1(1200, 8, noise=0.3, random_state=51)
    x, y = standardised(x), standardised(y[:, None])
    return ProgramData(x[:900], y[:900], x[900:], y[900:])


def cosine_of_epochs_model(repaired: bool) -> keras.Model:
    """Let the learning rate fall over 20 epochs of 41 batches; the fault counts 20 steps."""
    rate = optimizers.schedules.CosineDecay(0.1, decay_steps=20 * 41 if repaired else 20)
    sequence = [layers.Dense(48, "relu"), layers.Dense(10, "softmax")]
    return compile_model(stack(64, *sequence), optimizers.SGD(rate), "sparse_categorical_crossentropy")


def halved_twice_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(48, "relu"), layers.Dense(24, "relu"), layers.Dense(1)]
    return compile_model(stack(8, *sequence), optimizers.SGD(0.01), "mse")


def halved_twice_fit(repaired: bool) -> dict[str, Any]:
    """Multiply the learning rate of the epoch before, where the initial one was meant."""

    def repaired_rate(epoch: int, rate: float) -> float:
        return 0.01 * 0.98**epoch

    def faulty_rate(epoch: int, rate: float) -> float:
        return rate * 0.5**epoch

    return {"callbacks": [callbacks.LearningRateScheduler(repaired_rate if repaired else faulty_rate)]}


def stops_when_better_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(32, "relu"), layers.Dense(10, "softmax")]
    return compile_model(
        stack(64, *sequence), optimizers.SGD(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )


def stops_when_better_fit(repaired: bool) -> dict[str, Any]:
    mode = "max" if repaired else "min"
    return {"callbacks": [callbacks.EarlyStopping("val_accuracy", mode=mode, patience=3)]}


def impatient_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(32, "relu"), layers.Dense(16, "relu"), layers.Dense(1)]
    return compile_model(stack(8, *sequence), optimizers.SGD(0.02), "mse")


def impatient_fit(repaired: bool) -> dict[str, Any]:
    options = {"min_delta": 0.0, "patience": 10} if repaired else {"min_delta": 0.3, "patience": 1}
    return {"callbacks": [callbacks.EarlyStopping("loss", **options)]}


def heavy_penalty_model(repaired: bool) -> keras.Model:
    penalty = regularizers.L2(1e-4 if repaired else 1.0)
    hidden = [layers.Dense(48, "relu", kernel_regularizer=penalty) for _ in range(2)]
    last = layers.Dense(1, kernel_regularizer=penalty)
    return compile_model(stack(8, *hidden, last), optimizers.Adam(0.005), "mse")


def nearly_all_dropped_model(repaired: bool) -> keras.Model:
    hidden = []
    for _ in range(2):
        hidden += [layers.Dense(24, "relu"), layers.Dropout(0.1 if repaired else 0.95)]
    return compile_model(
        stack(64, *hidden, layers.Dense(10, "softmax")), optimizers.Adam(0.003), "sparse_categorical_crossentropy"
    )


def penalised_activity_data(repaired: bool) -> ProgramData:
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(52).permutation(len(x))
    x, y = standardised(x[order]), y[order].astype("int32")
    return ProgramData(x[:420], y[:420], x[420:], y[420:])


def penalised_activity_model(repaired: bool) -> keras.Model:
    """Penalise the activity of the hidden layer, which silences it."""
    hidden = layers.Dense(24, "relu", activity_regularizer=regularizers.L1(1e-5 if repaired else 1.0))
    return compile_model(stack(30, hidden, layers.Dense(1, "sigmoid")), optimizers.Adam(0.01), "binary_crossentropy")


MORE = (
    Program(
        name="cosine_of_epochs",
        fault="A cosine decay over 20 steps, where 20 epochs were meant: then the learning rate is 0.",
        remedy="A decay over all steps.",
        truth=("learning_rate_ended",),
        also=(),
        learned={"accuracy": 0.85},
        epochs=20,
        batch_size=32,
        data=digits_data,
        model=cosine_of_epochs_model,
    ),
    Program(
        name="halved_again_and_again",
        fault="A scheduler multiplies the learning rate of the epoch before by a power of the epoch.",
        remedy="The initial learning rate times a power of the epoch.",
        truth=("learning_rate_ended",),
        also=(),
        learned={"r2": 0.8},
        epochs=40,
        batch_size=16,
        data=friedman_data,
        model=halved_twice_model,
        fit=halved_twice_fit,
    ),
    Program(
        name="stops_when_better",
        fault='Early stopping by the accuracy with `mode="min"`: it stops because the accuracy rises.',
        remedy='`mode="max"`.',
        truth=("stopped_early",),
        also=(),
        learned={"accuracy": 0.8},
        epochs=40,
        batch_size=32,
        data=digits_data,
        model=stops_when_better_model,
        fit=stops_when_better_fit,
    ),
    Program(
        name="impatient",
        fault="Early stopping unless the loss falls by 0.3 in an epoch, which it never does.",
        remedy="Any fall of the loss within ten epochs counts.",
        truth=("stopped_early",),
        also=(),
        learned={"r2": 0.85},
        epochs=40,
        batch_size=32,
        data=friedman_data,
        model=impatient_model,
        fit=impatient_fit,
    ),
    Program(
        name="heavy_penalty",
        fault="A weight penalty of 1, which outweighs the loss.",
        remedy="A weight penalty of 0.0001.",
        truth=("over_regularised",),
        also=(),
        learned={"r2": 0.7},
        epochs=15,
        batch_size=32,
        data=friedman_data,
        model=heavy_penalty_model,
    ),
    Program(
        name="nearly_all_dropped",
        fault="Dropout of 95% of two narrow layers.",
        remedy="Dropout of 10%.",
        truth=("over_regularised",),
        also=(),
        learned={"accuracy": 0.85},
        epochs=20,
        batch_size=32,
        data=digits_data,
        model=nearly_all_dropped_model,
    ),
    Program(
        name="penalised_activity",
        fault="A penalty on the activity of the hidden layer, which silences it.",
        remedy="A penalty 100,000 times smaller.",
        truth=("over_regularised",),
        also=("born_dead", "died_in_training"),
        learned={"accuracy": 0.9},
        epochs=15,
        batch_size=32,
        data=penalised_activity_data,
        model=penalised_activity_model,
    ),
)
