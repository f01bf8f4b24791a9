"""Keep finished runs of a script for a day, so that an interrupted command goes on where it stopped.

A run is kept in the user's cache folder, under a hash of all that is known before it runs: the script's text, its
arguments, folder and environment, the remedies, the seed, the versions of the libraries and this package's code. It
counts only while each file that it read is unchanged: modules beside the script, data that Python opens, and files that
the script names. Other data (files that C++ opens by a computed name, a database, the network) is not noticed, so kept
runs are announced, and end after a day.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

from pipeline.params.shipped import shipped
from pipeline.watch.scripts.run_request import FILE, RunRequest, load_entry
from pipeline.watch.scripts.script_files import state

LONGEST: Final = 24 * 3600  # seconds
PACKAGE: Final = Path(__file__).resolve().parents[2]
# Variables of the environment that change with each terminal and no result.
IRRELEVANT: Final = ("_", "PWD", "OLDPWD", "SHLVL", "TERM", "COLUMNS", "LINES", "WINDOWID", "TMUX", "STY")
IRRELEVANT_STARTS: Final = ("SSH_", "XDG_", "DBUS_", "TERM_", "VSCODE_", "GPG_", "PYTEST_")


@dataclass(frozen=True)
class KeptRuns:
    """The kept runs.

    folder: where they are kept.
    is_fresh: whether no kept run counts.
    """

    folder: Path = field(default_factory=lambda: user_cache_path("why-deep-networks-fail-to-train") / "runs")
    is_fresh: bool = False

    def clean(self) -> None:
        """Remove runs that are too old, also those of other scripts."""
        for each in self.folder.glob("*"):
            if not _is_recent(each) and time.time() - each.stat().st_mtime > LONGEST:
                shutil.rmtree(each, ignore_errors=True)

    def find(self, request: RunRequest, seed: int) -> Path | None:
        """Return the folder of a kept run that still counts; None if there is none."""
        folder = self.place(request, seed)
        if self.is_fresh or not _is_recent(folder):
            return None
        try:
            files = load_entry(folder).files.read
        except (OSError, ValueError):  # written by another version
            return None
        return folder if all(state(path) == tuple(known) for path, known in files.items()) else None

    def place(self, request: RunRequest, seed: int) -> Path:
        """Return the folder where a run will be kept; call this before the run, as the script may change meanwhile."""
        return self.folder / key(request, seed)


def keep(finished: Path, place: Path) -> None:
    """Move the folder of a finished run to its place; without space or the right to write, nothing is kept."""
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(finished, place.with_suffix(".new"), dirs_exist_ok=True)
        os.replace(place.with_suffix(".new"), place)


def finished_at(folder: Path) -> float:
    """Return when a run ended, in seconds since 1970."""
    return (folder / FILE).stat().st_mtime


def key(request: RunRequest, seed: int) -> str:
    """Return the hash of all that is known of a run before it begins."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in IRRELEVANT and not name.startswith(IRRELEVANT_STARTS)
    }
    script = request.script.resolve()
    parts = [
        *(str(script), script.read_text(encoding="utf-8", errors="replace"), os.getcwd(), list(request.arguments)),
        *(request.learned, list(request.remedies), request.fit, request.has_checks and seed == 0, seed),
        *(environment, _versions(), _code()),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


@cache
def _versions() -> list[str]:
    return [sys.version, *sorted(f"{each.name} {each.version}" for each in distributions())]


@cache
def _code() -> str:
    """Return the hash of this package's code and of the parameters that are shipped with it."""
    digest = hashlib.sha256()
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.json")]):
        digest.update(path.read_bytes())
    digest.update(json.dumps(shipped(), sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _is_recent(folder: Path) -> bool:
    try:
        return time.time() - finished_at(folder) < LONGEST
    except OSError:
        return False
