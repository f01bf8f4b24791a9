"""Measure what the callback costs a whole program: its `fit`, from the import of the callback to the last epoch.

    python3 -m benchmarks.overhead [CASE ...] [--turns N] [--every]

Each case runs N times with and N times without the callback, in turn, each in a process of its own, because the first
use of a package or an operation is a part of the cost. All times are processor seconds. For each case it prints the
median whole `fit`, then what start, first epoch and later epochs take more with the callback, how many epochs
were recorded, and the seconds of the verdict, which come after `fit`. `--every` records every epoch, however long it
takes.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

TURNS = 3
EVERY = 1000.0  # a budget that no measuring exceeds


class Program(NamedTuple):
    """A model with its rows, and the arguments of `fit`."""

    model: keras.Model
    inputs: np.ndarray
    targets: np.ndarray
    batch: int
    epochs: int
    validation: int = 0  # rows at the end


class OwnStep(keras.Model):
    """Three layers, with a training step of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = [layers.Dense(64, "relu"), layers.Dense(64, "tanh"), layers.Dense(10, "softmax")]

    def call(self, inputs: Any) -> Any:
        """Return probabilities of classes."""
        for layer in self.stack:
            inputs = layer(inputs)
        return inputs

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take a step by the optimizer's `apply`."""
        inputs, labels = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=labels, y_pred=self(inputs, training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


def circles() -> Program:
    """Return the tutorial's: five hidden layers of five units, 500 points, batches of 32."""
    inputs = np.random.default_rng(0).uniform(-1, 1, (500, 2)).astype("float32")
    hidden = [layers.Dense(5, "relu") for _ in range(5)]
    model = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.SGD(0.01, 0.9), "binary_crossentropy")
    return Program(model, inputs, ((inputs**2).sum(axis=1) < 0.5).astype("int32"), 32, 100)


def dense() -> Program:
    """Return 64-128-128-10, 6,000 rows, batches of 64."""
    hidden = [layers.Dense(128, "relu") for _ in range(2)]
    return _classifier([keras.Input((64,)), *hidden], (6_000, 64), 64, 30, 1_000)


def convolutions() -> Program:
    """Return two convolutions on 2,000 images of 16 by 16, batches of 32."""
    hidden = [layers.Conv2D(8, 3, activation="relu"), layers.Conv2D(16, 3, activation="relu"), layers.Flatten()]
    return _classifier([keras.Input((16, 16, 1)), *hidden], (2_000, 16, 16, 1), 32, 20)


def normalised() -> Program:
    """Return two convolutions with batch normalisation, pooling and dropout on 2,000 images of 28 by 28."""
    blocks = [
        [layers.Conv2D(units, 3, padding="same"), layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D()]
        for units in (16, 32)
    ]
    stack = [keras.Input((28, 28, 1)), *blocks[0], *blocks[1], layers.Flatten(), layers.Dropout(0.3)]
    return _classifier(stack, (2_000, 28, 28, 1), 32, 8, 500)


def lstm() -> Program:
    """Return an LSTM of 32 units over 40 time steps, 2,000 rows, batches of 64."""
    return _classifier([keras.Input((40, 4)), layers.LSTM(32)], (2_000, 40, 4), 64, 12)


def functional() -> Program:
    """Return a regression by four residual blocks with batch normalisation, 3,500 rows, batches of 32."""
    rows = _noise((3_500, 20))
    entry = keras.Input((20,))
    signal = layers.Activation("relu")(layers.BatchNormalization()(layers.Dense(64)(entry)))
    for _ in range(4):
        branch = layers.Dense(64)(layers.Dense(64, "relu")(signal))
        signal = layers.Activation("relu")(layers.Add()([signal, branch]))
    model = keras.Model(entry, layers.Dense(1)(signal))
    model.compile("adam", "mse", metrics=["mae"])
    return Program(model, rows, rows[:, :3].sum(axis=1), 32, 20, 500)


def compiled() -> Program:
    """Return four layers of 128 units, compiled by XLA, 4,000 rows, batches of 64."""
    hidden = [layers.Dense(128, "relu") for _ in range(4)]
    return _classifier([keras.Input((64,)), *hidden], (4_000, 64), 64, 40, jit_compile=True)


