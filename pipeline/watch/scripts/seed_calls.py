"""Notice that a script sets its own seed, which makes its replicas identical."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import keras

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def seed_calls() -> Iterator[list[str]]:
    """Yield a list to which each call of a function that sets a seed adds the function's name."""
    calls: list[str] = []
    functions = [(keras.utils, "set_random_seed"), (random, "seed")]  # Keras draws its own seeds from `random`
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        functions.append((tf.random, "set_seed"))
    originals = [getattr(module, name) for module, name in functions]

    def noting(name: str, function: Callable[P, R]) -> Callable[P, R]:
        def noting_call(*args: P.args, **kwargs: P.kwargs) -> R:
            calls.append(name)
            return function(*args, **kwargs)

        return noting_call

    for (module, name), function in zip(functions, originals, strict=True):
        setattr(module, name, noting(name, function))
    try:
        yield calls
    finally:
        for (module, name), function in zip(functions, originals, strict=True):
            setattr(module, name, function)
