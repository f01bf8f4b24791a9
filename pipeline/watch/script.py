"""A script run with every `fit` in it watched: once, or several times from seeds that are set from outside."""

import json
import os
import random
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import xarray as xr

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import save_text
from pipeline.foundations.formats import load_arrays, save_arrays
from pipeline.history.record import OPTIONAL, REQUIRED
from pipeline.recorder.recorder import Recorder
from pipeline.remedies import combined
from pipeline.remedies.keras_compile import remembering_compile
from pipeline.remedies.trial import InapplicableError
from pipeline.watch.applied import Applied
from pipeline.watch.autolog import arrays, watch_every_fit
from pipeline.watch.callback import Diagnosis
from pipeline.watch.script_replicas import IDENTICAL, Fit, Judged, are_identical, judged, page

Change = Callable[[Any, dict[str, Any]], None]


def run(
    script: Path,
    arguments: Sequence[str],
    ended: Callable[[Diagnosis], None],
    learned: Any = None,
    change: Change | None = None,
) -> None:
    """The script as `python3 script.py arguments` runs it, each `fit` watched.

    Args:
        change: takes a model and the arguments of its `fit` before that, and may change both.

    Raises:
        Whatever the script does, `SystemExit` among it.
    """
    undo = watch_every_fit(lambda model, given: Diagnosis(*arrays(given), learned=learned), ended, change)
    before, path = sys.argv, sys.path[0]
    sys.argv, sys.path[0] = [str(script), *arguments], str(script.resolve().parent)
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv, sys.path[0] = before, path
        undo()


def run_once(script: Path, arguments: Sequence[str], learned: Any) -> None:
    """And print a verdict for each `fit`."""
    count = iter(range(1, sys.maxsize))
    run(script, arguments, lambda each: print(f"\nfit {next(count)}, {each.model.name}\n{each.verdict}\n"), learned)


@dataclass(frozen=True)
class Asked:
    """One run of a script.

    remedies: what is done before its `fit` number `fit`, from 0.
    checks: whether to find out, when each `fit` has ended, which further remedies cannot be done to it.
    """

    script: Path
    arguments: Sequence[str]
    learned: Any
    remedies: Sequence[str] = ()
    fit: int = 0
    checks: bool = False


@dataclass(frozen=True)
class Ran:
    """The results of one run.

    change: what the remedies changed, in words. not_done: why one could not be done.
    """

    fits: Sequence[Fit]
    change: str | None
    not_done: str | None


class Progress:
    """Prints a line for each finished run. The time left is estimated from the mean time of the finished runs."""

    def __init__(self, runs: int) -> None:
        self._runs, self._finished = runs, 0
        self._began = time.monotonic()

    def finished(self, run: str, unneeded: int = 0) -> None:
        """Count a finished run, and runs that are no longer needed."""
        self._finished += 1
        self._runs -= unneeded
        runs = self._runs - self._finished
        seconds = (time.monotonic() - self._began) / self._finished * runs
        shown = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
        left = f"; {runs} run{'s' if runs > 1 else ''} left, about {shown}" if runs else ""
        print(f"{run} is finished{left}", file=sys.stderr)


def run_replica(asked: Asked, seed: int, folder: Path) -> None:
    """From a seed, and leave the record of each `fit` in a folder."""
    fits: list[dict[str, Any]] = []
    applied = Applied(asked.remedies, asked.fit, asked.checks)

    def keep(diagnosis: Diagnosis) -> None:
        if diagnosis.is_recorded:
            save_arrays(Recorder.without_logs(diagnosis.history), folder / f"{len(fits)}.nc")
            told = {"notes": list(diagnosis.verdict.notes), "reasons": dict(applied.reasons())}
            fits.append({"name": diagnosis.model.name, "number": applied.number, **told})

    keras.utils.set_random_seed(seed)
    with (
        _seeds_noticed() as seeds,
        remembering_compile() if asked.remedies or asked.checks else nullcontext(),
        suppress(InapplicableError),
    ):
        try:
            run(asked.script, asked.arguments, keep, asked.learned, applied)
        finally:
            done = {"change": applied.change, "not_done": applied.not_done}
            save_text(json.dumps({"fits": fits, "sets_its_seed": bool(seeds), **done}), folder / "fits.json")


def run_replicas(script: Path, arguments: Sequence[str], learned: Any, replicas: int, report: Path) -> None:
    """Each in a process of its own, one after the other; shares, intervals and the page of each `fit`.

    Raises:
        UserError: a run failed, or trained nothing; or all runs are identical.
    """
    many = unchanged(Asked(script, arguments, learned), replicas, report)
    save_text(page(script.name, many), report)
    print(f"report: {report}")


