"""Run on bad inputs what a user runs: `python3 tests/campaigns/inputs.py --count 1000 [--seed 0] [--only KIND]`.

Each mutant spoils one input: params.yaml, a table, arrays, a network, a run's files, data, evaluations, studies, DVC's
lock, the manifest, MLflow's store or event files. Each command that reads it must succeed, or end with exit code 1 and
one to three lines that name the place; see `ground`. Payloads in the inputs would create canary files if anything
executed them. The log has the counts by kind and a line for each offender.
"""

import argparse
import heapq
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from campaigns import network_mutants, params_mutants, run_mutants, store_mutants, table_mutants
from campaigns.ground import LINES, Ground, import_what_commands_need, offence, variables
from campaigns.params_mutants import VARIANTS, tiny, written
from campaigns.run_mutants import TAKEN
from preloaded import Preloaded
from workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
LOG = Path(__file__).with_name("inputs.jsonl")
Luck = random.Random
Command = tuple[str, ...]
# Takes a source of random numbers, the ground and the folder of canaries; returns a description and the commands.
Mutate = Callable[[Luck, Path, Path], tuple[str, Sequence[Command]]]
SECTIONS = ("variants", "defaults", "data", "training", "studies", "split", "evaluation", "comparison", "diagnosis")
FILES = ("runs/", "data/", "evaluations/", "metrics/", "studies/", "replica ")
# What TensorFlow and Dask remove when Python ends; these commands end without that.
REMOVED_AT_EXIT = ("__autograph_generated_file", "dask-scratch-space")
SAME = ("runs", "metrics", "evaluations", "reports")  # what must not change if only DVC's lock does


def params(luck: Luck, folder: Path, canaries: Path) -> tuple[str, Sequence[Command]]:
    """Change values or the text of params.yaml."""
    return _params(*params_mutants.mutant(luck), luck, folder)


def code(luck: Luck, folder: Path, canaries: Path) -> tuple[str, Sequence[Command]]:
    """Let params.yaml name code or foreign classes."""
    return _params(*params_mutants.code_mutant(luck, canaries), luck, folder)


def _params(what: str, text: str, luck: Luck, folder: Path) -> tuple[str, Sequence[Command]]:
    (folder / "params.yaml").write_text(text, encoding="utf-8", errors="surrogatepass")
    return what, list(params_mutants.commands(text, luck))


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    share: how many of 1,000 mutants are of this kind.
    mutate: spoils the input; None for DVC's lock, whose commands run in a whole copy of the repository.
    places: the texts of which a rejection must have one.
    """

    share: int
    mutate: Mutate | None
    places: Sequence[str]


KINDS: Mapping[str, Kind] = {
    "params": Kind(230, params, ("",)),  # of all sections
    "code": Kind(50, code, ("params.yaml", *(f"{each}." for each in SECTIONS))),
    "csv": Kind(120, table_mutants.csv, table_mutants.PLACES),
    "parquet": Kind(70, table_mutants.parquet, table_mutants.PLACES),
    "npz": Kind(60, table_mutants.npz, table_mutants.PLACES),
    "sequences": Kind(60, table_mutants.sequences, table_mutants.PLACES),
    "network": Kind(60, network_mutants.network, network_mutants.PLACES),
    "keras": Kind(20, network_mutants.keras_file, network_mutants.PLACES),
    "history": Kind(60, run_mutants.history, FILES),
    "weights": Kind(40, run_mutants.weights, FILES),
    "recipe": Kind(40, run_mutants.recipe, FILES),
    "data": Kind(60, run_mutants.data, FILES),
    "evaluation": Kind(40, run_mutants.evaluation, FILES),
    "study": Kind(20, run_mutants.study, FILES),
    "lock": Kind(25, None, ("dvc.lock", "ERROR")),
    "manifest": Kind(10, run_mutants.manifest, ("mlruns/",)),
    "store": Kind(20, store_mutants.store, ("MLflow store", "mlruns/")),
    "events": Kind(10, run_mutants.events, ("events/",)),
    "progress": Kind(5, run_mutants.progress, ("progress/",)),
}


def order(only: str | None) -> Iterator[tuple[str, int]]:
    """Yield kind and number of every mutant, so that any first part has each kind by its share."""
    if only is not None:
        return ((only, number) for number in count())

    def series(name: str) -> Iterator[tuple[float, str, int]]:
        return (((number + 0.5) / KINDS[name].share, name, number) for number in count())

    return ((name, number) for _, name, number in heapq.merge(*map(series, KINDS)))


def luck_of(kind: str, seed: int, number: int) -> Luck:
    """Return the source of random numbers of a mutant."""
    return random.Random(f"{seed} {number}" if kind == "params" else f"{kind} {seed} {number}")


# Commands that are no modules


def study_cells(study: str) -> None:
    """Train the cells of the studies as `make studies` does, but without a cluster and without pages."""
    from pipeline.data.split.files import load_split
    from pipeline.foundations.errors import reported_in_one_line
    from pipeline.params.params import read
    from pipeline.studies import code_fingerprint
    from pipeline.studies.work import VariantWork
    from pipeline.training.common.trainable import expect_trainable

    with reported_in_one_line():
        _, cells = read().study(study)
        split = load_split()
        for cell in cells:
            expect_trainable(cell.variant, split.inputs, split.task, cell.path)
        for cell in cells:
            VariantWork(cell.variant, cell.training, "campaign", code_fingerprint.fingerprint()).run(split)


def read_events() -> None:
    """Serve the event files as `make tensorboard` does, and read all of them through the server."""
    from pipeline.foundations.errors import reported_in_one_line
    from pipeline.tracking.tensorboard.open_tensorboard import CURVES, serve

    with reported_in_one_line():
        runs = len([path for path in Path("events").glob("*/*") if path.is_dir()])
        base = serve("127.0.0.1", 0, CURVES).partition("/#")[0]
        end = time.monotonic() + 5  # the damaged one may never appear
        while time.monotonic() < end:
            with urllib.request.urlopen(f"{base}/data/plugin/timeseries/tags", timeout=30) as answer:
                if len(json.load(answer)["scalars"]["tagDescriptions"]) >= runs:
                    return
            time.sleep(0.1)


def look() -> None:
    """Read the progress files once, as `make live` does again and again."""
    from pipeline.foundations.errors import reported_in_one_line
    from pipeline.tracking.live import Follower

    with reported_in_one_line():
        follower = Follower()
        follower.look()
        follower.end()


SPECIAL = {
    "cells": study_cells,
    "read_events": read_events,
    "look": look,
    "save_model": lambda path: network_mutants.save_model(Path(path)),
}


# Running


@contextmanager
def taken_port() -> Iterator[str]:
    """Yield a port on which something listens: a command that serves has read everything when it finds that out."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield str(listening.getsockname()[1])


