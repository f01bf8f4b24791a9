"""`make bench`: measure speed, as ratios from one run, and memory.

    ratios    the engine, JAX, hand-written loops and Keras's `fit` in turn; see `benchmarks.ratios`
    table     `generate` and `split` of a million rows; see `benchmarks.big_table`
    pipeline  a cold `make repro` of a fresh clone (all variants, evaluated, tracked), a `dvc repro` with nothing to do
              and with one variant edited, publishing into an empty store, and the peak memory of 300 replicas of 20
              hidden layers

First it checks that the engine and JAX take the same steps. It takes some twenty minutes on two cores, and writes
benchmarks/results.json and the table in docs/explanation.md. On a shared machine compare the ratios, not the seconds.
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
# Folders that a stage depends on, and the outputs in them of the variants' stages.
BY_VARIANT: dict[str, Callable[[list[str]], list[str]]] = {
    "runs": lambda names: [f"runs/{name}" for name in names],
    "evaluations": lambda names: [f"evaluations/{name}" for name in names],
    "metrics": lambda names: [f"metrics/{name}.json" for name in names],
}
PACKAGES = ("tensorflow", "keras", "numba", "jax", "dvc", "mlflow", "numpy")


def trivial(folder: Path) -> None:
    """Make a clone whose stages only write some outputs; dvc.yaml's dependencies, params.yaml and code stay."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    document = YAML(typ="safe").load(folder / "dvc.yaml")
    for stage in document["stages"].values():
        stage.get("do", stage)["cmd"] = write_command(outputs(stage.get("do", stage)))
    (folder / "dvc.yaml").write_text(json.dumps(document))
    (folder / "dvc.lock").unlink()


def bare(folder: Path) -> None:
    """Make the same stages over the same data, which only write some outputs and depend on no code or parameters."""
    folder.mkdir()
    document = YAML(typ="safe").load(ROOT / "dvc.yaml")
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    names = [*params["variants"], *params["networks"]]
    stages = {}
    for stage, content in document["stages"].items():
        for key in params[content["foreach"].strip("${}")] if "foreach" in content else [""]:
            resolved = json.loads(json.dumps(content.get("do", content)).replace("${key}", key))
            data = [dep for dep in resolved["deps"] if not dep.startswith("pipeline/")]
            deps = [each for dep in data for each in (BY_VARIANT[dep](names) if dep in BY_VARIANT else [dep])]
            stages[f"{stage}_{key}"] = {
                "cmd": write_command(outputs(resolved)),
                "deps": deps,
                "outs": outputs(resolved),
            }
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    outs = {out for stage in stages.values() for out in stage["outs"]}
    for dep in {dep for stage in stages.values() for dep in stage["deps"]} - outs:  # files in git
        (folder / dep).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / dep).is_dir() else shutil.copyfile
        copy(ROOT / dep, folder / dep)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run(["dvc", "init", "--quiet"], cwd=folder, check=True)


def outputs(stage: dict[str, Any]) -> list[str]:
    """Return all outputs of a stage, metrics included."""
    return [out if isinstance(out, str) else next(iter(out)) for out in stage["outs"] + stage.get("metrics", [])]


def write_command(outs: list[str]) -> str:
    """Return a command that writes the outputs; an output without a suffix is a folder."""
    files = [out if "." in out else f"{out}/file" for out in outs]
    return " && ".join(f"mkdir -p $(dirname {file}) && echo {file} > {file}" for file in files)


def timed(folder: Path, *command: str) -> float:
    """Return the seconds of a command."""
    environment = {key: value for key, value in os.environ.items() if key not in ("DVC_ROOT", "MLFLOW_TRACKING_URI")}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def in_turn(folders: list[Path], *command: str) -> list[list[float]]:
    """Return the seconds of a command in each folder, in turn: a list for each of five rounds."""
    return [[timed(folder, *command) for folder in folders] for _ in range(5)]


def publishing(clone: Path) -> float:
    """Return metric points a second of a whole `track` into an empty store, its start and all models included."""
    seconds = []
    for _ in range(ROUNDS):
        subprocess.run(["rm", "-rf", "mlruns"], cwd=clone, check=True)
        seconds.append(timed(clone, sys.executable, "-m", "pipeline.stages.track"))
    with closing(sqlite3.connect(clone / "mlruns" / "mlflow.db")) as store:
        (points,) = store.execute("SELECT count(*) FROM metrics").fetchone()
    return points / median(seconds)


def peak_memory(clone: Path) -> float:
    """Return the peak memory (GiB) of the stage that trains 300 replicas of relu_20."""
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
    """Replace a text of params.yaml that occurs once."""
    text = (clone / "params.yaml").read_text()
    if len(re.findall(re.escape(before), text)) != 1:
        raise RuntimeError(f"params.yaml: {before!r} must occur exactly once")
    (clone / "params.yaml").write_text(text.replace(before, after))


def pipeline(fit_seconds: float) -> dict[str, float]:
    """Measure the whole study in clones that share only packages and compiled loops with this folder."""
    with tempfile.TemporaryDirectory() as temporary:
        clone, same, stages = (Path(temporary) / name for name in ("clone", "same", "stages"))
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


def processor(cpuinfo: str) -> str:
    """Return the processor's name with family and model, because a virtual machine's name may hide them.

    Args:
        cpuinfo: the content of Linux's /proc/cpuinfo, or "".
    """
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in cpuinfo.splitlines())}
    if "model name" not in fields:
        return platform.processor() or platform.machine()
    further = [f"{name} {fields[key]}" for name, key in (("family", "cpu family"), ("model", "model")) if key in fields]
    return f"{fields['model name']} ({', '.join(further)})" if further else fields["model name"]


def machine() -> dict[str, Any]:
    """Return processor, cores and versions."""
    cpuinfo = Path("/proc/cpuinfo")
    return {
        "processor": processor(cpuinfo.read_text() if cpuinfo.exists() else ""),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def main() -> None:
    """Measure; print and write the results, and renew the table in docs/explanation.md."""
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
