"""`make bench`: speed as ratios, measured side by side in one run, and memory.

    ratios    the engine beside JAX, hand-written loops and Keras's `fit`, in turn; see `benchmarks.ratios`
    table     `generate` and `split` of a million rows; see `benchmarks.big_table`
    pipeline  a cold `make repro` of a fresh clone (all variants, evaluated, tracked), a `dvc repro` with nothing to do
              and with one variant edited, publishing into an empty store, and the peak of memory of 300 replicas of 20
              hidden layers

Before all that it checks that the engine and JAX take the same steps. The machine may be shared: read the ratios, not
the seconds. Some twenty minutes on two cores. Writes benchmarks/results.json, and the table in
docs/explanation.md.
"""

import json
import os
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from ruamel.yaml import YAML

from benchmarks import big_table, ratios, table
from benchmarks.ratios import ROUNDS

ROOT = Path(__file__).resolve().parent.parent
# Folders that a stage depends on, and what the stages of the variants leave in them.
BY_VARIANT: dict[str, Callable[[list[str]], list[str]]] = {
    "runs": lambda names: [f"runs/{name}" for name in names],
    "evaluations": lambda names: [f"evaluations/{name}" for name in names],
    "metrics": lambda names: [f"metrics/{name}.json" for name in names],
}
PACKAGES = ("tensorflow", "keras", "numba", "jax", "dvc", "mlflow", "numpy")


