"""Padding that a recurrent layer reads as if it were data."""

import keras
import numpy as np
from keras import layers, optimizers

from benchmarks.known_faults.parts import compile_model
from benchmarks.known_faults.program import Program, ProgramData

LENGTH = 100


def short_reviews_data(repaired: bool) -> ProgramData:
    """Return texts of 3 to 7 words, padded with id 0 to 100; good words or bad words prevail."""
    random = np.random.default_rng(61)
    y = random.integers(0, 2, 900).astype("int32")
    x = np.zeros((900, LENGTH), "int32")
    for row, label in zip(x, y, strict=True):
        count = random.integers(3, 8)
        row[:count] = random.integers(1, 20, count)
        opinion = random.permutation(count)[: count // 2 + 1]
        row[opinion] = random.integers(20, 30, len(opinion)) + 10 * label
    return ProgramData(x[:600], y[:600], x[600:], y[600:])


def short_reviews_model(repaired: bool) -> keras.Model:
    sequence = [layers.Embedding(40, 8, mask_zero=repaired), layers.GRU(12), layers.Dense(1, "sigmoid")]
    model = keras.Sequential([keras.Input((LENGTH,), dtype="int32"), *sequence])
    return compile_model(model, optimizers.Adam(0.01), "binary_crossentropy")


def short_visits_data(repaired: bool) -> ProgramData:
    """Return measurements at 2 to 6 visits, padded with 0 to 100; the target is the last one less the first one."""
    random = np.random.default_rng(62)
    x = np.zeros((900, LENGTH, 2), "float32")
    y = np.zeros((900, 1), "float32")
    for row, target in zip(x, y, strict=True):
        count = random.integers(2, 7)
        row[:count] = random.normal(size=(count, 2))
        target[0] = row[count - 1, 0] - row[0, 0]
    return ProgramData(x[:600], y[:600] / y.std(), x[600:], y[600:] / y.std())


def short_visits_model(repaired: bool) -> keras.Model:
    masking = [layers.Masking()] if repaired else []
    model = keras.Sequential([keras.Input((LENGTH, 2)), *masking, layers.GRU(16), layers.Dense(1)])
    return compile_model(model, optimizers.Adam(0.01), "mse")


MORE = (
    Program(
        name="short_reviews",
        fault="Texts of a few words, padded to 100 ids, and no mask: the last word is long forgotten at the end.",
        remedy="`mask_zero=True`.",
        truth=("unmasked_padding",),
        also=("vanishing",),
        learned={"accuracy": 0.8},
        epochs=6,
        batch_size=32,
        data=short_reviews_data,
        model=short_reviews_model,
    ),
    Program(
        name="short_visits",
        fault="A few measurements, padded to 100 steps, and no mask.",
        remedy="A `Masking` layer.",
        truth=("unmasked_padding",),
        also=("vanishing",),
        learned={"r2": 0.7},
        epochs=25,
        batch_size=32,
        data=short_visits_data,
        model=short_visits_model,
    ),
)