class Campaign:
    """Grounds for the commands, and what came of each mutant."""

    def __init__(self, place: Path, seed: int, port: str) -> None:
        self._place, self._seed, self._port = place, seed, port
        self._ground = Ground(place / "ground", place / "canaries", SPECIAL)
        self._clean, self._workspace = place / "clean", place / "workspace"
        for folder in (self._ground.folder, self._ground.canaries, place / "tmp"):
            folder.mkdir()
        self._before: dict[str, tuple[int, int]] = {}

    def prepare(self) -> None:
        """Run the tiny file itself, and keep the results.

        Raises:
            RuntimeError: a command fails.
        """
        folder = self._ground.folder
        (folder / "params.yaml").write_text(written(tiny()), encoding="utf-8")
        (folder / "tables").mkdir()
        every: list[Command] = [("check",), ("generate",), ("split",), ("reference",)]
        every += [(stage, name) for stage in ("train", "evaluate") for name in VARIANTS]
        every += [("compare",), ("study", "s"), ("track",), ("track_study", "s"), ("tensorboard", "--port", TAKEN)]
        for command in [*every, ("save_model", str(self._place / network_mutants.MODEL))]:
            ended = self._ground.command(*self._filled(command), seconds=600)
            if ended.code != 0 and f"port {self._port}" not in ended.output:
                raise RuntimeError(f"{' '.join(command)}: exit code {ended.code}\n{ended.output}")
        with closing(sqlite3.connect(folder / store_mutants.STORE)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copytree(folder, self._clean, symlinks=True)
        self._before = self._ground.files()

    def _filled(self, command: Command) -> Command:
        return tuple(self._port if each == TAKEN else each for each in command)

    def faults(self, name: str, number: int) -> Iterator[tuple[str, str, str]]:
        """Yield what is wrong with a mutant: what was done to the input, the command, and how it ended."""
        kind, luck = KINDS[name], luck_of(name, self._seed, number)
        if kind.mutate is None:
            yield from self._faults_of_lock(luck)
            return
        self._ground.restore(self._clean, self._before)
        what, commands = kind.mutate(luck, self._ground.folder, self._ground.canaries)
        for command in commands:
            # A command that serves has read everything if only its port is wrong.
            places = (*kind.places, f"port {self._port}")
            wrong, worked = offence(self._ground, self._filled(command), places)
            if wrong is None:
                wrong = self._left()
            if wrong is not None:
                yield what, " ".join(command), wrong
            if wrong is not None or (not worked and command in (*table_mutants.TO_REPORT, *network_mutants.COMMANDS)):
                break  # DVC runs no later stage

    def _left(self) -> str | None:
        left = []
        for path in sorted((self._place / "tmp").iterdir()):
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)
            if not path.name.startswith(REMOVED_AT_EXIT):
                left.append(path.name)
        return f"left in the folder for temporary files: {', '.join(left[:5])}" if left else None

    def _faults_of_lock(self, luck: Luck) -> Iterator[tuple[str, str, str]]:
        clean = Workspace(self._place / "clean_workspace")
        repro = ("python3", "-m", "pipeline.repro")
        if not clean.folder.exists():
            made = Workspace.create(self._workspace, "tanh_1")
            made.edit({"comparison": {}})
            made.commit()
            made.run(*repro)
            shutil.copytree(self._workspace, clean.folder, symlinks=True)
        shutil.rmtree(self._workspace)
        shutil.copytree(clean.folder, self._workspace, symlinks=True)  # to the same path, because the store has it
        workspace = Workspace(self._workspace)
        what = store_mutants.lock(luck, self._workspace, self._ground.canaries)
        commands = [repro]
        if luck.random() < 0.4:  # the results of a variant that is gone, whose stages are removed from the lock
            (self._workspace / "metrics" / "gone.json").write_text("{}")
            commands.insert(0, ("python3", "-m", "pipeline.stages.track"))
        for command in commands:
            done = workspace.attempt(*command)
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            wrong = None
            if any(self._ground.canaries.iterdir()):
                wrong = "executed"
            elif "Traceback" in done.stderr + done.stdout:
                wrong = "traceback"
            elif done.code and not (1 <= len(lines) <= LINES and any(p in done.stderr for p in KINDS["lock"].places)):
                wrong = f"exit code {done.code}, {len(lines)} lines"
            elif any(workspace.content(name) != clean.content(name) for name in SAME):
                wrong = "other results"
            if wrong is not None:
                text = done.stderr.replace(str(self._workspace), "")
                yield what, " ".join(command[2:]), f"{wrong}\n{text}"
                return


