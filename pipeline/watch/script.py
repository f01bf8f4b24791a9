"""A script run with every `fit` in it watched: once, or several times from seeds that are set from outside."""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import xarray as xr

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import save_text
from pipeline.foundations.formats import load_arrays, save_arrays
from pipeline.history.record import OPTIONAL, REQUIRED
from pipeline.training.fit.recorder import Recorder
from pipeline.watch.autolog import arrays, watch_every_fit
from pipeline.watch.callback import Diagnosis
from pipeline.watch.replicas import Fit, judged, page


def run(script: Path, arguments: Sequence[str], ended: Callable[[Diagnosis], None], learned: Any = None) -> None:
    """The script as `python3 script.py arguments` runs it, each `fit` watched.

    Raises:
        Whatever the script does, `SystemExit` among it.
    """
    undo = watch_every_fit(lambda model, given: Diagnosis(*arrays(given), learned=learned), ended)
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


def run_replica(script: Path, arguments: Sequence[str], learned: Any, seed: int, folder: Path) -> None:
    """From a seed, and leave the record of each `fit` in a folder."""
    fits: list[dict[str, Any]] = []

    def keep(diagnosis: Diagnosis) -> None:
        if diagnosis.is_recorded:
            save_arrays(Recorder.without_logs(diagnosis.history), folder / f"{len(fits)}.nc")
            fits.append({"name": diagnosis.model.name, "notes": list(diagnosis.verdict.notes)})

    keras.utils.set_random_seed(seed)
    with _seeds_noticed() as seeds:
        try:
            run(script, arguments, keep, learned)
        finally:
            save_text(json.dumps({"fits": fits, "sets_its_seed": bool(seeds)}), folder / "fits.json")


def run_replicas(script: Path, arguments: Sequence[str], learned: Any, replicas: int, report: Path) -> None:
    """Each in a process of its own, one after the other; shares, intervals and the page of each `fit`.

    Raises:
        UserError: a run failed, or trained nothing.
    """
    fits: dict[int, list[Fit]] = {}
    with TemporaryDirectory() as temporary:
        for seed in range(replicas):
            folder = Path(temporary, str(seed))
            folder.mkdir()
            for number, fit in enumerate(_replica(script, arguments, learned, seed, folder)):
                fits.setdefault(number, []).append(fit)
            print(f"replica {seed + 1} of {replicas}", file=sys.stderr)
        if not fits:
            raise UserError(f"{script}: no fit in it was recorded")
        many = [judged(each, learned) for each in fits.values()]
    for each in many:
        print(each.text)
    save_text(page(script.name, many), report)
    print(f"report: {report}")


def _replica(script: Path, arguments: Sequence[str], learned: Any, seed: int, folder: Path) -> Iterator[Fit]:
    command = [sys.executable, "-m", "pipeline.watch", "--seed", str(seed), "--into", str(folder)]
    command += ["--learned", json.dumps(learned)] if learned is not None else []
    here = str(Path(__file__).resolve().parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": str(seed)}
    done = subprocess.run([*command, str(script), *arguments], env=environment, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise UserError(f"{script}: ended with {done.returncode} from seed {seed}")
    found = json.loads((folder / "fits.json").read_text(encoding="utf-8"))
    for number, fit in enumerate(found["fits"]):
        history: xr.Dataset = load_arrays(folder / f"{number}.nc", REQUIRED, OPTIONAL)
        yield Fit(fit["name"], seed, history, found["sets_its_seed"], tuple(fit["notes"]))


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
