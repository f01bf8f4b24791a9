"""Check a model from Python, with the arguments of the later `fit`: `Diagnosis.check`."""

import inspect

import keras

from pipeline.foundations.errors import UserError
from pipeline.foundations.untyped import FitKeywords
from pipeline.params.file import one_of, unknown_key
from pipeline.watch.arguments import TASKS
from pipeline.watch.checks.check_fit import check_fit
from pipeline.watch.checks.check_line import FitChecks


def check_model(model: keras.Model, arguments: FitKeywords, task: str) -> FitChecks:
    """Check a compiled model; see `Diagnosis.check`.

    Raises:
        UserError: an argument is invalid, or the model is not compiled.
    """
    known = inspect.signature(keras.Model.fit).parameters
    for name in arguments:
        if name not in known:
            raise UserError(unknown_key(name, name, known))
    if task not in TASKS:
        raise UserError(f"task: {one_of(TASKS, task)}")
    if not getattr(model, "compiled", False):
        raise UserError(f"model: {model.name} is not compiled: call `compile` first")
    return check_fit(model, arguments, task=task)
