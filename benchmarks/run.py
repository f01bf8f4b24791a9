"""`make bench`: speed as ratios, measured side by side in one run, and memory.

    engine    one replica of relu_5 by Keras's `fit` against thirty by the engine, alternately, medians of the rounds
    pipeline  a cold `dvc repro` of a fresh clone (all variants, evaluated, tracked), a no-op, the peak of memory

The machine may be shared: read the ratios, not the seconds. Writes benchmarks/results.json.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"
ROUNDS = 2
EPOCHS = 500
REPLICAS = 30


def seconds(module: str) -> float:
    """What a benchmark module prints, run in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.{module}", str(EPOCHS)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return float(done.stdout.split()[-1])


def engine() -> dict[str, float]:
    """Keras's `fit` and the engine in turn."""
    rounds = [(seconds("keras_fit"), seconds("engine_run")) for _ in range(ROUNDS)]
    return {
        "keras_fit_seconds_per_replica": median(fit for fit, _ in rounds),
        "engine_seconds_per_replica": median(ours for _, ours in rounds) / REPLICAS,
        "engine_times_faster": median(fit / (ours / REPLICAS) for fit, ours in rounds),
    }


def pipeline(fit_seconds: float) -> dict[str, float]:
    """The whole study from nothing, in a clone that shares nothing with this folder."""
    environment = {key: value for key, value in os.environ.items() if key not in ("DVC_ROOT", "MLFLOW_TRACKING_URI")}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), folder], check=True)

        def repro() -> float:
            began = time.perf_counter()
            subprocess.run(["dvc", "repro", "--quiet"], cwd=folder, env=environment, check=True)
            return time.perf_counter() - began

        cold = repro()
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        return {
            "cold_repro_seconds": cold,
            "cold_repro_in_fits": cold / fit_seconds,
            "noop_repro_seconds": median(repro() for _ in range(3)),
            "peak_memory_gib": peak,
        }


def main() -> None:
    """Measure, print a table, write the results."""
    measured = engine()
    measured |= pipeline(measured["keras_fit_seconds_per_replica"])
    packages = {name: version(name) for name in ("tensorflow", "keras", "dvc", "mlflow", "numpy")}
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), **packages}
    results = {key: round(value, 3) for key, value in measured.items()}
    RESULTS.write_text(json.dumps({"measured": results, "machine": machine}, indent=2) + "\n")
    for key, value in results.items():
        print(f"{key:32} {value:10.3f}")
    print(", ".join(f"{key} {value}" for key, value in machine.items()))


if __name__ == "__main__":
    main()
