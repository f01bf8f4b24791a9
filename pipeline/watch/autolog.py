"""Watch every `fit` of a script with one call: `import pipeline; pipeline.autolog()`."""

import inspect
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Final, Unpack

import keras

from pipeline.foundations.errors import UserError
from pipeline.foundations.untyped import Batch, FitKeywords, Unchecked
from pipeline.params.file import check, unknown_key
from pipeline.recorder.guard import LOG, Guard
from pipeline.watch.arguments import Arguments, AutologArguments, DiagnosisOptions, expect_arrays
from pipeline.watch.callback import Diagnosis
from pipeline.watch.mlflow_run import is_wanted

RUNS: Final = 50  # MLflow runs of one script: the loop of a tuner would make hundreds
_undo: Callable[[], None] | None = None


def autolog(disable: bool = False, *, mlflow_runs: int = RUNS, **options: Unpack[DiagnosisOptions]) -> None:
    """Watch every later `fit`, and print its verdict when it ends.

    A `fit` with a `Diagnosis` of its own is left alone.

    Args:
        disable: stop watching, and restore Keras's `fit`.
        mlflow_runs: the largest number of runs in MLflow; after these, only verdicts are printed.
        options: the arguments of `Diagnosis`, except `x` and `y`.

    Raises:
        UserError: an argument is invalid; an earlier `autolog` then stays in effect.
    """
    global _undo
    for name in options:
        if name not in Arguments.model_fields:
            raise UserError(unknown_key(name, name, Arguments.model_fields))
    check({"disable": disable, "mlflow_runs": mlflow_runs}, "", AutologArguments)
    Diagnosis(**options)  # reports an invalid option now, and not during a training
    if _undo is not None:
        _undo()
        _undo = None
    if not disable:
        _undo = watch_every_fit(_CallbackMaker(options, mlflow_runs), lambda diagnosis: print(diagnosis.verdict))


def watch_every_fit(
    make: Callable[[keras.Model, FitKeywords], Diagnosis],
    on_end: Callable[[Diagnosis], None],
    change: Callable[[keras.Model, FitKeywords], None] | None = None,
) -> Callable[[], None]:
    """Add a callback to every `fit`, and return a function that restores Keras's `fit`.

    Args:
        make: takes the model and the arguments of `fit`; returns the callback.
        on_end: called with the callback when `fit` ends, also after an error.
        change: called with the model and the arguments of `fit` before `make`; may change both, or raise.
    """
    own = vars(keras.Model).get("fit")
    fit = keras.Model.fit
    signature = inspect.signature(fit)
    guard = Guard()

    @wraps(fit)
    def watched(self: keras.Model, *args: Unchecked, **kwargs: Unchecked) -> keras.callbacks.History:
        diagnosis = None
        if change is not None:
            call = signature.bind(self, *args, **kwargs)
            change(self, call.arguments)
            args, kwargs = call.args[1:], call.kwargs
        with guard("watch this fit"):
            call = signature.bind(self, *args, **kwargs)
            if not _is_watched(call.arguments):
                diagnosis = make(self, call.arguments)
                call.arguments["callbacks"] = [*_callbacks(call.arguments), diagnosis]
                args, kwargs = call.args[1:], call.kwargs
        try:
            return fit(self, *args, **kwargs)
        finally:
            if diagnosis is not None:
                with guard("judge this fit"):
                    diagnosis.close()
                    on_end(diagnosis)

    def undo() -> None:
        if vars(keras.Model).get("fit") is not watched:
            LOG.warning(
                "pipeline.watch: another library has replaced `fit` since autolog(): cannot restore Keras's `fit`"
            )
        elif own is None:
            del keras.Model.fit
        else:
            keras.Model.fit = own

    keras.Model.fit = watched
    return undo


def arrays(arguments: FitKeywords) -> tuple[Batch, Batch]:
    """Return inputs and targets of a `fit`; None and None if they are no arrays, or with `validation_split`."""
    x, y = arguments.get("x"), arguments.get("y")
    if y is None or arguments.get("validation_split"):
        return None, None
    with suppress(Exception):
        expect_arrays(x, y)
        return x, y
    return None, None


def _callbacks(arguments: FitKeywords) -> list[keras.callbacks.Callback]:
    """Return the callbacks that the user gave to `fit`.

    Raises:
        TypeError: they are a CallbackList, to which no callback can be added.
    """
    callbacks = arguments.get("callbacks")
    if isinstance(callbacks, keras.callbacks.CallbackList):
        raise TypeError("`callbacks` is a CallbackList: must be a list")
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks] if callbacks else []


def _is_watched(arguments: FitKeywords) -> bool:
    callbacks = arguments.get("callbacks")
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return any(isinstance(each, Diagnosis) for each in callbacks.callbacks)
    return any(isinstance(each, Diagnosis) for each in keras.tree.flatten(_callbacks(arguments)))


class _CallbackMaker:
    """Makes the callback of each `fit`; if the last `fit` had the same model, its callback is used again."""

    def __init__(self, options: DiagnosisOptions, mlflow_runs: int) -> None:
        self._options = options
        self._runs_left = mlflow_runs
        self._last: Diagnosis | None = None

    def __call__(self, model: keras.Model, arguments: FitKeywords) -> Diagnosis:
        if self._last is not None and self._last.watching is not None and self._last.model is model:
            return self._last
        options = self._options.copy()
        if is_wanted(options.get("mlflow")):
            if self._runs_left == 0:
                LOG.warning(
                    "pipeline.watch: this `fit` is not written to MLflow: raise autolog(mlflow_runs=...) for more runs"
                )
            if self._runs_left <= 0:
                options["mlflow"] = False
            self._runs_left -= 1
        self._last = Diagnosis(*arrays(arguments), **options)
        return self._last
