"""Train one unseen program under the callback, in a process of its own; `benchmarks.unseen` starts it.

python3 -m benchmarks.unseen.unseen_program PROGRAM.py FORM OUTPUT SEED...

FORM is faulty, repaired or good. Each training adds a line of JSON to OUTPUT: an `UnseenRun`.
"""

import importlib.util
import json
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import NotRequired, TypedDict

import keras
import tensorflow as tf

from benchmarks.reports import Report, fit_watched
from pipeline import Diagnosis

FORMS = FAULTY, REPAIRED, GOOD = "faulty", "repaired", "good"


class UnseenRun(TypedDict):
    """One training of an unseen program.

    score, is_good: by the program's own yardstick, on its held-out rows.
    outcome, cause, notices, headline: of the diagnosis.
    seconds: processor time of the training.
    error: why there is nothing else.
    """

    name: str
    form: str
    seed: int
    score: NotRequired[float]
    is_good: NotRequired[bool]
    outcome: NotRequired[str | None]
    cause: NotRequired[str | None]
    notices: NotRequired[Sequence[str]]
    headline: NotRequired[str]
    seconds: NotRequired[float]
    error: NotRequired[str]


def load(path: Path) -> ModuleType:
    """Import the program from its file."""
    name = f"unseen_{path.stem}"  # a program's file may have the name of a module that it imports
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    program = importlib.util.module_from_spec(spec)
    sys.modules[name] = program  # for classes that are pickled or saved
    spec.loader.exec_module(program)
    return program


def train(path: Path, form: str, seeds: Sequence[int]) -> Iterator[UnseenRun]:
    """Train the program once for each seed, and yield the result of each training."""
    program = load(path)
    for seed in seeds:
        run = UnseenRun(name=path.stem, form=form, seed=seed)
        try:
            yield {**run, **_trained(program, form == REPAIRED, seed)}
        except Exception as error:  # the next seed still trains
            yield {**run, "error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}


def _trained(program: ModuleType, is_repaired: bool, seed: int) -> dict[str, object]:
    keras.backend.clear_session()
    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(seed)
    x, y, x_held_out, y_held_out = program.data(fixed=is_repaired)
    model = program.model(fixed=is_repaired)
    diagnosis = Diagnosis() if isinstance(x, tf.data.Dataset) else Diagnosis(x, y)
    arguments = {"x": x, "y": y, "epochs": program.EPOCHS, "batch_size": program.BATCH}
    further = dict(program.fit_args(fixed=is_repaired)) if hasattr(program, "fit_args") else {}
    if "validation_split" not in further and not getattr(program, "NO_VALIDATION", False):
        arguments["validation_data"] = (x_held_out, y_held_out)
    start = time.process_time()
    fit_watched(model, arguments | further, diagnosis)
    seconds = round(time.process_time() - start, 1)
    score = float(program.score(model, x_held_out, y_held_out))
    report = Report.of(diagnosis)
    return {
        "score": round(score, 4),
        "is_good": score >= program.PASS,
        "outcome": report.outcome,
        "cause": report.cause,
        "notices": list(report.notices),
        "headline": diagnosis.verdict.headline,
        "seconds": seconds,
    }


def main(path: str, form: str, output: str, *seeds: str) -> None:
    """Train, and add a line to the output after each training: what is written survives a crash of the next one."""
    warnings.simplefilter("ignore")
    for run in train(Path(path), form, [int(seed) for seed in seeds]):
        with Path(output).open("a", encoding="utf-8") as file:
            file.write(json.dumps(run) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
