"""Compare a user's network with the variant that it copies: relu_5, written in Keras.

`python3 -m benchmarks.networks` trains the same replicas in one and in two processes and prints epochs a second,
counted from when all processes train.

`python3 -m benchmarks.networks shares` trains the replicas of params.yaml both ways and compares the learned shares by
Fisher's exact test.
"""

import os
import sys
import tempfile
import time
from collections.abc import Mapping

from scipy.stats import fisher_exact

from pipeline.data.sources import load
from pipeline.data.splitting import split
from pipeline.evaluation.learned import learned_at, rule_for
from pipeline.params import network_params
from pipeline.params.params import Params, read
from pipeline.params.training_params import TrainingParams
from pipeline.studies import cell_store
from pipeline.studies.work import replica_works
from pipeline.studies.workers import Workers
from pipeline.training.common.train_replicas import join_records, train

VARIANT = "relu_5"
NETWORK = """import keras


def build(inputs, task):
    hidden = [keras.layers.Dense(5, "relu", kernel_initializer="he_uniform") for _ in range(5)]
    return keras.Sequential([keras.Input(inputs), *hidden, keras.layers.Dense(task.outputs, "sigmoid")])
"""
REPLICAS, EPOCHS = 8, 60  # of the comparison of processes


def main(with_shares: bool) -> None:
    """Print the comparison of shares, or that of processes."""
    params = read()
    defaults = {"optimizer": params.variant(VARIANT).optimizer.model_dump()}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DVC_ROOT"] = folder  # keeps cells out of the repository
        os.chdir(folder)
        network_params.file(VARIANT).parent.mkdir(parents=True)
        network_params.file(VARIANT).write_text(NETWORK)
        sparse = {"record_first": 0, "record_every": 10**6, "histograms": False}
        training = params.training.model_copy(update=sparse)
        network = network_params.resolve({VARIANT: {}}, defaults, training.model_dump(), ())[VARIANT]
        (shares if with_shares else processes)(params, network.recipe, training)


def processes(params: Params, recipe: network_params.NetworkRecipe, training: TrainingParams) -> None:
    """Compare two processes with one; `recipe` is the network's."""
    parts, _ = split(load(params.data), params.data, params.split)
    speed = {}
    for workers in (1, 2):
        short = training.model_copy(update={"replicas": REPLICAS, "epochs": EPOCHS})
        tasks = replica_works("network", VARIANT, recipe, short, f"{workers} processes")
        starts: dict[str, float] = {}
        warm_ups: dict[str, int] = {}  # epochs before all processes train, which do not count

        def on_epoch(
            name: str,
            epoch: int,
            curves: Mapping[str, float],
            starts: dict[str, float] = starts,
            warm_ups: dict[str, int] = warm_ups,
            workers: int = workers,
        ) -> None:
            starts.setdefault(name, time.perf_counter())
            if len(starts) <= workers:
                warm_ups[name] = epoch

        with Workers(workers) as processes:
            processes.run(tasks, {f"{workers} processes": parts}, on_epoch=on_epoch)
        seconds = time.perf_counter() - sorted(starts.values())[workers - 1]
        speed[workers] = (REPLICAS * EPOCHS - sum(warm_ups.values())) / seconds
        print(f"{workers} processes  {speed[workers]:6.1f} epochs/s", flush=True)
    print(f"two processes are {speed[2] / speed[1]:.2f} times as fast as one")


def shares(params: Params, recipe: network_params.NetworkRecipe, training: TrainingParams) -> None:
    """Compare how many replicas learn; `recipe` is the network's."""
    parts, _ = split(load(params.data), params.data, params.split)
    rule = rule_for(parts.task, params.evaluation.learned)
    variant_history = train(params.variant(VARIANT), VARIANT, parts, training).history
    tasks = replica_works("network", VARIANT, recipe, training, "shares")
    with Workers() as processes:
        processes.run(tasks, {"shares": parts}, on_cell=lambda name: print(name, flush=True))
    network_history = join_records([cell_store.load(task.key) for task in tasks.values()])
    counts = [int(learned_at(history, rule).isel(epoch=-1).sum()) for history in (variant_history, network_history)]
    total = training.replicas
    table = [[count, total - count] for count in counts]
    print(
        f"as a variant {counts[0]} of {total} learn, as a network {counts[1]} of {total}; seed {training.seed}; "
        f"Fisher's exact test: p = {fisher_exact(table).pvalue:.2f}"
    )


if __name__ == "__main__":
    main(sys.argv[1:] == ["shares"])