def trivial(folder: Path) -> None:
    """The same dvc.yaml, params.yaml and code, with commands that do nothing but leave some outputs."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    document = YAML(typ="safe").load(folder / "dvc.yaml")
    for stage in document["stages"].values():
        stage.get("do", stage)["cmd"] = leaving(outputs(stage.get("do", stage)))
    (folder / "dvc.yaml").write_text(json.dumps(document))
    (folder / "dvc.lock").unlink()


def bare(folder: Path) -> None:
    """The same stages over the same data, of commands that do nothing, without code and parameters."""
    folder.mkdir()
    document = YAML(typ="safe").load(ROOT / "dvc.yaml")
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    names = [*params["variants"], *params["networks"]]
    stages = {}
    for stage, content in document["stages"].items():
        for key in params[content["foreach"].strip("${}")] if "foreach" in content else [""]:
            made = json.loads(json.dumps(content.get("do", content)).replace("${key}", key))
            data = [dep for dep in made["deps"] if not dep.startswith("pipeline/")]
            deps = [each for dep in data for each in (BY_VARIANT[dep](names) if dep in BY_VARIANT else [dep])]
            stages[f"{stage}_{key}"] = {"cmd": leaving(outputs(made)), "deps": deps, "outs": outputs(made)}
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    made_here = {out for stage in stages.values() for out in stage["outs"]}
    for dep in {dep for stage in stages.values() for dep in stage["deps"]} - made_here:  # what git holds
        (folder / dep).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / dep).is_dir() else shutil.copyfile
        copy(ROOT / dep, folder / dep)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run(["dvc", "init", "--quiet"], cwd=folder, check=True)


def outputs(stage: dict[str, Any]) -> list[str]:
    """All of a stage, metrics too."""
    return [out if isinstance(out, str) else next(iter(out)) for out in stage["outs"] + stage.get("metrics", [])]


def leaving(outs: list[str]) -> str:
    """A command that makes the outputs; what has no suffix is a folder."""
    files = [out if "." in out else f"{out}/file" for out in outs]
    return " && ".join(f"mkdir -p $(dirname {file}) && echo {file} > {file}" for file in files)


def timed(folder: Path, *command: str) -> float:
    """Seconds of a command."""
    kept = {key: value for key, value in os.environ.items() if key not in ("DVC_ROOT", "MLFLOW_TRACKING_URI")}
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=kept, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def in_turn(folders: list[Path], *command: str) -> list[list[float]]:
    """Seconds of a command in each of the folders, in turn: a list a round."""
    return [[timed(folder, *command) for folder in folders] for _ in range(5)]


def publishing(clone: Path) -> float:
    """Metric points a second of a whole `track` into an empty store, its start and all models included."""
    taken = []
    for _ in range(ROUNDS):
        subprocess.run(["rm", "-rf", "mlruns"], cwd=clone, check=True)
        taken.append(timed(clone, sys.executable, "-m", "pipeline.stages.track"))
    with closing(sqlite3.connect(clone / "mlruns" / "mlflow.db")) as store:
        (points,) = store.execute("SELECT count(*) FROM metrics").fetchone()
    return points / median(taken)


def peak_memory(clone: Path) -> float:
    """GiB at the most, of training 300 replicas of relu_20 by its stage."""
    edit(clone, "replicas: 30", "replicas: 300")
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.stages.train", "relu_20"], cwd=clone, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"training 300 replicas failed with exit code {process.returncode}")
    return usage.ru_maxrss / 2**20


def edit(clone: Path, before: str, after: str) -> None:
    """Replace one text of params.yaml, which must be there once."""
    text = (clone / "params.yaml").read_text()
    if len(re.findall(re.escape(before), text)) != 1:
        raise RuntimeError(f"params.yaml: {before!r} is not there once")
    (clone / "params.yaml").write_text(text.replace(before, after))


def pipeline(fit_seconds: float) -> dict[str, float]:
    """The whole study from nothing, in clones that share only packages and compiled loops with this folder."""
    with tempfile.TemporaryDirectory() as place:
        clone, same, stages = (Path(place) / name for name in ("clone", "same", "stages"))
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        (clone / ".venv").symlink_to(sys.prefix)
        cold = timed(clone, "make", "--old-file", ".venv/.installed", "repro")  # after set-up
        for make, folder in ((trivial, same), (bare, stages)):
            make(folder)
            timed(folder, "dvc", "repro", "--quiet")
        nothing = in_turn([clone, same, stages], "dvc", "repro", "--quiet")
        edit(clone, "hidden_layers: 20\n", "hidden_layers: 18\n")
        edited = timed(clone, "dvc", "repro", "--quiet")
        edit(clone, "hidden_layers: 18\n", "hidden_layers: 20\n")
        timed(clone, "dvc", "repro", "--quiet")
        return {
            "cold_repro_seconds": cold,
            "cold_repro_in_fits": cold / fit_seconds,
            "noop_repro_seconds": median(own for own, _, _ in nothing),
            "noop_repro_more_than_trivial_seconds": median(own - trivial for own, trivial, _ in nothing),
            "noop_repro_more_than_bare_seconds": median(own - bare for own, _, bare in nothing),
            "edited_repro_seconds": edited,
            "published_points_per_second": publishing(clone),
            "peak_memory_300_replicas_20_layers_gib": peak_memory(clone),
        }


def processor(described: str) -> str:
    """Its name, and by family and model which it is, for a virtual machine may hide that in the name.

    Args:
        described: what Linux says in /proc/cpuinfo, or nothing.
    """
    said = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in described.splitlines())}
    if "model name" not in said:
        return platform.processor() or platform.machine()
    further = [f"{name} {said[key]}" for name, key in (("family", "cpu family"), ("model", "model")) if key in said]
    return f"{said['model name']} ({', '.join(further)})" if further else said["model name"]


def machine() -> dict[str, Any]:
    """What the figures are from."""
    described = Path("/proc/cpuinfo")
    return {
        "processor": processor(described.read_text() if described.exists() else ""),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def main() -> None:
    """Measure, print, write the results and the table in docs/explanation.md."""
    subprocess.run([sys.executable, "-m", "benchmarks.agreement"], cwd=ROOT, check=True)
    measured = {**ratios.relu_5(), **ratios.digits(), **ratios.million(), **big_table.measure()}
    measured |= pipeline(measured["keras_fit_seconds_per_replica"])
    results = {
        "measured": {key: round(value, 3) for key, value in measured.items()},
        "machine": machine(),
        "rounds": ROUNDS,
    }
    table.RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    table.renew()
    print(table.rendered(results))


if __name__ == "__main__":
    main()
