"""What campaigns of trials share: their log, and what a command leaves behind."""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CAMPAIGNS = Path(__file__).resolve().parent
LINES = 3  # the most lines of an error
RIGHT = "right"
# Temporary files of TensorFlow, Dask, MLflow and Matplotlib, which only these could remove after a bad end.
FOREIGN = ("__autograph_generated_file", "dask-scratch-space", "tmp*", "matplotlib-")
PLACE = re.compile(r"\w[./]\w|[\w./-]*/[\w.-]+|\b[A-Z]+_[A-Z_]+\b")  # a path, a dotted parameter or a variable
# What Python and the libraries append to the names of temporary files, numbers of processes, and ids of MLflow.
RANDOM = re.compile(r"(?:(?<=[-_.])|(?<=\btmp))[a-z0-9_]{8}(?=$|[/.])|\b[0-9a-f]{32}\b|\b\d{3,}\b")


@dataclass(frozen=True)
class TrialLog:
    """The trials so far, one line of JSON each; a trial that was repeated has several lines, of which the last counts.

    path: the file.
    seed: the campaign's seed; trials of other seeds are left alone.
    """

    path: Path
    seed: int

    def append(self, trial: dict[str, Any]) -> None:
        """Add a trial; a kill leaves the line whole or leaves it out."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(trial) + "\n")

    def latest(self) -> dict[int, dict[str, Any]]:
        """Return the last line of each trial of this seed, by its number."""
        if not self.path.exists():
            return {}
        lines = map(json.loads, self.path.read_text(encoding="utf-8").splitlines())
        return {trial["number"]: trial for trial in lines if trial["seed"] == self.seed}

    def numbers(self, count: int, again: bool) -> list[int]:
        """Return the trials to run, so that the log has trials 1 to `count`.

        Args:
            again: also run the trials of the log that went wrong.
        """
        latest = self.latest()
        wrong = {number for number, trial in latest.items() if trial["outcome"] != RIGHT}
        return [each for each in range(1, count + 1) if each not in latest or (again and each in wrong)]

    def table(self) -> str:
        """Return the counts as Markdown: right of tried, by what was tried and by phase."""
        tried: Counter[tuple[str, str]] = Counter()
        right: Counter[tuple[str, str]] = Counter()
        for trial in self.latest().values():
            tried[trial["what"], trial["phase"]] += 1
            right[trial["what"], trial["phase"]] += trial["outcome"] == RIGHT
        rows = [f"| {what} | {phase} | {right[what, phase]} of {count} |" for (what, phase), count in tried.items()]
        rows.append(f"| all | | {right.total()} of {tried.total()} |")
        return "\n".join(["| what | phase | right |", "|---|---|---|", *rows])


def processes(folder: Path) -> dict[int, str]:
    """Return the processes that work in the folder, or whose temporary folder lies there: their commands by number."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            is_here = Path(os.readlink(place / "cwd")).is_relative_to(folder)
            variables = (place / "environ").read_bytes().split(b"\0")
            if is_here or any(each.startswith(f"TMPDIR={folder}/".encode()) for each in variables):
                command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                if command:  # a process that has ended, and whose parent has not asked for its code, has none
                    found[int(place.name)] = command
        except OSError:  # it ended, or is not ours
            continue
    return found


def kinds(names: Iterable[str]) -> set[str]:
    """Return names without their random parts."""
    return {RANDOM.sub("*", name) for name in names}


def paths(folder: Path, without: Iterable[str] = ()) -> Iterator[str]:
    """Yield the path of each file and each empty folder, relative to `folder`.

    Args:
        without: paths that are left out, with all below them.
    """
    for place, folders, files in os.walk(folder):
        above = Path(place).relative_to(folder)
        folders[:] = [name for name in folders if str(above / name) not in without and name != "__pycache__"]
        yield from (str(above / name) for name in files if str(above / name) not in without)
        if not folders and not files and place != str(folder):
            yield f"{above}/"


def complaint(code: int | None, errors: str) -> str | None:
    """Return what is wrong with how a failing command reports its failure; None if nothing is.

    Args:
        code: its exit code; negative for a signal, None if it did not end in time.
        errors: what it wrote to standard error.
    """
    if code is None:
        return "it did not end in time"
    if "Traceback" in errors:
        return f"a traceback: {errors.strip().splitlines()[-1][:200]}"
    if code <= 0:
        return f"exit code {code}"
    lines = [line for line in errors.splitlines() if line.strip()]
    if not 1 <= len(lines) <= LINES:
        return f"{len(lines)} lines: {' / '.join(lines)[:300]}"
    if not any(PLACE.search(line) for line in lines):
        return f"no place: {' / '.join(lines)[:300]}"
    return None


def anonymous(text: str, folder: Path) -> str:
    """Return the text without paths of this machine."""
    for place, name in ((folder, "FOLDER"), (sys.prefix, "ENVIRONMENT"), (CAMPAIGNS.parent.parent, "REPOSITORY")):
        text = text.replace(str(place), name)
    return text
