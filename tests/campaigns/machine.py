"""Run the pipeline's commands on a machine in which something fails, and again when it works.

`python3 tests/campaigns/machine.py --count 100` runs all cases that the log lacks: a full disk, a folder that cannot be
written, no home and no cache folder, little memory, a clock that goes back by a day, and a name server that never
answers. It needs Linux and root, because it mounts small disks in a mount namespace of its own. The clock is shifted
in Python (`time.time`, `time.time_ns`), not in the kernel, because the machine has only one.

A case is right if the command succeeds, or ends with one to three lines that name a place, without a traceback, with
exit code 1 to 127, and with nothing half-written; and if the same command then succeeds without the condition, and
leaves what an undisturbed run leaves.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from campaigns.subjects import Repro
from campaigns.trials import CAMPAIGNS, FOREIGN, RIGHT, TrialLog, anonymous, complaint, kinds, paths
from preloaded import PLACE, Preloaded
from workspace import ROOT, Workspace, stage

LOG = CAMPAIGNS / "machine.jsonl"
IN_NAMESPACE = "MACHINE_CAMPAIGN_IN_NAMESPACE"
DISK: Final = 400  # megabytes of each small disk
TIME_LIMIT: Final = 400.0  # seconds
# What each stage writes, in the order of dvc.yaml.
STAGES: Final[dict[str, tuple[list[str], list[str]]]] = {
    "generate": (stage("generate"), ["data/raw"]),
    "split": (stage("split"), ["data/split"]),
    "reference": (stage("reference"), ["data/reference"]),
    "train": (stage("train", "tanh_1"), ["runs/tanh_1"]),
    "fit": (stage("fit", "own"), ["runs/own", "cells"]),
    "evaluate": (stage("evaluate", "tanh_1"), ["evaluations/tanh_1", "metrics/tanh_1.json"]),
    "evaluate_network": (stage("evaluate", "own"), ["evaluations/own", "metrics/own.json"]),
    "compare": (stage("compare"), ["reports"]),
    "track": (stage("track"), ["mlruns"]),
}
REPRO: Final = list(Repro.commands[0])
SHIFTED_CLOCK: Final = """
import os, time
_time, _time_ns = time.time, time.time_ns
def _shift():
    return 86_400 if os.path.exists({mark!r}) else 0
time.time = lambda: _time() - _shift()
time.time_ns = lambda: _time_ns() - _shift() * 10**9
"""
# Holds the port of name servers on this machine and never answers, then becomes the command.
SILENT_RESOLVER: Final = """
import os, socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
silent.set_inheritable(True)
socket.sethostname("nowhere")
os.execvp(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True)
class Imposed:
    """How a command runs under a condition: words before it, variables, and variables that are missing.

    is_alone: whether it starts as a user starts it, because the condition concerns the start; otherwise it forks from
        preloaded libraries, to save time.
    """

    before: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    without: Sequence[str] = ()
    is_alone: bool = True