@contextmanager
def campaign(place: Path, seed: int) -> Iterator[Campaign]:
    """Yield a prepared campaign."""
    with ExitStack() as stack:
        tmp = str(place / "tmp")
        stack.enter_context(
            variables(PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "tests")]), PYTHONDONTWRITEBYTECODE="1")
        )
        for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME"):
            os.environ.pop(name, None)
        commands = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="preloaded-")))
        server = Preloaded(commands)
        server.start()
        stack.callback(server.end)
        port = stack.enter_context(taken_port())
        made = Campaign(place, seed, port)
        import_what_commands_need()
        stack.enter_context(variables(TMPDIR=tmp))
        stack.callback(setattr, tempfile, "tempdir", tempfile.tempdir)
        tempfile.tempdir = None
        made.prepare()
        yield made


def run(mutants: Sequence[tuple[str, int]], seed: int, log: Path, tried: Counter[str], right: Counter[str]) -> int:
    """Run all mutants, and write the log; return how many offend.

    Args:
        tried: counts by kind of earlier mutants, to which these are added; so for `right`.
    """
    offenders = [line for line in _lines(log) if "fault" in line] if tried else []
    before = len(offenders)
    began = time.monotonic()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="inputs-", ignore_cleanup_errors=True) as place,
            campaign(Path(place).resolve(), seed) as made,
        ):
            print(f"prepared in {time.monotonic() - began:.0f} s", flush=True)
            for each, (name, number) in enumerate(mutants, start=1):
                began_at = time.monotonic()
                faults = list(made.faults(name, number))
                tried[name] += 1
                right[name] += not faults
                for what, command, fault in faults:
                    text = fault.replace(place, "").strip()
                    offenders.append(
                        {"kind": name, "number": number, "seed": seed, "mutant": what, "command": command}
                        | {"fault": text[:300] if len(text) < 600 else f"{text[:200]} ... {text[-300:]}"}
                    )
                    print(f"\n{name} {number} ({what}): {command}: {text[-1500:]}", flush=True)
                taken = time.monotonic() - began_at
                if taken > 20:
                    print(f"{name} {number}: {taken:.0f} s", flush=True)
                if not each % 25:
                    print(f"{each} mutants, {time.monotonic() - began:.0f} s", flush=True)
                    write(log, tried, right, offenders, seed)
    finally:
        write(log, tried, right, offenders, seed)
    return len(offenders) - before


def write(log: Path, tried: Counter[str], right: Counter[str], offenders: Sequence[dict], seed: int) -> None:
    """Write the counts by kind, and a line for each offender."""
    counts = [{"kind": name, "seed": seed, "tried": tried[name], "right": right[name]} for name in KINDS if tried[name]]
    text = "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in (*counts, *offenders))
    log.write_text(text, encoding="utf-8")


def _lines(log: Path) -> list[dict]:
    with suppress(FileNotFoundError):
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return []


def main() -> int:
    """Run the campaign; return the number of offenders."""
    parser = argparse.ArgumentParser(prog="python3 tests/campaigns/inputs.py", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="the number of mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="skip so many, and add to the counts of the log")
    parser.add_argument("--only", choices=KINDS, help="mutants of one kind alone")
    parser.add_argument("--log", type=Path, default=LOG)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the log is written then, too
    tried, right = Counter[str](), Counter[str]()
    if asked.first:
        for line in _lines(asked.log):
            if "tried" in line:
                tried[line["kind"]], right[line["kind"]] = line["tried"], line["right"]
    mutants = list(islice(order(asked.only), asked.first, asked.count))
    offenders = run(mutants, asked.seed, asked.log, tried, right)
    for name in KINDS:
        if tried[name]:
            print(f"{name:12} {right[name]:4} of {tried[name]:4} right")
    print(f"{sum(right.values())} of {sum(tried.values())} right")
    return offenders


if __name__ == "__main__":
    sys.exit(main() > 0)
