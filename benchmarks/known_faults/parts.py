"""Parts that several programs share: plain stacks of layers, and substitutes for the data of the reports."""

from typing import Any

import keras
import numpy as np
from sklearn.datasets import load_digits, make_classification

from benchmarks.known_faults.program import ProgramData


def stack(columns: int, *layers: keras.Layer) -> keras.Sequential:
    """Build a model that applies the layers to rows of so many columns."""
    return keras.Sequential([keras.Input((columns,)), *layers])


def compile_model(model: keras.Model, optimizer: Any, loss: Any, **options: Any) -> keras.Model:
    """Compile the model and return it."""
    model.compile(optimizer=optimizer, loss=loss, **options)
    return model


def two_classes(rows: int, columns: int, informative: int = 4, apart: float = 1.5) -> ProgramData:
    """Return rows of two classes, in two clusters each."""
    x, y = make_classification(
        rows, columns, n_informative=informative, n_redundant=0, flip_y=0.0, class_sep=apart, random_state=0
    )
    return ProgramData(x.astype("float32"), y.astype("int32"))


def digits(train: int = 1300) -> ProgramData:
    """Return scikit-learn's digits with pixels from 0 to 1; the rows after the first `train` are held out."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(1).permutation(len(x))
    x, y = (x[order] / 16).astype("float32"), y[order].astype("int32")
    return ProgramData(x[:train], y[:train], x[train:], y[train:])


def exclusive_or(times: int) -> ProgramData:
    """Return the four rows of exclusive or, repeated."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    y = np.array([0, 1, 1, 0], "int32")
    return ProgramData(np.tile(x, (times, 1)), np.tile(y, times))


def standardised(values: np.ndarray) -> np.ndarray:
    """Scale each column to mean 0 and standard deviation 1."""
    return ((values - values.mean(axis=0)) / values.std(axis=0)).astype("float32")


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Return labels 0, 1, ... as one-hot rows."""
    return np.eye(labels.max() + 1, dtype="float32")[labels]
