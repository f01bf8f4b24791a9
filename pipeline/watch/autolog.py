"""Every `fit` of a script is watched, with nothing else changed: `import pipeline; pipeline.autolog()`."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any, Final

import keras
from pydantic import Field

from pipeline.foundations.errors import UserError
from pipeline.params.file import StrictSection, check, unknown_key
from pipeline.recorder.guard import LOG, Guard
from pipeline.watch.arguments import Arguments, expect_arrays
from pipeline.watch.callback import Diagnosis
from pipeline.watch.mlflow_run import is_wanted

RUNS: Final = 50  # that MLflow gets from one script: a tuner's loop would make hundreds
_undo: Callable[[], None] | None = None


class _Own(StrictSection):
    """The arguments of `autolog` itself."""

    disable: bool
    mlflow_runs: int = Field(ge=0)


def autolog(disable: bool = False, *, mlflow_runs: int = RUNS, **options: Any) -> None:
    """Watch every `fit` from here on, and print its verdict when it ends.

    A `fit` that has a `Diagnosis` already is left to it.

    Args:
        disable: watch no more, and leave Keras as it was.
        mlflow_runs: after so many runs of its own MLflow gets no more; verdicts go on.
        options: of `Diagnosis`, all but the data.

    Raises:
        UserError: an argument is invalid; what was watched before still is.
    """
    global _undo
    for name in options:
        if name not in Arguments.model_fields:
            raise UserError(unknown_key(name, name, Arguments.model_fields))
    check({"disable": disable, "mlflow_runs": mlflow_runs}, "", _Own)
    Diagnosis(**options)  # an invalid option is reported now, and not in somebody's training
    if _undo is not None:
        _undo()
        _undo = None
    if not disable:
        _undo = watch_every_fit(_Each(options, mlflow_runs), lambda diagnosis: print(diagnosis.verdict))


def watch_every_fit(
    make: Callable[[Any, Mapping[str, Any]], Diagnosis],
    ended: Callable[[Diagnosis], None],
    change: Callable[[Any, dict[str, Any]], None] | None = None,
) -> Any:
    """Give every `fit` a callback.

    Args:
        make: takes the model and the arguments of `fit`. ended: called with the callback, however `fit` ended.
        change: takes the same before, and may change both, or raise.

    Returns:
        A function that undoes it.
    """
    own = vars(keras.Model).get("fit")
    fit = keras.Model.fit
    signature = inspect.signature(fit)
    guard = Guard()

    @wraps(fit)
    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        diagnosis = None
        if change is not None:
            bound = signature.bind(self, *args, **kwargs)
            change(self, bound.arguments)
            args, kwargs = bound.args[1:], bound.kwargs
        with guard("watch this fit"):
            bound = signature.bind(self, *args, **kwargs)
            given = bound.arguments
            callbacks = given.get("callbacks")
            listed = callbacks if isinstance(callbacks, list | tuple) else [callbacks] if callbacks else []
            inner = callbacks.callbacks if isinstance(callbacks, keras.callbacks.CallbackList) else listed
            if not any(isinstance(each, Diagnosis) for each in keras.tree.flatten(list(inner))):
                if isinstance(callbacks, keras.callbacks.CallbackList):
                    raise TypeError("its callbacks are a CallbackList")
                diagnosis = make(self, given)
                bound.arguments["callbacks"] = [*listed, diagnosis]
                args, kwargs = bound.args[1:], bound.kwargs
        try:
            return fit(self, *args, **kwargs)
        finally:
            if diagnosis is not None:
                with guard("judge this fit"):
                    diagnosis.close()
                    ended(diagnosis)

    def undo() -> None:
        if vars(keras.Model).get("fit") is not watched:
            LOG.warning("pipeline.watch: somebody else has replaced `fit` since: it is left as it is")
        elif own is None:
            del keras.Model.fit
        else:
            keras.Model.fit = own

    keras.Model.fit = watched
    return undo


class _Each:
    """Makes the callback of each `fit`; one model's goes on where the last `fit` was of the same model."""

    def __init__(self, options: Mapping[str, Any], mlflow_runs: int) -> None:
        self._options = options
        self._left = mlflow_runs
        self._last: Diagnosis | None = None

    def __call__(self, model: Any, given: Mapping[str, Any]) -> Diagnosis:
        if self._last is not None and self._last.watching is not None and self._last.model is model:
            return self._last
        options = dict(self._options)
        if is_wanted(options.get("mlflow")):
            if self._left == 0:
                LOG.warning("pipeline.watch: MLflow has all the runs that one script may make: it gets no more")
            if self._left <= 0:
                options["mlflow"] = False
            self._left -= 1
        self._last = Diagnosis(*arrays(given), **options)
        return self._last


def arrays(given: Mapping[str, Any]) -> tuple[Any, Any]:
    """Inputs and targets of `fit`'s arguments where they are arrays, and all of them are trained on; else None."""
    x, y = given.get("x"), given.get("y")
    if y is None or given.get("validation_split"):
        return None, None
    with suppress(Exception):
        expect_arrays(x, y)
        return x, y
    return None, None
