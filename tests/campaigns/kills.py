"""Kill the pipeline's commands, and check that the next run ends as if nothing had happened.

`python3 tests/campaigns/kills.py --count 160` brings the log to 160 trials: of every eight, five kill `make repro`, one
`make studies`, one a script under the callback and one the follower. Phases of a command take turns; which moment of
the phase, which signal (SIGKILL, SIGTERM, Ctrl-C's SIGINT), whether the first process or its group gets it, and how
often (one to three times in a row) is drawn from the seed and the trial's number. So the campaign can be stopped, and
the same command goes on where the log ends.

The killed commands start as a user starts them; the run after them forks from preloaded libraries, to save time.
A trial is right if each killed command and all that it started end within ENDS_WITHIN seconds, the command that is not
killed succeeds, and then all files, the store, and the names of temporary files are those of an undisturbed run.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from campaigns.phases import Phase, View, lengths
from campaigns.store_state import orphans, unfinished
from campaigns.subjects import Callback, FollowerSubject, Remains, Repro, Studies, Subject
from campaigns.trials import CAMPAIGNS, FOREIGN, RIGHT, TrialLog, anonymous, processes
from preloaded import Preloaded
from workspace import Done, Workspace, wait_until

LOG = CAMPAIGNS / "kills.jsonl"
TURNS = ("make repro", "make studies", "make repro", "callback", "make repro", "follower", "make repro", "make repro")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
ENDS_WITHIN = 120.0  # seconds; on a crowded machine
BEGINS_WITHIN = 60.0  # seconds for a phase of a command that does not end by itself
MOST_KILLS = 3


@dataclass(frozen=True)
class Kill:
    """A kill: a moment, a signal, and who gets it.

    share: the part of the phase's length, as it was in the undisturbed run, after which the signal comes.
    is_group: whether the whole group of processes gets it, as in a terminal, or only the first process.
    """

    phase: Phase
    share: float
    number: signal.Signals
    is_group: bool


@dataclass
class Undisturbed:
    """A subject, and what its undisturbed runs leave, by command.

    places: the folders in which they ran.
    lengths: of each phase that was met, in seconds.
    """

    subject: Subject
    results: dict[tuple[str, ...], Remains] = field(default_factory=dict)
    places: dict[tuple[str, ...], Workspace] = field(default_factory=dict)
    lengths: dict[tuple[str, ...], dict[str, float]] = field(default_factory=dict)

    def met(self, command: tuple[str, ...]) -> list[Phase]:
        """Return the phases of a command that were met, in the order of their beginnings."""
        phases = {phase.key: phase for phase in self.subject.phases(command)}
        return [phases[key] for key in self.lengths[command]]


class KillTrial:
    """A place of a subject, its folder for temporary files, and the variables of its commands."""

    def __init__(self, subject: Subject, folder: Path) -> None:
        self.subject, self.folder = subject, folder
        self.temporary = folder / "temporary"
        self.temporary.mkdir(parents=True)
        self.workspace = subject.prepare(folder / "place")
        self.environment = {**subject.environment(self.workspace), "TMPDIR": str(self.temporary)}
        self.output, self.errors = folder / "output", folder / "errors"

    def started(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own."""
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            return subprocess.Popen(
                command,
                cwd=self.workspace.folder,
                env=self.workspace.environment(**self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )

    def others(self) -> dict[int, str]:
        """Return the processes of this trial that still run."""
        return processes(self.folder)

    def result(self, done: Done) -> Remains:
        """Return what the finished command has left behind."""
        return self.subject.result(self.workspace, self.temporary, done)


def undisturbed(subject: Subject, folder: Path) -> Undisturbed:
    """Run each command of the subject undisturbed, measure its phases, and keep what it leaves.

    Raises:
        RuntimeError: a command fails.
    """
    found = Undisturbed(subject)
    for number, command in enumerate(subject.commands):
        trial = KillTrial(subject, folder / f"{subject.name} {number}")
        phases = subject.phases(command)
        with subject.companion(trial.workspace, trial.environment):
            with trial.started(command) as process:
                view = View(trial.workspace, trial.temporary, trial.output)
                found.lengths[command] = lengths(phases, view, partial(subject.has_ended, process, view))
            if subject.ends_by_itself:
                done = Done(process.returncode, trial.output.read_text(), trial.errors.read_text())
            else:
                done = subject.finish(trial.workspace, command, trial.environment)
        if done.code:
            raise RuntimeError(f"{' '.join(command)}: exit code {done.code}\n{done.stderr}")
        found.results[command], found.places[command] = trial.result(done), trial.workspace
    return found


def drawn(reference: Undisturbed, turn: int, luck: random.Random) -> tuple[tuple[str, ...], list[Kill]]:
    """Draw a command and its kills: the first in the phase whose turn it is, later ones in that phase or after it.

    Args:
        turn: how many trials of this subject came before.
    """
    names = list(dict.fromkeys(phase.name for command in reference.lengths for phase in reference.met(command)))
    name = names[turn % len(names)]
    command = luck.choice([each for each in reference.lengths if name in {p.name for p in reference.met(each)}])
    phases = reference.met(command)
    kills = []
    for number in range(luck.randint(1, MOST_KILLS)):
        phase = luck.choice([phase for phase in phases if phase.name == name] if number == 0 else phases)
        phases = phases[phases.index(phase) :]
        kills.append(Kill(phase, luck.random(), luck.choice(SIGNALS), luck.random() < 0.5))
    return command, kills


@dataclass(frozen=True)
class KilledRun:
    """How a killed command ended.

    is_met: whether it still ran at the moment of the kill.
    has_traceback: whether it, or what it started, printed one.
    fault: what is wrong with it; empty if nothing is.
    """

    is_met: bool
    has_traceback: bool
    fault: str = ""


def killed(trial: KillTrial, command: Sequence[str], kill: Kill, length: float) -> KilledRun:
    """Run a command and kill it in a phase.

    The phase may never begin: a second follower makes no store. Then the kill comes when the command ends, or, if it
    does not end by itself, after BEGINS_WITHIN.
    """
    patience = float("inf") if trial.subject.ends_by_itself else BEGINS_WITHIN
    with trial.started(command) as process:
        view = View(trial.workspace, trial.temporary, trial.output)
        began = time.monotonic()
        while process.poll() is None and time.monotonic() - began < patience:
            view.look()
            if kill.phase.begins(view):
                break
            time.sleep(kill.phase.every)
        time.sleep(kill.share * length if process.poll() is None else 0)
        is_met = process.poll() is None
        if is_met:
            (os.killpg if kill.is_group else os.kill)(process.pid, kill.number)
        fault = ""
        try:
            process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            fault = f"it runs {ENDS_WITHIN:.0f} s after {kill.number.name}"
    return KilledRun(is_met, "Traceback" in trial.errors.read_text(errors="replace"), fault)


def run_trial(reference: Undisturbed, command: Sequence[str], kills: Sequence[Kill], folder: Path) -> dict[str, Any]:
    """Kill the command, run it again to its end, and return what happened."""
    subject = reference.subject
    trial = KillTrial(subject, folder)
    ends, wrong, allowed, waited = [], [], frozenset[str](), 0.0
    with subject.companion(trial.workspace, trial.environment):
        others = set(trial.others())
        for kill in kills:
            ends.append(killed(trial, command, kill, reference.lengths[tuple(command)][kill.phase.key]))
            began = time.monotonic()
            with suppress(TimeoutError):
                wait_until(lambda: trial.others().keys() <= others, seconds=ENDS_WITHIN)
            waited = max(waited, time.monotonic() - began)
            left = {number: name for number, name in trial.others().items() if number not in others}
            wrong += [each.fault for each in ends[-1:] if each.fault] + [
                f"{name} outlives it" for name in left.values()
            ]
            end(left)
            allowed |= unfinished(trial.workspace)
        done = subject.finish(trial.workspace, command, trial.environment)
    if done.code:
        wrong.append(f"the next run fails: exit code {done.code}: {done.stderr.strip()[-300:]}")
    else:
        most = 1 + sum(each.is_met for each in ends) if subject.adds_runs else 1
        wrong += differences(trial.result(done), reference.results[tuple(command)], allowed, most)
        wrong += orphans(trial.workspace, trial.workspace.folder / subject.artifacts)
        wrong += [f"{name} outlives the next run" for name in trial.others().values()]
    return {
        "phase": kills[0].phase.name,
        "command": " ".join(command),
        "moments": [f"{kill.phase.key} {kill.share:.3f}" for kill in kills],
        "signals": [kill.number.name for kill in kills],
        "targets": ["group" if kill.is_group else "leader" for kill in kills],
        "met": [each.is_met for each in ends],
        "tracebacks": sum(each.has_traceback for each in ends),
        "waited": round(waited, 1),
        "outcome": anonymous("; ".join(dict.fromkeys(wrong)), folder) or RIGHT,
    }


def end(numbers: Iterable[int]) -> None:
    """Kill processes."""
    for number in numbers:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def differences(result: Remains, expected: Remains, allowed: frozenset[str], most: int) -> Iterator[str]:
    """Yield how what a command left differs from what an undisturbed run leaves.

    Args:
        allowed: the runs that may be deleted, because the kill left them unfinished.
        most: how often the store may hold what an undisturbed run leaves in it once.
    """
    for path in sorted({*result.bytes, *expected.bytes}):
        if result.bytes.get(path) != expected.bytes.get(path):
            yield f"{path}: {'other bytes' if path in result.bytes else 'missing'}"
    yield from (f"{name}: left behind" for name in sorted(result.names - expected.names))
    for name in sorted(result.temporary - expected.temporary):
        if not name.startswith(FOREIGN):
            yield f"temporary folder: {name}: left behind"
    for what in ("runs", "models", "registry"):
        found, wanted = getattr(result.store, what), getattr(expected.store, what)
        largest = Counter({each: most * count for each, count in wanted.items()})
        yield from (f"store: {what}: too many: {str(each)[:120]}" for each in found - largest)
        yield from (f"store: {what}: missing: {str(each)[:120]}" for each in wanted - found)
    if result.store.deleted - expected.store.deleted - allowed:
        yield "store: a complete run was deleted"
    if result.printed != expected.printed:
        yield f"printed: {result.printed[-200:]!r}, not {expected.printed[-200:]!r}"


class KillCampaign:
    """The undisturbed runs, which are made when a trial needs them, and the trials.

    folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._references: dict[str, Undisturbed] = {}

    def trial(self, number: int, seed: int) -> dict[str, Any]:
        """Run a trial."""
        name = TURNS[(number - 1) % len(TURNS)]
        turn = sum(each == name for each in islice(cycle(TURNS), number - 1))
        luck = random.Random(f"{seed} {number}")
        command, kills = drawn(self.reference(name), turn, luck)
        folder = self._folder / f"trial {number}"
        try:
            trial = run_trial(self.reference(name), command, kills, folder)
        except TimeoutError as error:  # what the next run must show did not come
            trial = {"phase": kills[0].phase.name, "outcome": f"the next run: {error}"}
        shutil.rmtree(folder, ignore_errors=True)
        return {"seed": seed, "number": number, "what": name, **trial}

    def reference(self, name: str) -> Undisturbed:
        """Return the undisturbed runs of a subject."""
        if name not in self._references:
            self._references[name] = undisturbed(self._subject(name), self._folder)
        return self._references[name]

    def _subject(self, name: str) -> Subject:
        match name:
            case Repro.name:
                return Repro(self._folder)
            case Studies.name:
                return Studies(self.reference(Repro.name).places[Repro.commands[0]])
            case Callback.name:
                return Callback(self._empty_store())
        return FollowerSubject()

    def _empty_store(self) -> Path:
        from mlflow import MlflowClient  # here, because importing it takes a second

        path = self._folder / "empty.db"
        MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments(max_results=1)
        return path


def main() -> None:
    """Run the trials that the log lacks."""
    parser = argparse.ArgumentParser(prog="python3 tests/campaigns/kills.py", description=__doc__)
    parser.add_argument("--count", type=int, required=True, help="the number of trials that the log will have")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=LOG)
    parser.add_argument("--again", action="store_true", help="also run the trials that went wrong")
    parser.add_argument("--only", choices=sorted(set(TURNS)), help="only trials of this command")
    asked = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets background processes ignore Ctrl-C
    log = TrialLog(asked.log, asked.seed)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder, tempfile.TemporaryDirectory() as commands:
        preloaded = Preloaded(Path(commands))
        preloaded.start()
        campaign = KillCampaign(Path(folder))
        try:
            for number in log.numbers(asked.count, asked.again):
                if asked.only in (None, TURNS[(number - 1) % len(TURNS)]):
                    trial = campaign.trial(number, asked.seed)
                    log.append(trial)
                    print(f"{number}: {trial['what']}: {trial['phase']}: {trial['outcome']}", flush=True)
        finally:
            end(processes(Path(folder)))
            preloaded.end()
    print(log.table())


if __name__ == "__main__":
    main()
