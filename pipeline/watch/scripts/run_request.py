"""Define one run of a script in a process of its own: what it is asked for, what comes of it, and its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from pipeline.foundations.formats import load_arrays
from pipeline.history.record import OPTIONAL, REQUIRED
from pipeline.watch.arguments import Learned
from pipeline.watch.scripts.script_files import FileUse
from pipeline.watch.scripts.script_replicas import FitRecord
from pipeline.watch.scripts.source_changes import Change, Site

FILE: Final = "fits.json"  # the file that a run writes beside its records


@dataclass(frozen=True)
class RunRequest:
    """One run of a script.

    remedies: the names of the remedies to apply.
    fit: the number of the `fit` to which the remedies are applied, from 0.
    has_checks: whether to check after each `fit` which further remedies cannot be applied to it.
    """

    script: Path
    arguments: Sequence[str]
    learned: Learned
    remedies: Sequence[str] = ()
    fit: int = 0
    has_checks: bool = False


@dataclass(frozen=True)
class FitEntry:
    """A `fit` in the file of a run; its record is the file `<place in the list>.nc` beside this file."""

    name: str
    number: int
    notes: Sequence[str]
    reasons: Mapping[str, str]


@dataclass(frozen=True)
class RunEntry:
    """The contents of the file of a run.

    change: what the remedies changed, in words.
    not_done: why a remedy could not be applied.
    source_changes: the same changes of calls in the script; None if they are not all known.
    fit_site: file and line of the `fit` that the remedies changed.
    files: the files that the script read and wrote.
    seconds: how long the script took.
    megabytes: the memory that the process needed.
    has_gpu: whether TensorFlow had a GPU.
    """

    fits: Sequence[FitEntry]
    sets_its_seed: bool
    change: str | None
    not_done: str | None
    source_changes: Sequence[Change] | None = None
    fit_site: Site | None = None
    files: FileUse = field(default_factory=FileUse)
    seconds: float = 0.0
    megabytes: float = 0.0
    has_gpu: bool = False


RUN_FILE = TypeAdapter(RunEntry)


@dataclass(frozen=True)
class RunResult:
    """The results of one run.

    fits: the records, in order.
    change, not_done, source_changes, fit_site: see `RunEntry`.
    """

    fits: Sequence[FitRecord]
    change: str | None
    not_done: str | None
    source_changes: Sequence[Change] | None = None
    fit_site: Site | None = None


def load_entry(folder: Path) -> RunEntry:
    """Read the file of a run."""
    return RUN_FILE.validate_json((folder / FILE).read_bytes())


def load_result(folder: Path, seed: int) -> RunResult:
    """Read the results of a run from its folder."""
    entry = load_entry(folder)
    fits = [
        FitRecord(
            name=fit.name,
            seed=seed,
            history=load_arrays(folder / f"{place}.nc", REQUIRED, OPTIONAL),
            sets_its_seed=entry.sets_its_seed,
            notes=tuple(fit.notes),
            number=fit.number,
            reasons=fit.reasons,
        )
        for place, fit in enumerate(entry.fits)
    ]
    return RunResult(fits, entry.change, entry.not_done, entry.source_changes, entry.fit_site)