class SmallDisk:
    """A small disk with a workspace and a folder for temporary files.

    before: the content of each file before the command.
    """

    def __init__(self, folder: Path, make: Callable[[Path], Workspace]) -> None:
        self.disk = folder / "disk"
        self.disk.mkdir(parents=True)
        mount("-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", str(self.disk))
        self.temporary = self.disk / "temporary"
        self.temporary.mkdir()
        self.workspace = make(self.disk / "place")
        self.before = self.content()

    def content(self) -> dict[str, bytes]:
        """Return the content of all files but those of git and DVC and of MLflow's artifacts."""
        names = paths(self.workspace.folder, Repro.uncompared)
        return {name: (self.workspace.folder / name).read_bytes() for name in names if not name.endswith("/")}

    def run(self, command: Sequence[str], imposed: Imposed) -> tuple[int | None, str, str]:
        """Run a command; return its exit code (None if it takes too long), its output and its errors."""
        variables = {"TMPDIR": str(self.temporary), **imposed.variables}
        if not (self.workspace.folder / "pipeline").exists():
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, [variables.get("PYTHONPATH"), str(ROOT)]))
        environment = self.workspace.environment(**variables)
        if not imposed.is_alone and PLACE in environment:
            environment["PATH"] = f"{environment[PLACE]}{os.pathsep}{environment['PATH']}"
        for name in imposed.without:
            environment.pop(name, None)
        with subprocess.Popen(
            [*imposed.before, *command],
            cwd=self.workspace.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, errors = process.communicate(timeout=TIME_LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return None, *process.communicate()
        return process.returncode, output, errors

    def end(self) -> None:
        """Give up the disk."""
        subprocess.run(["umount", "--lazy", str(self.disk)], check=True)


Condition = Callable[[SmallDisk], AbstractContextManager[Imposed]]


@dataclass(frozen=True)
class Case:
    """A command under a condition.

    must_succeed: whether the condition is no reason to fail.
    seconds: the most that the command may take; None for no limit but TIME_LIMIT.
    """

    condition: str
    place: str
    impose: Condition
    must_succeed: bool = False
    seconds: float | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


# Conditions


@contextmanager
def full_disk(place: SmallDisk, free: int) -> Iterator[Imposed]:
    """Leave so many free bytes on the disk."""
    filler = place.disk / "filler"
    with filler.open("wb") as file:
        status = os.statvfs(place.disk)
        file.write(b"\0" * max(0, status.f_bavail * status.f_frsize - free))
    yield Imposed(is_alone=False)
    filler.unlink()


@contextmanager
def read_only(place: SmallDisk, name: str) -> Iterator[Imposed]:
    """Mount a folder of the workspace, or its folder for temporary files, so that nobody can write there."""
    folder = str(place.temporary if name == "TMPDIR" else place.workspace.folder / name)
    Path(folder).mkdir(parents=True, exist_ok=True)
    mount("--bind", folder, folder)
    mount("-o", "remount,ro,bind", folder)
    yield Imposed(is_alone=False)
    subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def no_home(place: SmallDisk, home: str | None) -> Iterator[Imposed]:
    """Name no home, or one that neither exists nor can be made; no folder for caches."""
    without = ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR"]
    without += ["DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "DVC_SITE_CACHE_DIR"]
    yield Imposed(variables={} if home is None else {"HOME": home}, without=without + ["HOME"] * (home is None))


@contextmanager
def little_memory(place: SmallDisk, megabytes: int) -> Iterator[Imposed]:
    """Limit the addresses of each process."""
    yield Imposed(["prlimit", f"--as={megabytes * 2**20}"])


@contextmanager
def clock_set_back(place: SmallDisk, while_running: bool) -> Iterator[Imposed]:
    """Shift Python's clock back by a day: from the start, or from the moment at which the first output is there."""
    mark = place.disk / "set_back"
    modules = place.disk / "modules"
    modules.mkdir()
    if while_running:
        mark = place.workspace.folder / "data" / "split"
    else:
        mark.touch()
    (modules / "sitecustomize.py").write_text(SHIFTED_CLOCK.format(mark=str(mark)))
    yield Imposed(variables={"PYTHONPATH": str(modules)})


@contextmanager
def silent_name_server(place: SmallDisk) -> Iterator[Imposed]:
    """Let this machine's only name server be one that never answers, in a network namespace of its own."""
    file = place.disk / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\n")
    target = Path("/etc/resolv.conf").resolve()
    mount("--bind", str(file), str(target))
    yield Imposed(["unshare", "--net", "--uts", sys.executable, "-c", SILENT_RESOLVER])
    subprocess.run(["umount", "--lazy", str(target)], check=True)


def mount(*arguments: str) -> None:
    """Mount something, in this process's namespace only."""
    subprocess.run(["mount", *arguments], check=True)


def cases(written: Mapping[str, int]) -> Iterator[Case]:
    """Yield all cases.

    Args:
        written: how many bytes each command writes.
    """
    for name in STAGES:
        for share in (0, 0.4, 0.8):
            yield Case(f"disk full at {share:.0%}", name, partial(full_disk, free=int(share * written[name])))
    for share in (0, 0.1, 0.25, 0.4, 0.6, 0.8):
        yield Case(f"disk full at {share:.0%}", "repro", partial(full_disk, free=int(share * written["repro"])))
    for name, (_, outputs) in STAGES.items():
        yield Case("read-only folder", name, partial(read_only, name=str(Path(outputs[0]).parent)))
        yield Case("read-only TMPDIR", name, partial(read_only, name="TMPDIR"))
    for folder in (".", "runs", "mlruns", ".dvc", "progress"):
        yield Case(f"read-only {folder}", "repro", partial(read_only, name=folder))
    for home, condition in ((None, "no HOME"), ("/proc/nobody", "HOME that cannot be made")):
        for name in ("train", "fit", "track", "repro"):
            yield Case(condition, name, partial(no_home, home=home), must_succeed=True)
    for name in STAGES:
        for megabytes in (200, 600, 1200):
            yield Case(f"{megabytes} MB of memory", name, partial(little_memory, megabytes=megabytes))
    for while_running, when in ((False, "from the start"), (True, "while it runs")):
        condition = partial(clock_set_back, while_running=while_running)
        yield Case(f"clock set back, {when}", "repro", condition, must_succeed=True)
    for name in ("train", "fit", "track", "repro"):
        yield Case("silent name server", name, silent_name_server, must_succeed=True)
    server = {"MLFLOW_TRACKING_URI": "http://mlflow.example.org:5000"}
    yield Case("silent name server", "track", silent_name_server, seconds=60, variables=server)


class MachineCampaign:
    """The undisturbed run, and the cases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._subject = Repro(folder)
        temporary = folder / "temporary"
        temporary.mkdir()
        self._whole = self._subject.prepare(folder / "undisturbed")
        done = self._whole.run(*REPRO, TMPDIR=str(temporary))
        self._expected = self._subject.result(self._whole, temporary, done)

    def written(self) -> dict[str, int]:
        """Return how many bytes each command writes."""
        sizes = {
            name: sum(_size(self._whole.folder / output) for output in outputs) for name, (_, outputs) in STAGES.items()
        }
        return {**sizes, "repro": 2 * sum(sizes.values())}  # DVC's cache has a copy

    def trial(self, case: Case) -> dict[str, Any]:
        """Run a case."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        place = SmallDisk(folder, self._subject.prepare if case.place == "repro" else partial(self._before, case.place))
        command = REPRO if case.place == "repro" else STAGES[case.place][0]
        try:
            began = time.monotonic()
            with case.impose(place) as imposed:
                imposed = replace(imposed, variables={**imposed.variables, **case.variables})
                code, _, errors = place.run(command, imposed)
                seconds = time.monotonic() - began
                wrong = list(self._faults(place, case, code, errors))
                if case.seconds is not None and seconds > case.seconds:
                    wrong.append(f"it took {seconds:.0f} s")
            code, _, errors_again = place.run(command, Imposed(is_alone=False))
            if code:
                wrong.append(f"the next run fails: exit code {code}: {errors_again.strip()[-300:]}")
            else:
                wrong += self._differences(place, case)
        finally:
            place.end()
        said = [line for line in errors.splitlines() if line.strip()]
        return {
            "phase": f"{case.condition}: {case.place}",
            "seconds": round(seconds, 1),
            "said": anonymous(" / ".join(said)[:400], place.disk),
            "outcome": anonymous("; ".join(dict.fromkeys(wrong)), place.disk) or RIGHT,
        }

    def _before(self, name: str, folder: Path) -> Workspace:
        """Return a place in which all stages before this one have run."""
        workspace = self._whole.bare(folder)
        names = list(STAGES)
        for later in names[names.index(name) :]:
            for output in STAGES[later][1]:
                path = folder / output
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return workspace

    def _faults(self, place: SmallDisk, case: Case, code: int | None, errors: str) -> Iterator[str]:
        """Yield what is wrong with a command's end under the condition."""
        if code == 0:
            return
        if fault := complaint(code, anonymous(errors, place.disk)):  # before it is cut, which may leave half a path
            yield fault
        if case.must_succeed:
            yield f"it fails: {errors.strip()[-300:]}"
        for name, content in place.content().items():
            expected = self._expected.bytes.get(name, place.before.get(name))
            is_written = name in self._expected.bytes and content != place.before.get(name)
            if is_written and content != expected and not name.endswith(".lock"):
                yield f"{name}: half-written"
            if ".writing-" in name:
                yield f"{'; '.join(kinds([name]))}: left behind"
        for name in kinds(paths(place.temporary)):
            if not name.startswith(FOREIGN):
                yield f"temporary folder: {name}: left behind"

    def _differences(self, place: SmallDisk, case: Case) -> Iterator[str]:
        """Yield how the files differ from those of an undisturbed run."""
        outputs = [output for name in STAGES if case.place in (name, "repro") for output in STAGES[name][1]]
        content = place.content()
        for name, expected in self._expected.bytes.items():
            is_output = any(name == output or name.startswith(f"{output}/") for output in outputs)
            if is_output and content.get(name) != expected:
                yield f"{name}: {'other bytes' if name in content else 'missing'}"
        yield from (
            f"{name}: left behind" for name in kinds(content) if ".writing-" in name or name.endswith(".writing")
        )


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files if each.is_file())


def main() -> None:
    """Run the cases that the log lacks."""
    parser = argparse.ArgumentParser(prog="python3 tests/campaigns/machine.py", description=__doc__)
    parser.add_argument("--count", type=int, required=True, help="the number of cases that the log will have")
    parser.add_argument("--seed", type=int, default=0, help="only names the campaign: nothing is drawn")
    parser.add_argument("--log", type=Path, default=LOG)
    parser.add_argument("--again", action="store_true", help="also run the cases that went wrong")
    parser.add_argument("--only", help="only cases whose condition or place has this text")
    asked = parser.parse_args()
    if IN_NAMESPACE not in os.environ:
        os.environ[IN_NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets background processes ignore Ctrl-C
    log = TrialLog(asked.log, asked.seed)
    with tempfile.TemporaryDirectory(prefix="machine-") as folder, tempfile.TemporaryDirectory() as commands:
        preloaded = Preloaded(Path(commands))
        preloaded.start()
        campaign = MachineCampaign(Path(folder))
        listed = list(cases(campaign.written()))
        for number in log.numbers(min(asked.count, len(listed)), asked.again):
            case = listed[number - 1]
            if asked.only is None or asked.only in f"{case.condition}: {case.place}":
                trial = campaign.trial(case)
                log.append({"seed": asked.seed, "number": number, "what": case.condition, **trial})
                print(f"{number}: {trial['phase']}: {trial['outcome']}: {trial['said'][:200]}", flush=True)
        preloaded.end()
    print(log.table())


if __name__ == "__main__":
    main()
