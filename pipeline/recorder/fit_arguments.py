"""Read the arguments of the `fit` that is running, as Keras has them when callbacks begin."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

import keras

from pipeline.foundations.untyped import Batch


@dataclass(frozen=True)
class FitArguments:
    """The arguments of `keras.Model.fit`; each is None if it is unknown.

    Keras has split off the rows of `validation_split` already: `x`, `y` and `sample_weight` are the training rows, and
    `validation_data` has the others.

    is_known: whether Keras's `fit` runs; False if a model's own `fit` calls the callbacks.
    epochs: the epoch before which `fit` ends, counted from 0 and not from the initial epoch.
    callbacks: all callbacks, including those that Keras adds.
    """

    is_known: bool = False
    x: Batch = None
    y: Batch = None
    sample_weight: Batch = None
    class_weight: Mapping[int, float] | None = None
    shuffle: bool | str | None = None
    validation_data: Batch = None
    epochs: int | None = None
    callbacks: Sequence[keras.callbacks.Callback] | None = None

    @property
    def has_arrays(self) -> bool:
        """Whether `x` and `y` are arrays [row, ...], or structures of arrays; not a generator or a data set."""
        return self.y is not None and _are_arrays(self.x) and _are_arrays(self.y)

    @property
    def validation_arrays(self) -> tuple[Batch, Batch] | None:
        """Inputs and targets of the validation data; None without validation data, or if they are no arrays."""
        if not isinstance(self.validation_data, tuple | list) or len(self.validation_data) < 2:
            return None
        inputs, targets = self.validation_data[:2]
        return (inputs, targets) if _are_arrays(inputs) and _are_arrays(targets) else None


def arguments_of_fit(model: keras.Model) -> FitArguments:
    """Return the arguments of the `fit` of this model that called the caller, such as a callback's hook."""
    for frame in outer_frames():
        values = frame.f_locals
        if _is_fit_of_keras(frame) and values.get("self") is model:
            names = FitArguments.__dataclass_fields__.keys() - {"is_known", "callbacks"}
            callbacks = getattr(values.get("callbacks"), "callbacks", None)
            return FitArguments(is_known=True, callbacks=callbacks, **{name: values.get(name) for name in names})
    return FitArguments()


def outer_frames() -> Iterator[FrameType]:
    """Yield the frames of the caller's caller, of its caller, and so on."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_fit_of_keras(frame: FrameType) -> bool:
    return frame.f_code.co_name == "fit" and str(frame.f_globals.get("__name__")).startswith("keras.")


def _are_arrays(values: Batch) -> bool:
    """Return whether all leaves of a structure are arrays or tensors with rows."""
    leaves = [leaf for leaf in keras.tree.flatten(values) if leaf is not None]
    return bool(leaves) and all(len(getattr(leaf, "shape", ())) > 0 for leaf in leaves)
