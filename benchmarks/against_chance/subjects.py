"""The failing programs of the comparison: how to prepare one with remedies, train it, and judge it by its yardstick."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final, Protocol

import keras
import tensorflow as tf

from benchmarks.known_faults import runs as known_runs
from benchmarks.known_faults.programs import ALL
from benchmarks.reports import Report, fit_watched
from benchmarks.unseen.unseen_program import load
from benchmarks.unseen.unseen_runs import FAULTY, FOLDER, SETS, program_files
from pipeline import Diagnosis
from pipeline.remedies.on_keras.keras_compile import remembering_compile
from pipeline.remedies.on_keras.keras_remedies import KERAS_REMEDIES, apply, inapplicable
from pipeline.remedies.on_keras.trial import TRAIN, InapplicableError, Part, Trial

VALIDATION: Final = "validation"


class Subject(Protocol):
    """A failing program."""

    def trial(self) -> Trial:
        """Build the faulty program's model, data and arguments of `fit`."""
        ...

    def arguments(self, trial: Trial) -> Mapping[str, Any]:
        """Return all arguments of `fit`."""
        ...

    def diagnosis(self, trial: Trial) -> Diagnosis:
        """Return the callback for the trial."""
        ...

    def is_good(self, trial: Trial) -> bool:
        """Return whether the trained model is good by the program's own yardstick."""
        ...


@dataclass(frozen=True)
class KnownFault:
    """A program of `benchmarks.known_faults`."""

    name: str

    def trial(self) -> Trial:
        """Build the faulty program's model, data and arguments of `fit`."""
        return known_runs.trial_of(ALL[self.name], is_repaired=False)

    def arguments(self, trial: Trial) -> Mapping[str, Any]:
        """Return all arguments of `fit`."""
        return known_runs.arguments_of_fit(trial, self._data(trial))

    def diagnosis(self, trial: Trial) -> Diagnosis:
        """Return the callback, with the program's threshold where it has one."""
        learned, data = ALL[self.name].learned, self._data(trial)
        return Diagnosis(data.x, data.y, learned=None if known_runs.LOGGED in learned else learned)

    def is_good(self, trial: Trial) -> bool:
        """Return whether the score on the judged rows is above the program's threshold."""
        program = ALL[self.name]
        return known_runs.is_good(program, known_runs.scores_of(program, trial.model, self._data(trial)))

    @staticmethod
    def _data(trial: Trial) -> known_runs.ProgramData:
        return known_runs.ProgramData(*trial.parts[TRAIN], *trial.parts.get(VALIDATION, ()))


class UnseenFault:
    """A program of `benchmarks.unseen`."""

    def __init__(self, path: Path) -> None:
        """Import the program from its file."""
        self._program = load(path)

    def trial(self) -> Trial:
        """Build the faulty program's model, data and arguments of `fit`."""
        program = self._program
        x, y, x_held_out, y_held_out = program.data(fixed=False)
        further = dict(program.fit_args(fixed=False)) if hasattr(program, "fit_args") else {}
        parts: dict[str, Part] = {} if isinstance(x, tf.data.Dataset) else {TRAIN: (x, y)}
        self._data_set = None if parts else x
        self._has_validation = "validation_split" not in further and not getattr(program, "NO_VALIDATION", False)
        parts[VALIDATION] = (x_held_out, y_held_out)
        arguments = {"epochs": program.EPOCHS, "batch_size": program.BATCH, **further}
        return Trial(program.model(fixed=False), parts, arguments, may_rebuild=True)

    def arguments(self, trial: Trial) -> Mapping[str, Any]:
        """Return all arguments of `fit`."""
        x, y = trial.parts.get(TRAIN, (self._data_set, None))
        validation = {"validation_data": trial.parts[VALIDATION]} if self._has_validation else {}
        return {"x": x, "y": y, **validation, **trial.arguments}

    def diagnosis(self, trial: Trial) -> Diagnosis:
        """Return the callback."""
        return Diagnosis(*trial.parts.get(TRAIN, ()))

    def is_good(self, trial: Trial) -> bool:
        """Return whether the program's score on held-out rows passes."""
        return bool(self._program.score(trial.model, *trial.parts[VALIDATION]) >= self._program.PASS)


@dataclass(frozen=True)
class RemediedRun:
    """One training with remedies.

    name: the cause or notice that the user reads first.
    """

    is_good: bool
    name: str | None


def unseen_paths() -> dict[str, Path]:
    """Return the files of the unseen faulty programs by name."""
    files = (program_files(FOLDER / name) for name in SETS)
    return {path.stem: path for path, form in chain.from_iterable(files) if form == FAULTY}


def subject(name: str) -> Subject:
    """Return the program of this name."""
    return KnownFault(name) if name in ALL else UnseenFault(unseen_paths()[name])


def train(program: Subject, seed: int, remedies: Sequence[str], is_watched: bool) -> RemediedRun:
    """Train once from the seed, and judge; a training that a remedy makes fail is not good.

    Args:
        is_watched: whether the callback watches, which names the fault.
    """
    trial = _seeded_trial(program, seed, remedies)
    if trial is None:
        return RemediedRun(is_good=False, name=None)
    diagnosis = program.diagnosis(trial) if is_watched else None
    try:
        fit_watched(trial.model, program.arguments(trial), diagnosis)
        is_good = program.is_good(trial)
    except Exception:
        if not remedies:
            raise
        is_good = False
    return RemediedRun(is_good, Report.of(diagnosis).name if diagnosis else None)


def applicable(program: Subject, seed: int) -> list[str]:
    """Return the remedies that can be applied to the program."""
    with remembering_compile():
        _start(seed)
        trial = program.trial()
        obstacles = inapplicable(trial, was_traced=False)
    return [name for name in sorted(KERAS_REMEDIES) if name not in obstacles]


def _seeded_trial(program: Subject, seed: int, remedies: Sequence[str]) -> Trial | None:
    _start(seed)
    with remembering_compile() if remedies else nullcontext():
        trial = program.trial()
        try:
            if remedies:
                apply(remedies, trial)
        except InapplicableError:
            return None
    return trial


def _start(seed: int) -> None:
    keras.backend.clear_session()
    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(seed)
