"""Describe what remedies changed as changes of calls in the user's script, where the calls can express it."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Final, Literal
from weakref import WeakKeyDictionary

import keras

from pipeline.foundations.untyped import FitKeywords, Unchecked
from pipeline.remedies.on_keras.keras_steps import optimizer_of
from pipeline.remedies.on_keras.trial import Trial, callbacks_of
from pipeline.remedies.remedy import MOMENTUM
from pipeline.watch.scripts.script_files import is_foreign

Where = Literal["fit", "compile", "optimizer", "callbacks", "calls"]
Site = tuple[str, int]  # file and line of a call
RECURRENT: Final = ("LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
DROPOUTS: Final = (
    "Dropout",
    "AlphaDropout",
    "GaussianDropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
)
PENALTIES: Final = tuple(f"{each}_regularizer" for each in ("kernel", "bias", "recurrent", "activity", "embeddings"))
# Remedies whose whole change shows in the arguments of `fit`, of the optimizer and of `compile`.
BY_ARGUMENTS: Final = frozenset(
    {
        *("smaller_steps", "much_smaller_steps", "larger_steps", "much_larger_steps", "adam", "clipped_gradients"),
        *("step_each_batch", "no_weight_decay", "constant_rate", "longer", "shorter", "no_early_stopping"),
        *("shuffled_rows", "rows_in_order", "larger_batches", "no_weights", "class_weights"),
    }
)


@dataclass(frozen=True)
class Change:
    """A change of one argument of a call, or of several calls.

    where: the call of `fit` or `compile` at file and line; the optimizer of class `name` that this `compile` gets; the
        callbacks that this `fit` gets, from which the call `name` is removed; or every call of `name` in the file.
    keyword: the argument.
    code: its new value as Python; None to remove it.
    position: the argument's position if it has no keyword; -1 if it always has one.
    is_new: whether the argument is added to calls that do not have it.
    """

    where: Where
    file: str
    line: int
    keyword: str
    code: str | None
    position: int = -1
    name: str = ""
    is_new: bool = True


# For remedies that change layers or callbacks: names of calls, keyword, new value, position, whether it is added.
BY_CALLS: Final[Mapping[str, Sequence[tuple[tuple[str, ...], str, str | None, int, bool]]]] = {
    "masked_padding": [(("Embedding",), "mask_zero", "True", -1, True)],
    "stateless_layers": [(RECURRENT, "stateful", "False", -1, False)],
    "quicker_statistics": [(("BatchNormalization",), "momentum", repr(MOMENTUM), 1, True)],
    "no_penalties": [(("",), keyword, None, -1, False) for keyword in PENALTIES],
    "no_dropout": [
        (DROPOUTS, "rate", "0", 0, False),
        (("GaussianNoise",), "stddev", "0", 0, False),
        *((RECURRENT, keyword, None, -1, False) for keyword in ("dropout", "recurrent_dropout")),
    ],
}
FIT_POSITIONS: Final = {"batch_size": 2, "epochs": 3, "callbacks": 5, "shuffle": 8, "class_weight": 9}


class Sites:
    """The places of the latest `compile` of each model; see `noting_compile`."""

    def __init__(self) -> None:
        self.compiled: WeakKeyDictionary[keras.Model, Site] = WeakKeyDictionary()


@contextmanager
def noting_compile() -> Iterator[Sites]:
    """Note where each model is compiled, while the block runs."""
    sites = Sites()
    own, compile_ = vars(keras.Model).get("compile"), keras.Model.compile

    @wraps(compile_)
    def noted(self: keras.Model, *args: Unchecked, **kwargs: Unchecked) -> None:
        if (site := call_site()) is not None:
            sites.compiled[self] = site
        compile_(self, *args, **kwargs)

    keras.Model.compile = noted
    try:
        yield sites
    finally:
        if own is None:
            del keras.Model.compile
        else:
            keras.Model.compile = own


def call_site() -> Site | None:
    """Return file and line of the innermost call in the user's own code."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith("<") and not is_foreign(name):
            return name, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return None


@dataclass(frozen=True)
class Snapshot:
    """A trial before the remedies."""

    arguments: FitKeywords
    optimizer: type[keras.optimizers.Optimizer]
    config: Mapping[str, object]
    callbacks: Sequence[keras.callbacks.Callback]
    parts: object

    @classmethod
    def of(cls, trial: Trial) -> "Snapshot":
        """Take the snapshot."""
        optimizer = optimizer_of(trial)
        return cls(dict(trial.arguments), type(optimizer), optimizer.get_config(), callbacks_of(trial), trial.parts)


def changes(names: Sequence[str], before: Snapshot, trial: Trial, sites: Sites) -> list[Change] | None:
    """Return the changes of calls that have the effect of the remedies; None if not all of it is known.

    Args:
        names: the remedies.
        before: the trial before them.
        trial: the trial after them.
    """
    fit, compiled = call_site(), sites.compiled.get(trial.model)
    is_known = all(name in BY_ARGUMENTS or name in BY_CALLS for name in names)
    are_data_equal = trial.parts is before.parts and trial.arguments.get("x") is before.arguments.get("x")
    if not is_known or not are_data_equal or fit is None or compiled is None:
        return None
    try:
        by_arguments = [*_of_fit(before, trial, fit), *_of_optimizer(before, trial, compiled)]
    except ValueError:
        return None
    by_calls = [
        Change("calls", fit[0], 0, keyword, code, position, name, is_new)
        for remedy in names
        for calls, keyword, code, position, is_new in BY_CALLS.get(remedy, ())
        for name in calls
    ]
    return [*by_arguments, *by_calls]


def _of_fit(before: Snapshot, trial: Trial, site: Site) -> Iterator[Change]:
    for keyword in ("epochs", "batch_size", "shuffle", "class_weight", "sample_weight"):
        old, new = before.arguments.get(keyword), trial.arguments.get(keyword)
        if new is not old and not (isinstance(new, int | float) and new == old):
            code = None if new is None else _code(new)
            yield Change("fit", *site, keyword, code, FIT_POSITIONS.get(keyword, -1))
    kept = callbacks_of(trial)
    for name in dict.fromkeys(type(each).__name__ for each in before.callbacks if each not in kept):
        yield Change("callbacks", *site, "callbacks", None, FIT_POSITIONS["callbacks"], name)


def _of_optimizer(before: Snapshot, trial: Trial, site: Site) -> Iterator[Change]:
    optimizer = optimizer_of(trial)
    if type(optimizer) is not before.optimizer:
        yield Change("compile", *site, "optimizer", f'"{type(optimizer).__name__.lower()}"', 0)
        return
    for keyword, new in optimizer.get_config().items():
        old = before.config.get(keyword)
        if new != old and keyword != "name":
            code = None if new is None else _code(new)
            position = 0 if keyword == "learning_rate" else -1
            yield Change("optimizer", *site, keyword, code, position, type(optimizer).__name__)


def _code(value: object) -> str:
    """Return a value as Python.

    Raises:
        ValueError: it is no number and no map of numbers.
    """
    if isinstance(value, bool | int):
        return repr(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict) and all(isinstance(each, int | float) for each in value.values()):
        return "{" + ", ".join(f"{key!r}: {_code(each)}" for key, each in value.items()) + "}"
    raise ValueError(value)
