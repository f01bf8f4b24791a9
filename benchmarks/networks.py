"""A network of one's own beside the described variant that it copies: relu_5, written in Keras.

`python3 -m benchmarks.networks` trains the same replicas by one and by two processes and prints epochs a second, from
when all processes train.

`python3 -m benchmarks.networks shares` trains params.yaml's replicas both ways and compares how many learn, by Fisher's
exact test.
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
from pipeline.studies.work import of_replicas
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
    """Print either."""
    params = read()
    defaults = {"optimizer": params.variant(VARIANT).optimizer.model_dump()}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DVC_ROOT"] = folder  # the store of cells
        os.chdir(folder)
        network_params.file(VARIANT).parent.mkdir(parents=True)
        network_params.file(VARIANT).write_text(NETWORK)
        sparse = {"record_first": 0, "record_every": 10**6, "histograms": False}
        training = params.training.model_copy(update=sparse)
        found = network_params.resolve({VARIANT: {}}, defaults, training.model_dump(), ())[VARIANT]
        (shares if with_shares else processes)(params, found.recipe, training)


def processes(params: Params, recipe: network_params.NetworkRecipe, training: TrainingParams) -> None:
    """One against two; `recipe` is the network's."""
    parts, _ = split(load(params.data), params.data, params.split)
    speed = {}
    for workers in (1, 2):
        short = training.model_copy(update={"replicas": REPLICAS, "epochs": EPOCHS})
        tasks = of_replicas("network", VARIANT, recipe, short, f"{workers} processes")
        began: dict[str, float] = {}
        before: dict[str, int] = {}

        def on_epoch(
            name: str,
            epoch: int,
            curves: Mapping[str, float],
            began: dict[str, float] = began,
            before: dict[str, int] = before,
            workers: int = workers,
        ) -> None:
            began.setdefault(name, time.perf_counter())
            if len(began) <= workers:  # not all of them trained yet
                before[name] = epoch

        with Workers(workers) as processes:
            processes.run(tasks, parts, on_epoch=on_epoch)
        seconds = time.perf_counter() - sorted(began.values())[workers - 1]
        speed[workers] = (REPLICAS * EPOCHS - sum(before.values())) / seconds
        print(f"{workers} processes  {speed[workers]:6.1f} epochs/s", flush=True)
    print(f"two against one: {speed[2] / speed[1]:.2f} times")


def shares(params: Params, recipe: network_params.NetworkRecipe, training: TrainingParams) -> None:
    """How many learn; `recipe` is the network's."""
    parts, _ = split(load(params.data), params.data, params.split)
    rule = rule_for(parts.task, params.evaluation.learned)
    described = train(params.variant(VARIANT), VARIANT, parts, training).history
    tasks = of_replicas("network", VARIANT, recipe, training, "shares")
    with Workers() as processes:
        processes.run(tasks, parts, on_cell=lambda name: print(name, flush=True))
    own = join_records([cell_store.load(task.key) for task in tasks.values()])
    counts = [int(learned_at(history, rule).isel(epoch=-1).sum()) for history in (described, own)]
    total = training.replicas
    table = [[count, total - count] for count in counts]
    print(
        f"described: {counts[0]} of {total} learn; as a network: {counts[1]} of {total}; seed {training.seed}; "
        f"Fisher's exact test: p = {fisher_exact(table).pvalue:.2f}"
    )


if __name__ == "__main__":
    main(sys.argv[1:] == ["shares"])
