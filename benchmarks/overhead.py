"""Measure what the callback costs: the same `fit` with and without it, in turn.

    python3 -m benchmarks.overhead [CASE ...]

Prints medians over whole epochs after the first; the first epoch, which compiles, is printed separately. The callback
gets the rows of its probe and records every epoch with its gradients, however long that takes.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from pipeline import Diagnosis

EPOCHS, TURNS = 50, 3
Rows = tuple[np.ndarray, np.ndarray]  # inputs, labels


def circles() -> tuple[keras.Model, Rows, int]:
    """Return the tutorial's: five hidden layers of five units, 500 points, batches of 32."""
    random = np.random.default_rng(0)
    inputs = random.uniform(-1, 1, (500, 2)).astype("float32")
    hidden = [layers.Dense(5, "relu") for _ in range(5)]
    model = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.SGD(0.01, 0.9), "binary_crossentropy")
    return model, (inputs, ((inputs**2).sum(axis=1) < 0.5).astype("int32")), 32


def dense() -> tuple[keras.Model, Rows, int]:
    """Return 64-256-256-10, 10,000 rows, batches of 128."""
    inputs, labels = _noise((10_000, 64))
    hidden = [layers.Dense(256, "relu") for _ in range(2)]
    return _classifier([keras.Input((64,)), *hidden]), (inputs, labels), 128


def convolutions() -> tuple[keras.Model, Rows, int]:
    """Return two convolutions on 2,000 images of 16 by 16, batches of 32."""
    inputs, labels = _noise((2_000, 16, 16, 1))
    hidden = [layers.Conv2D(8, 3, activation="relu"), layers.Conv2D(16, 3, activation="relu"), layers.Flatten()]
    return _classifier([keras.Input((16, 16, 1)), *hidden]), (inputs, labels), 32


def lstm() -> tuple[keras.Model, Rows, int]:
    """Return an LSTM of 32 units over 40 time steps, 4,000 rows, batches of 64."""
    inputs, labels = _noise((4_000, 40, 4))
    return _classifier([keras.Input((40, 4)), layers.LSTM(32)]), (inputs, labels), 64


CASES: dict[str, Callable[[], tuple[keras.Model, Rows, int]]] = {
    "circles": circles,
    "dense": dense,
    "convolutions": convolutions,
    "lstm": lstm,
}


class Clock(keras.callbacks.Callback):
    """Record when each epoch starts; as the last callback, so that an epoch includes the time of all callbacks."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Record the time."""
        self.times.append(time.perf_counter())


def _noise(shape: tuple[int, ...]) -> Rows:
    random = np.random.default_rng(0)
    return random.normal(size=shape).astype("float32"), random.integers(0, 10, shape[0])


def _classifier(stack: list[Any]) -> keras.Model:
    model = keras.Sequential([*stack, layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def measure(make: Callable[[], tuple[keras.Model, Rows, int]], epochs: int = EPOCHS, turns: int = TURNS) -> dict:
    """Return milliseconds of the median epoch, plain and watched, and what the first epoch takes more, in seconds."""
    later: dict[bool, list[float]] = {False: [], True: []}
    first: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(turns):
        for is_watched in (False, True):
            keras.utils.set_random_seed(1)
            model, (inputs, labels), batch = make()
            clock = Clock()
            diagnosis = [Diagnosis(inputs, labels, max_overhead=1000, mlflow=False)] if is_watched else []
            model.fit(inputs, labels, batch_size=batch, epochs=epochs + 2, verbose=0, callbacks=[*diagnosis, clock])
            spans = np.diff(clock.times)
            first[is_watched].append(float(spans[0]))
            later[is_watched] += spans[1:].tolist()
            if is_watched and diagnosis[0].history.sizes["recorded_epoch"] != epochs + 3:
                raise RuntimeError("not every epoch was recorded")
    plain, watched = (float(np.median(later[is_watched])) for is_watched in (False, True))
    return {
        "plain_ms": 1e3 * plain,
        "watched_ms": 1e3 * watched,
        "overhead": watched / plain - 1,
        "first_epoch_more_s": float(np.median(first[True]) - np.median(first[False])),
    }


def main(names: list[str]) -> None:
    """Print a line for each case."""
    for name in names or CASES:
        result = measure(CASES[name])
        print(
            f"{name}: epoch {result['plain_ms']:.1f} ms plain, {result['watched_ms']:.1f} ms watched: "
            f"{100 * result['overhead']:+.0f}%; first epoch {result['first_epoch_more_s']:+.1f} s, once",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