def own_step() -> Program:
    """Return a model with a training step of its own, 4,000 rows, batches of 32."""
    model = OwnStep()
    model.compile("adam", "sparse_categorical_crossentropy")
    return Program(model, _noise((4_000, 30)), _labels(4_000), 32, 30)


CASES: dict[str, Callable[[], Program]] = {
    each.__name__: each for each in (circles, dense, convolutions, normalised, lstm, functional, compiled, own_step)
}


def _noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def _labels(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 10, count)


def _classifier(
    stack: list[Any], shape: tuple[int, ...], batch: int, epochs: int, validation: int = 0, jit_compile: bool = False
) -> Program:
    model = keras.Sequential([*stack, layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=jit_compile)
    return Program(model, _noise(shape), _labels(shape[0]), batch, epochs, validation)


class Clock(keras.callbacks.Callback):
    """Record when each epoch starts and the last one ends; as the last callback, which includes all others."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Record the time."""
        self.times.append(time.process_time())

    def on_train_end(self, logs: Any = None) -> None:
        """Record the time."""
        self.times.append(time.process_time())


def run(name: str, budget: float | None) -> dict[str, float]:
    """Run a case in this process, and return its processor seconds by part.

    Args:
        budget: `max_overhead`; None for a `fit` without the callback.
    """
    keras.utils.set_random_seed(1)
    model, inputs, targets, batch, epochs, validation = CASES[name]()
    train, held_out = slice(0, len(inputs) - validation), slice(len(inputs) - validation, None)
    x, y = inputs[train], targets[train]
    clock, watchers = Clock(), []
    start = time.process_time()
    if budget is not None:
        from pipeline import Diagnosis  # its import is a part of the cost

        watchers = [Diagnosis(x, y, max_overhead=budget, mlflow=False)]
    model.fit(
        x,
        y,
        batch_size=batch,
        epochs=epochs,
        validation_data=(inputs[held_out], targets[held_out]) if validation else None,
        verbose=0,
        callbacks=[*watchers, clock],
    )
    end = time.process_time()
    spans = np.diff(clock.times)
    parts = {"fit": end - start, "start": clock.times[0] - start, "first": spans[0], "later": spans[1:].sum()}
    for diagnosis in watchers:
        _ = diagnosis.verdict
        parts |= {
            "verdict": time.process_time() - end,
            "recorded": diagnosis.history.sizes["recorded_epoch"] / (epochs + 1),
        }
    return {part: float(value) for part, value in parts.items()}


def measure(name: str, turns: int = TURNS, budget: float = 0.1) -> dict[str, float]:
    """Return medians over the turns: the plain `fit`, and what its parts take more with the callback."""
    runs: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    for _ in range(turns):
        for is_watched in (False, True):
            command = [sys.executable, "-m", "benchmarks.overhead", "--run", name]
            command += [str(budget)] if is_watched else []
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            runs[is_watched].append(json.loads(done.stdout.splitlines()[-1]))
    plain, watched = (
        {part: median(each[part] for each in runs[is_watched]) for part in runs[is_watched][0]}
        for is_watched in (False, True)
    )
    more = {f"{part}_more": watched[part] - plain[part] for part in ("start", "first", "later")}
    known = {"verdict": watched["verdict"], "recorded": watched["recorded"]}
    return {"plain": plain["fit"], "watched": watched["fit"], "ratio": watched["fit"] / plain["fit"], **more, **known}


def main(arguments: list[str]) -> None:
    """Print a line for each case."""
    if arguments[:1] == ["--run"]:  # a process of its own
        _, name, *budget = arguments
        print(json.dumps(run(name, float(budget[0]) if budget else None)))
        return
    parser = argparse.ArgumentParser(prog="benchmarks.overhead")
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], metavar="CASE")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--every", action="store_true")
    options = parser.parse_args(arguments)
    for name in options.cases or CASES:
        result = measure(name, options.turns, EVERY if options.every else 0.1)
        print(
            f"{name}: whole fit {result['plain']:.1f} s plain, {result['watched']:.1f} s watched "
            f"({result['ratio']:.2f} times); more in the start {result['start_more']:.1f} s, the first epoch "
            f"{result['first_more']:.1f} s, later epochs {result['later_more']:.1f} s; {result['recorded']:.0%} of the "
            f"epochs recorded; verdict {result['verdict']:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
