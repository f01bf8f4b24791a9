"""Run a set of unseen programs, each form in its own process, and keep the result of every training."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Final

from benchmarks.processes import ONE_THREAD, PROCESSES
from benchmarks.unseen.unseen_program import FAULTY, GOOD, REPAIRED, UnseenRun
from pipeline.foundations.files import load_json, save_text

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = Path(__file__).parent
SETS: Final = ("first", "second", "recurrent")  # folders, in the order in which they were scored
MODULE: Final = "benchmarks.unseen.unseen_program"


def program_files(folder: Path) -> list[tuple[Path, str]]:
    """Return the file and the form of everything that there is to train: faulty, repaired and good programs."""
    faulty, good = sorted((folder / "faulty").glob("*.py")), sorted((folder / "good").glob("*.py"))
    return [*((path, form) for path in faulty for form in (FAULTY, REPAIRED)), *((path, GOOD) for path in good)]


def accepted_names(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the accepted causes and notices by program, from truth.json; the first one is the kind of fault.

    Words in brackets are remarks: "imbalanced (with the notice ignored_class_weight)" accepts `imbalanced` alone.
    """
    path = folder / "truth.json"
    truth = load_json(path) if path.exists() else {}
    return {name: tuple(map(_without_remark, names)) for name, names in truth.items() if isinstance(names, list)}


def _without_remark(name: str) -> str:
    return re.sub(r"\(.*?\)", "", name).strip()


def run_all(
    programs: Sequence[tuple[Path, str]], seeds: Sequence[int], limit: float, report: Callable[[UnseenRun], None]
) -> list[UnseenRun]:
    """Train all programs, some at a time.

    Args:
        limit: seconds that all seeds of a program may take together.
        report: called with each training as soon as its process has ended.
    """
    results: list[UnseenRun] = []
    with ThreadPoolExecutor(PROCESSES) as pool:
        for future in as_completed([pool.submit(run_one, *each, seeds, limit) for each in programs]):
            for run in future.result():
                report(run)
                results.append(run)
    return sorted(results, key=lambda run: (run["form"], run["name"], run["seed"]))


def run_one(path: Path, form: str, seeds: Sequence[int], limit: float) -> list[UnseenRun]:
    """Train a program in a fresh interpreter; a training that the process does not survive has an `error`."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "runs.jsonl"
        command = [sys.executable, "-m", MODULE, str(path.resolve()), form, str(output), *map(str, seeds)]
        environment = os.environ | ONE_THREAD | {"CUDA_VISIBLE_DEVICES": "-1"}
        try:
            process = subprocess.run(
                command, cwd=ROOT, env=environment, timeout=limit, capture_output=True, text=True, check=False
            )
            lines = process.stderr.strip().splitlines() or ["no message"]
            error = f"exit code {process.returncode}: {lines[-1][:300]}"
        except subprocess.TimeoutExpired:
            error = f"stopped at the time limit of {limit:.0f} s"
        lines = output.read_text(encoding="utf-8").splitlines() if output.exists() else []
    runs: list[UnseenRun] = [json.loads(line) for line in lines]
    ended = {run["seed"] for run in runs}
    return runs + [UnseenRun(name=path.stem, form=form, seed=seed, error=error) for seed in seeds if seed not in ended]


def save_results(runs: Iterable[UnseenRun], folder: Path) -> None:
    """Write results.json: the result of each training, one per line."""
    lines = ",\n".join(json.dumps(run) for run in runs)
    save_text(f"[\n{lines}\n]\n", folder / "results.json")


def load_results(folder: Path) -> list[UnseenRun]:
    """Return the trainings by which the set was scored; none if it was never scored."""
    path = folder / "results.json"
    return load_json(path) if path.exists() else []
