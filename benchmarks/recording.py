"""What recording costs: thirty replicas of relu_20, 500 epochs, with more and more recorded, in turn.

curves      loss and accuracy at every epoch, per-layer values at both ends alone
some        per-layer values at the epochs that params.yaml says, no histograms
histograms  and those, as params.yaml says
every       per-layer values at every epoch, and histograms

Each is what a compiled training takes, the processor's seconds; on a shared machine read the ratios.
"""

import time
from collections.abc import Callable
from statistics import median

from pipeline.data.sources import load
from pipeline.data.splitting import split
from pipeline.params.params import read
from pipeline.training.common.train_replicas import train

VARIANT, ROUNDS = "relu_20", 5
CHANGES = {
    "curves": {"record_first": 0, "record_every": 10**6, "histograms": False},
    "some": {"histograms": False},
    "histograms": {},
    "every": {"record_every": 1},
}


def main() -> None:
    """Print medians, ratios to the least, and how large the history is in memory (NetCDF 3 compresses nothing)."""
    params = read()
    recipe = params.variant(VARIANT)
    parts, _ = split(load(params.data), params.data, params.split)
    shared = params.training

    def trained(changes: dict[str, object]) -> Callable[[], float]:
        training = shared.model_copy(update=changes)
        return lambda: train(recipe, VARIANT, parts, training).history.nbytes / 1e6

    ways = {name: trained(changes) for name, changes in CHANGES.items()}
    sizes = {name: way() for name, way in ways.items()}  # compiles, too
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.process_time()
            way()
            seconds[name].append(time.process_time() - began)
    for name, taken in seconds.items():
        ratio = median(own / least for own, least in zip(taken, seconds["curves"], strict=True))
        print(f"{name:10} {median(taken):6.2f} s   {ratio:5.3f} times   history {sizes[name]:5.1f} MB", flush=True)


if __name__ == "__main__":
    main()
