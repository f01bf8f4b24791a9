"""Turn the arguments of a `fit` into those of a trial: the first batches only, without the user's callbacks."""

import types
from collections.abc import Iterator
from math import ceil
from typing import Final

import keras
import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Batch, FitKeywords
from pipeline.recorder.layers import inference_mode
from pipeline.recorder.structure import graph
from pipeline.watch.checks.model_state import has_keras_step

TRIAL_BATCHES: Final = 32  # enough to compare batches with each other; some seconds for a small model
NAMES: Final = ("x", "y", "sample_weight")  # arguments of `fit` with a row for each row
BATCH_SIZE: Final = 32  # Keras's default


class TrialFit:
    """The arguments of the user's `fit`, and of the trial.

    arguments: the user's arguments, by name; with `validation_split`, its rows are in `validation_data`.
    """

    def __init__(self, arguments: FitKeywords) -> None:
        self.arguments = {name: value for name, value in arguments.items() if name != "self"}
        self._split()

    @property
    def trial(self) -> FitKeywords:
        """The arguments of the trial, without callbacks."""
        steps = [TRIAL_BATCHES, self.arguments.get("steps_per_epoch"), self._batches()]
        first = int(self.arguments.get("initial_epoch") or 0)
        changes: FitKeywords = {
            "epochs": first + 1,
            "steps_per_epoch": min(each for each in steps if each is not None),
            "validation_freq": 1,
            "verbose": 0,
        }
        if self.has_arrays:
            changes["batch_size"] = self.batch_size  # or else Keras computes it from the steps
        if self.arguments.get("validation_data") is not None:
            asked = self.arguments.get("validation_steps")
            changes["validation_steps"] = min(TRIAL_BATCHES, asked or TRIAL_BATCHES, self._validation_batches())
            changes["validation_batch_size"] = self._validation_size
        return {**self.arguments, **changes, "callbacks": []}

    @property
    def epochs(self) -> int:
        """The number of epochs that the user asked for."""
        return int(self.arguments.get("epochs", 1)) - int(self.arguments.get("initial_epoch") or 0)

    @property
    def steps_per_epoch(self) -> int | None:
        """The number of batches in an epoch; None if it is unknown, as for a generator."""
        steps = self.arguments.get("steps_per_epoch")
        return self._batches() if steps is None else int(steps)

    def build(self, model: keras.Model) -> None:
        """Build a model by tracing its training step with the first batch, so that its initial weights can be kept.

        No step is run. A model that is built already, and has Keras's own training step, stays as it is.
        """
        is_built = model.built and model.weights and graph(model) is not None
        if is_built and has_keras_step(model):
            return
        batch = self._first_batch()
        if batch is None:
            return
        try:
            tf.function(model.train_step, autograph=False).get_concrete_function(batch)
        except Exception:  # the step cannot be traced, such as one that runs eagerly
            if not model.built:
                model(keras.utils.unpack_x_y_sample_weight(batch)[0], **inference_mode(model))

    @property
    def has_arrays(self) -> bool:
        """Whether the inputs are arrays, and not a data set or a generator."""
        leaves = keras.tree.flatten(self.arguments.get("x"))
        return bool(leaves) and all(len(getattr(leaf, "shape", ())) > 0 for leaf in leaves)

    @property
    def batch_size(self) -> int:
        """The number of rows in a batch of arrays; if only the steps are given, Keras computes it from them."""
        size, steps = self.arguments.get("batch_size"), self.arguments.get("steps_per_epoch")
        if size is None and steps and self.has_arrays:
            return ceil(len(keras.tree.flatten(self.arguments["x"])[0]) / steps)
        return int(size or BATCH_SIZE)

    def _split(self) -> None:
        """Split off the rows of `validation_split`, as Keras does: the last ones."""
        share = self.arguments.get("validation_split")
        if not share or self.arguments.get("validation_data") is not None or not self.has_arrays:
            return
        count = len(keras.tree.flatten(self.arguments["x"])[0])
        edge = int(np.floor(count * (1 - share)))

        data = tuple(self.arguments.get(name) for name in NAMES)
        self.arguments |= dict(zip(NAMES, _between(data, 0, edge), strict=True))
        self.arguments |= {"validation_data": _between(data, edge, count), "validation_split": 0.0}

    def _batches(self) -> int | None:
        return _batches(self.arguments.get("x"), self.batch_size)

    def _validation_batches(self) -> int:
        data = self.arguments["validation_data"]
        inputs = data[0] if isinstance(data, tuple | list) else data
        return _batches(inputs, self._validation_size or BATCH_SIZE) or TRIAL_BATCHES

    @property
    def _validation_size(self) -> int | None:
        """The number of rows in a batch of validation arrays; as asked for a data set, whose batches are its own."""
        asked = self.arguments.get("validation_batch_size")
        is_pair = isinstance(self.arguments["validation_data"], tuple | list)
        return asked or (self.batch_size if is_pair else None)

    def _first_batch(self) -> Batch:
        """Return the first batch, as a training step gets it; a generator gets it back. None if it cannot be read."""
        x = self.arguments.get("x")
        if self.has_arrays:
            data = tuple(self.arguments.get(name) for name in NAMES)
            batch = keras.utils.pack_x_y_sample_weight(*_between(data, 0, self.batch_size))
        elif isinstance(x, keras.utils.PyDataset):
            batch = x[0]
        elif isinstance(x, types.GeneratorType):
            batch = next(x)
            self.arguments["x"] = _preceded(batch, x)
        elif x is None:
            return None
        else:
            batch = next(iter(x))
        return keras.tree.map_structure(lambda leaf: None if leaf is None else tf.convert_to_tensor(leaf), batch)


def _between(data: Batch, start: int, stop: int) -> Batch:
    """Return some rows of all arrays in a structure."""
    return keras.tree.map_structure(lambda leaf: None if leaf is None else leaf[start:stop], data)


def _preceded(first: Batch, others: Iterator[Batch]) -> Iterator[Batch]:
    yield first
    yield from others


def _batches(x: Batch, size: int) -> int | None:
    """Return the number of batches; None if it is unknown or infinite."""
    leaves = keras.tree.flatten(x)
    if leaves and all(len(getattr(leaf, "shape", ())) > 0 for leaf in leaves):
        return ceil(len(leaves[0]) / size)
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches
    cardinality = getattr(x, "cardinality", None)
    count = int(cardinality()) if callable(cardinality) else -1
    return count if count > 0 else None