def unchanged(asked: Asked, replicas: int, report: Path) -> list[Judged]:
    """Run the script without a remedy, and print what became of each `fit`.

    Raises:
        UserError: a run failed, or trained nothing; or all runs are identical, which the report then says.
    """
    ran = replicated(asked, replicas, Progress(replicas))
    many = judged_fits(ran, asked.script, asked.learned)
    for each in many:
        print(each.text)
    if _are_identical(ran):
        save_text(page(asked.script.name, many), report)
        raise UserError(f"{asked.script}: {IDENTICAL}")
    return many


def replicated(asked: Asked, replicas: int, progress: Progress) -> list[Ran]:
    """Run the script from seeds 0, 1, 2, ..., each in a process of its own.

    One run is enough where a remedy cannot be done, and two where they are identical.

    Raises:
        UserError: a run without remedies failed.
    """
    found: list[Ran] = []
    with_them = f" with {combined.AND.join(asked.remedies)}" if asked.remedies else ""
    for seed in range(replicas):
        found.append(_replica(asked, seed))
        is_last = found[-1].not_done is not None or _are_identical(found)
        progress.finished(f"run {seed + 1} of {replicas}{with_them}", replicas - seed - 1 if is_last else 0)
        if is_last:
            break
    return found


def _are_identical(ran: Sequence[Ran]) -> bool:
    fits = _by_number(ran).values()
    return bool(fits) and all(are_identical(each) for each in fits)


def _by_number(ran: Sequence[Ran]) -> dict[int, list[Fit]]:
    fits: dict[int, list[Fit]] = {}
    for one in ran:
        for fit in one.fits:
            fits.setdefault(fit.number, []).append(fit)
    return fits


def judged_fits(ran: Sequence[Ran], script: Path, learned: Any) -> list[Judged]:
    """Each `fit` over its replicas.

    Raises:
        UserError: nothing was trained.
    """
    fits = _by_number(ran)
    if not fits:
        raise UserError(f"{script}: no fit in it was recorded")
    return [judged(each, learned) for each in fits.values()]


def _replica(asked: Asked, seed: int) -> Ran:
    here = str(Path(__file__).resolve().parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": str(seed)}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        command = [sys.executable, "-m", "pipeline.watch", "--seed", str(seed), "--into", str(folder)]
        command += ["--learned", json.dumps(asked.learned)] if asked.learned is not None else []
        command += [part for remedy in asked.remedies for part in ("--remedy", remedy)] + ["--fit", str(asked.fit)]
        command += ["--checks"] if asked.checks and seed == 0 else []  # it is the same from all seeds
        done = subprocess.run(
            [*command, str(asked.script), *asked.arguments], env=environment, stdout=subprocess.DEVNULL, check=False
        )
        if done.returncode and asked.remedies:
            return Ran([], None, f"the script fails with it: exit code {done.returncode} from seed {seed}")
        if done.returncode:
            raise UserError(f"{asked.script}: ended with {done.returncode} from seed {seed}")
        found = json.loads((folder / "fits.json").read_text(encoding="utf-8"))
        fits = []
        for number, fit in enumerate(found["fits"]):
            history: xr.Dataset = load_arrays(folder / f"{number}.nc", REQUIRED, OPTIONAL)
            told = found["sets_its_seed"], tuple(fit["notes"]), fit["number"], fit["reasons"]
            fits.append(Fit(fit["name"], seed, history, *told))
        return Ran(fits, found["change"], found["not_done"])


@contextmanager
def _seeds_noticed() -> Iterator[list[str]]:
    """The names of the functions that the script seeds Keras by; they do what they did."""
    noticed: list[str] = []
    places = [(keras.utils, "set_random_seed"), (random, "seed")]  # Keras draws its own seeds by the second
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        places.append((tf.random, "set_seed"))
    before = [getattr(module, name) for module, name in places]

    def noticing(name: str, function: Callable) -> Callable:
        def noticed_call(*args: Any, **kwargs: Any) -> Any:
            noticed.append(name)
            return function(*args, **kwargs)

        return noticed_call

    for (module, name), function in zip(places, before, strict=True):
        setattr(module, name, noticing(name, function))
    try:
        yield noticed
    finally:
        for (module, name), function in zip(places, before, strict=True):
            setattr(module, name, function)
