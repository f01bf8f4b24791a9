"""Parts that several programs share: a plain stack of layers, and data that stand for those of the reports."""

from typing import Any

import keras
import numpy as np
from sklearn.datasets import load_digits, make_classification

from benchmarks.known_faults.program import Data


def stack(columns: int, *layers: keras.Layer) -> keras.Sequential:
    """Layers on so many inputs, one after the other."""
    return keras.Sequential([keras.Input((columns,)), *layers])


def compiled(model: keras.Model, optimizer: Any, loss: str) -> keras.Model:
    """The model itself."""
    model.compile(optimizer=optimizer, loss=loss)
    return model


def two_classes(rows: int, columns: int, informative: int = 4, apart: float = 1.5) -> Data:
    """Points of two classes, in two clusters each."""
    x, y = make_classification(
        rows, columns, n_informative=informative, n_redundant=0, flip_y=0.0, class_sep=apart, random_state=0
    )
    return Data(x.astype("float32"), y.astype("int32"))


def digits(train: int = 1300) -> Data:
    """The small pictures of digits from 0 to 1, some held out."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(1).permutation(len(x))
    x, y = (x[order] / 16).astype("float32"), y[order].astype("int32")
    return Data(x[:train], y[:train], x[train:], y[train:])


def exclusive_or(times: int) -> Data:
    """The four rows, so many times."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    y = np.array([0, 1, 1, 0], "int32")
    return Data(np.tile(x, (times, 1)), np.tile(y, times))


def standardised(values: np.ndarray) -> np.ndarray:
    """Each column with mean 0 and standard deviation 1."""
    return ((values - values.mean(axis=0)) / values.std(axis=0)).astype("float32")


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Labels 0, 1, ... as rows with a single 1."""
    return np.eye(labels.max() + 1, dtype="float32")[labels]
