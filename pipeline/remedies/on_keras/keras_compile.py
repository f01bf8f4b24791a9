"""Compile a Keras model again with the user's arguments. A compiled training step would ignore later changes."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

import keras

from pipeline.remedies.on_keras.trial import InapplicableError, in_short

# The arguments with which each model was compiled while `remembering_compile` was on.
_COMPILED: WeakKeyDictionary[keras.Model, dict[str, Any]] = WeakKeyDictionary()


def is_traced(model: keras.Model) -> bool:
    """Return whether Keras has a compiled training step, which ignores later changes of the model."""
    return getattr(model, "train_function", None) is not None


@contextmanager
def remembering_compile() -> Iterator[None]:
    """Remember the arguments of every `compile` in the block, because a remedy may have to compile a model again."""
    own, compile_ = vars(keras.Model).get("compile"), keras.Model.compile
    signature = inspect.signature(compile_)

    @wraps(compile_)
    def remembered(self: keras.Model, *args: Any, **kwargs: Any) -> None:
        _COMPILED[self] = {k: v for k, v in signature.bind(self, *args, **kwargs).arguments.items() if k != "self"}
        compile_(self, *args, **kwargs)

    keras.Model.compile = remembered
    try:
        yield
    finally:
        if own is None:
            del keras.Model.compile
        else:
            keras.Model.compile = own


def compile_again(model: keras.Model, like: keras.Model | None = None, **changes: Any) -> None:
    """Compile a model again with the same arguments, except for `changes`.

    Args:
        like: the model from whose `compile` the arguments come; by default `model`.
        changes: the arguments that differ, such as `loss`.

    Raises:
        InapplicableError: see `compile_arguments`.
    """
    model.compile(**{**compile_arguments(model, like), **changes})


def compile_arguments(model: keras.Model, like: keras.Model | None = None) -> dict[str, Any]:
    """Return the arguments that compile `model` as `like` is compiled.

    Raises:
        InapplicableError: the model's own `compile` does not take them, or its optimizer cannot be copied.
    """
    like = like or model
    ways = ("run_eagerly", "jit_compile", "steps_per_execution")
    known = _COMPILED.get(like) or {"loss": like.loss, **{way: getattr(like, way) for way in ways}}
    try:
        inspect.signature(model.compile).bind(**{"optimizer": None, "loss": None, **known})
    except TypeError as error:
        raise InapplicableError(f"the model's own `compile` has other arguments ({error})") from None
    try:  # a copy, because a used optimizer is bound to the variables of the old model
        optimizer = type(like.optimizer).from_config(like.optimizer.get_config())
    except Exception as error:
        raise InapplicableError(f"its optimizer cannot be copied from its config ({in_short(error)})") from None
    return {**known, "optimizer": optimizer}
