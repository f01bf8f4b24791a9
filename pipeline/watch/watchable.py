"""Whether a `fit` can be watched, and how the end of `fit` is noticed."""

import sys
import weakref
from collections.abc import Callable
from types import FrameType

import keras

from pipeline.foundations.errors import UserError
from pipeline.recorder.guard import Guard


def expect_watchable(model: keras.Model, has_rows: bool, guard: Guard) -> None:
    """Check a model before its `fit`, and note what cannot be recorded of it.

    Args:
        has_rows: whether the user gave rows for the probe.

    Raises:
        UserError: the model cannot be watched.
    """
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise UserError(f"Keras runs on {backend}: only its TensorFlow backend can be watched")
    from pipeline.recorder.fit_hooks import is_hooked  # imports TensorFlow

    if model.distribute_strategy.num_replicas_in_sync > 1:
        raise UserError("tf.distribute trains it on several devices: only a training on one device can be watched")
    if is_hooked(model):
        raise UserError("another Diagnosis watches this fit")
    optimizers = {id(each) for each in vars(model).values() if isinstance(each, keras.optimizers.Optimizer)}
    if len(optimizers) > 1:
        guard.note("the model has several optimizers: only the gradients that `model.optimizer` gets are recorded")
    if model.jit_compile and not has_rows:
        guard.note("with jit_compile=True the probe needs rows of yours: pass them, Diagnosis(x_train, y_train)")


def when_fit_ends(model: keras.Model, close: Callable[[], None]) -> weakref.finalize:
    """Call `close` where `fit` ends by an error or Ctrl-C, of which Keras tells no callback.

    Keras's list of callbacks lives as long as the call of `fit`.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, keras.callbacks.CallbackList):
            return weakref.finalize(owner, close)
        frame = frame.f_back
    return weakref.finalize(model, lambda: None)
