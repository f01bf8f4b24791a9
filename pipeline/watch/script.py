"""A script run with every `fit` in it watched: once, or several times from seeds that are set from outside."""

import json
import os
import runpy
import subprocess
import sys
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
from pipeline.training.fit.rebuilt import InapplicableError
from pipeline.training.fit.recorder import Recorder
from pipeline.training.fit.remedied import remembering_compile
from pipeline.watch.applied import Applied
from pipeline.watch.autolog import arrays, watch_every_fit
from pipeline.watch.callback import Diagnosis
from pipeline.watch.replicas import Fit, Judged, judged, page

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
    """One run of a script. remedies: what is done before its `fit` number `fit`, from 0."""

    script: Path
    arguments: Sequence[str]
    learned: Any
    remedies: Sequence[str] = ()
    fit: int = 0


@dataclass(frozen=True)
class Ran:
    """What came of it. change: what the remedies changed, in words. not_done: why one could not be done."""

    fits: Sequence[Fit]
    change: str | None
    not_done: str | None


def run_replica(asked: Asked, seed: int, folder: Path) -> None:
    """From a seed, and leave the record of each `fit` in a folder."""
    fits: list[dict[str, Any]] = []
    applied = Applied(asked.remedies, asked.fit)

    def keep(diagnosis: Diagnosis) -> None:
        if diagnosis.is_recorded:
            save_arrays(Recorder.without_logs(diagnosis.history), folder / f"{len(fits)}.nc")
            fits.append({"name": diagnosis.model.name, "notes": list(diagnosis.verdict.notes)})

    keras.utils.set_random_seed(seed)
    with (
        _seeds_noticed() as seeds,
        remembering_compile() if asked.remedies else nullcontext(),
        suppress(InapplicableError),
    ):
        try:
            run(asked.script, asked.arguments, keep, asked.learned, applied if asked.remedies else None)
        finally:
            done = {"change": applied.change, "not_done": applied.not_done}
            save_text(json.dumps({"fits": fits, "sets_its_seed": bool(seeds), **done}), folder / "fits.json")


def run_replicas(script: Path, arguments: Sequence[str], learned: Any, replicas: int, report: Path) -> None:
    """Each in a process of its own, one after the other; shares, intervals and the page of each `fit`.

    Raises:
        UserError: a run failed, or trained nothing.
    """
    many = judged_fits(replicated(Asked(script, arguments, learned), replicas, "replica"), script, learned)
    for each in many:
        print(each.text)
    save_text(page(script.name, many), report)
    print(f"report: {report}")


def replicated(asked: Asked, replicas: int, what: str) -> list[Ran]:
    """From seeds 0, 1, 2, ..., each in a process of its own; a remedy that cannot be done is asked for once.

    Args:
        what: is done, for the line of progress.

    Raises:
        UserError: a run failed.
    """
    found: list[Ran] = []
    for seed in range(replicas):
        found.append(_replica(asked, seed))
        print(f"{what} {seed + 1} of {replicas}", file=sys.stderr)
        if found[-1].not_done is not None:
            break
    return found


def judged_fits(ran: Sequence[Ran], script: Path, learned: Any) -> list[Judged]:
    """Each `fit` over its replicas.

    Raises:
        UserError: nothing was trained.
    """
    fits: dict[int, list[Fit]] = {}
    for one in ran:
        for number, fit in enumerate(one.fits):
            fits.setdefault(number, []).append(fit)
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
        done = subprocess.run(
            [*command, str(asked.script), *asked.arguments], env=environment, stdout=subprocess.DEVNULL, check=False
        )
        if done.returncode:
            with_it = "".join(f", {remedy}" for remedy in asked.remedies)
            raise UserError(f"{asked.script}: ended with {done.returncode} from seed {seed}{with_it}")
        found = json.loads((folder / "fits.json").read_text(encoding="utf-8"))
        fits = []
        for number, fit in enumerate(found["fits"]):
            history: xr.Dataset = load_arrays(folder / f"{number}.nc", REQUIRED, OPTIONAL)
            fits.append(Fit(fit["name"], seed, history, found["sets_its_seed"], tuple(fit["notes"])))
        return Ran(fits, found["change"], found["not_done"])


@contextmanager
def _seeds_noticed() -> Iterator[list[str]]:
    """The names of the functions that the script seeds Keras by; they do what they did."""
    noticed: list[str] = []
    places = [(keras.utils, "set_random_seed")]
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
