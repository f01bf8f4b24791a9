"""Kill `make repro` at random moments, with a network of the user's own in it: `python3 tests/kill.py 20 [--seed 0]`.

With `--lock` the kill comes while DVC writes dvc.lock, after a random stage; a random moment seldom meets that.
Each time the whole group of processes gets SIGKILL; no process may outlive it for long. The same command again must end
well, with the bytes of an undisturbed run, every run in MLflow once, and no live run.
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
from collections.abc import Iterable
from pathlib import Path

from ruamel.yaml import YAML
from workspace import ROOT, Workspace, wait_until

REPRO = ["python3", "-m", "pipeline.repro"]
NETWORK = """
import keras
def build(inputs, task, units=3):
    hidden = keras.layers.Dense(units, "relu")
    return keras.Sequential([keras.Input(inputs), hidden, keras.layers.Dense(task.outputs, "sigmoid")])
"""
SAME = ("runs", "metrics", "evaluations", "tables")


def made(folder: Path) -> Workspace:
    """Return a workspace with a variant and a network, of which nothing is trained."""
    workspace = Workspace.create(folder, "tanh_1")
    file = folder / "networks" / "own" / "network.py"
    file.parent.mkdir(parents=True)
    file.write_text(NETWORK)
    workspace.edit({"comparison": {}, "networks": {"own": {"config": {}, "epochs": 40, "replicas": 6}}})
    workspace.commit()
    return workspace


def processes_in(folder: Path) -> list[int]:
    """Return the processes that work in the folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(place / "cwd")).is_relative_to(folder):
                found.append(int(place.name))
        except OSError:  # it ended, or is not ours
            continue
    return found


def wait_for_writing(lock: Path, number: int, command: subprocess.Popen[bytes]) -> None:
    """Wait until DVC has begun to write the lock for the number-th time, or the command has ended."""
    begun, last = 0, -1
    while begun < number and command.poll() is None:
        size = lock.stat().st_size if lock.exists() else -1
        begun += size < last or last < 0 <= size  # DVC empties the file first
        last = size
        time.sleep(0.0005)


def content(workspace: Workspace) -> dict[str, bytes]:
    """Return the content of all files that must be the same."""
    return {f"{name}/{path}": data for name in SAME for path, data in workspace.content(name).items()}


def faults(workspace: Workspace, expected: dict[str, bytes], names: list[str]) -> Iterable[str]:
    """Return what is wrong after the run that followed the kill."""
    from pipeline.tracking.tags import LIVE  # here: only below is the pipeline on Python's path

    found = content(workspace)
    differing = [name for name in {*expected, *found} if expected.get(name) != found.get(name)]
    if differing:
        yield f"other bytes: {', '.join(sorted(differing)[:3])}"
    if shown(workspace) != names:
        yield f"runs {shown(workspace)}: must be {names}"
    with workspace.client() as client:
        experiments = [each.experiment_id for each in client.search_experiments()]
        if client.search_runs(experiments, f"tags.`{LIVE}` = 'true'"):
            yield "a live run is left"
    if list((workspace.folder / "progress").glob("*.json")):
        yield "a progress file is left"


def shown(workspace: Workspace) -> list[str]:
    """Return the runs in MLflow that are not deleted, and their children, by name."""
    return sorted(name for run in workspace.runs().values() for name in (run.name, *run.children))


def main() -> None:
    """Kill, run again, and compare."""
    parser = argparse.ArgumentParser(prog="python3 tests/kill.py", description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lock", action="store_true", help="kill while DVC writes dvc.lock")
    asked = parser.parse_args()
    random.seed(asked.seed)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        reference = made(place / "reference")
        began = time.monotonic()
        reference.run(*REPRO)
        seconds = time.monotonic() - began
        expected, names = content(reference), shown(reference)
        stages = len(YAML(typ="safe").load(reference.folder / "dvc.lock")["stages"])
        print(f"undisturbed: {seconds:.0f} s, {len(expected)} files, {len(names)} runs", flush=True)
        bad = 0
        for number in range(1, asked.count + 1):
            workspace = made(place / f"killed_{number}")
            moment, writing = random.uniform(0, seconds), random.randint(1, stages)
            began = time.monotonic()
            with workspace.running_alone(*REPRO) as command:
                if asked.lock:
                    wait_for_writing(workspace.folder / "dvc.lock", writing, command)
                else:
                    time.sleep(moment)
                ended = command.poll() is not None
                if not ended:
                    os.killpg(command.pid, signal.SIGKILL)
                    command.wait()
            after, output = time.monotonic() - began, []
            try:
                wait_until(lambda folder=workspace.folder: not processes_in(folder), seconds=60)
            except TimeoutError:
                output.append(f"processes outlive it: {processes_in(workspace.folder)}")
            done = workspace.attempt(*REPRO)
            if done.code:
                output.append(f"the next run fails: {done.stderr.strip()[-300:]}")
            else:
                output += faults(workspace, expected, names)
            bad += bool(output)
            shutil.rmtree(workspace.folder)
            how = "had ended" if ended else "killed"
            print(f"{number}: {how} after {after:.1f} s: {'; '.join(output) or 'well'}", flush=True)
        print(f"{bad} of {asked.count} go wrong")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
