"""Check whether a `fit` can be watched, and notice when it ends."""

import weakref
from collections.abc import Callable

import keras

from pipeline.foundations.errors import UserError
from pipeline.recorder.fit_arguments import outer_frames
from pipeline.recorder.guard import Guard
from pipeline.recorder.layers import optimizers


def expect_watchable(model: keras.Model, has_rows: bool, guard: Guard) -> None:
    """Check a model before its `fit`, and note what cannot be recorded.

    Args:
        has_rows: whether the user gave rows for the probe.

    Raises:
        UserError: the model cannot be watched.
    """
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise UserError(
            f"Keras runs on {backend}: only the TensorFlow backend can be watched; set KERAS_BACKEND=tensorflow"
        )
    from pipeline.recorder.fit_hooks import is_hooked  # imports TensorFlow

    if model.distribute_strategy.num_replicas_in_sync > 1:
        raise UserError("tf.distribute trains the model on several devices: train on one device to watch it")
    if is_hooked(model):
        raise UserError("another Diagnosis watches this fit already: give `callbacks` only one")
    if len(optimizers(model)) > 1:
        guard.note("the model has several optimizers: only the gradients that `model.optimizer` gets are recorded")
    if model.jit_compile and not has_rows:
        guard.note(
            "jit_compile=True hides the rows of `fit`, so there is no probe: pass the data, Diagnosis(x_train, y_train)"
        )


def when_fit_ends(model: keras.Model, close: Callable[[], None]) -> weakref.finalize:
    """Call `close` if an error or Ctrl-C ends `fit`, because Keras does not notify callbacks of it.

    Keras's list of callbacks exists as long as the call of `fit`, so its end is the end of `fit`.
    """
    for frame in outer_frames():
        owner = frame.f_locals.get("self")
        if isinstance(owner, keras.callbacks.CallbackList):
            return weakref.finalize(owner, close)
    return weakref.finalize(model, lambda: None)
