"""Measure how studies scale from one process to two, on this machine and on a Dask cluster.

`python3 -m benchmarks.studies` trains the same forty cells four times, each time without finished cells, and prints
seconds and ratios. The start of the processes counts, as in a study.

`python3 -m benchmarks.studies memory` trains more and more replicas of relu_20 for a few epochs, in chunks of 100, and
prints the peak memory.
"""

import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CELLS, REPLICAS, EPOCHS = 40, 30, 500
MEMORY = (30, 100, 300, 1000, 3000)  # replicas


def study(workers: int) -> None:
    """Train the cells by the params.yaml of this folder; finished cells go below DVC_ROOT."""
    from pipeline.data.sources import load
    from pipeline.data.splitting import split
    from pipeline.params.params import read
    from pipeline.studies import code_fingerprint
    from pipeline.studies.work import VariantWork
    from pipeline.studies.workers import Workers

    params = read()
    parts, _ = split(load(params.data), params.data, params.split)
    variant, code = params.variant("relu_5"), code_fingerprint.fingerprint()
    changes = {"epochs": EPOCHS, "replicas": REPLICAS, "histograms": False}
    trainings = [params.training.model_copy(update={**changes, "seed": seed}) for seed in range(CELLS)]
    tasks = {str(each.seed): VariantWork(variant, each, "benchmark", code) for each in trainings}
    with Workers(workers) as processes:
        processes.run(tasks, {"benchmark": parts})


def seconds(workers: int, **environment: str) -> float:
    """Return the seconds of all cells, none finished before, in a process of its own."""
    with tempfile.TemporaryDirectory() as store:
        command = [sys.executable, "-m", "benchmarks.studies", "study", str(workers)]
        start = time.perf_counter()
        subprocess.run(command, cwd=ROOT, env={**os.environ, "DVC_ROOT": store, **environment}, check=True)
        return time.perf_counter() - start


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """Start a scheduler and workers on loopback, and yield the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    commands = [["dask", "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]]
    commands += [["dask", "worker", address, "--nthreads", "1", "--no-dashboard"]] * workers
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with ExitStack() as stack:
        for command in commands:
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            process = stack.enter_context(subprocess.Popen(command, cwd=ROOT, env=environment, **quiet))
            stack.callback(process.terminate)
        yield address


def memory(replicas: int) -> None:
    """Print the peak memory of one training."""
    from pipeline.data.sources import load
    from pipeline.data.splitting import split
    from pipeline.params.params import read
    from pipeline.training.common.train_replicas import train

    params = read()
    parts, _ = split(load(params.data), params.data, params.split)
    shared = params.training
    shared = shared.model_copy(update={"epochs": 20, "replicas": replicas, "chunk": 100, "histograms": False})
    train(params.variant("relu_20"), "relu_20", parts, shared)
    print(f"{replicas:5} replicas  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:5.2f} GiB", flush=True)


def main() -> None:
    """Measure one and two workers, here and on a cluster."""
    total = CELLS * REPLICAS
    for place in ("here", "cluster"):
        by_workers = {}
        for workers in (1, 2):
            with ExitStack() as stack:
                own = {} if place == "here" else {"DASK_SCHEDULER_ADDRESS": stack.enter_context(cluster(workers))}
                by_workers[workers] = duration = seconds(workers, **own)
            print(
                f"{place:8} {workers} workers  {duration:6.1f} s  {total / duration:6.2f} replicas/s",
                flush=True,
            )
        print(f"{place:8} two workers are {by_workers[1] / by_workers[2]:.2f} times as fast as one")


if __name__ == "__main__":
    if sys.argv[1:2] == ["study"]:
        study(int(sys.argv[2]))
    elif sys.argv[1:] == ["memory"]:
        for count in MEMORY:
            subprocess.run([sys.executable, "-m", "benchmarks.studies", "memory", str(count)], cwd=ROOT, check=True)
    elif sys.argv[1:2] == ["memory"]:
        memory(int(sys.argv[2]))
    else:
        main()
