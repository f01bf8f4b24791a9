"""Measure what recording costs thirty replicas of relu_20 over 500 epochs: `python3 -m benchmarks.recording`.

    curves      loss and accuracy at every epoch; values by layer only at the first and the last
    some        values by layer at the epochs of params.yaml, no histograms
    histograms  the same with histograms, as params.yaml ships
    every       values by layer and histograms at every epoch

Prints processor seconds of a compiled training, in turn; on a shared machine compare the ratios.
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
    """Print medians, ratios to `curves`, and the history's size in memory, which is about that of its file."""
    params = read()
    recipe = params.variant(VARIANT)
    parts, _ = split(load(params.data), params.data, params.split)
    shared = params.training

    def training_with(changes: dict[str, object]) -> Callable[[], float]:
        """Return a function that trains and returns the history's size (MB)."""
        training = shared.model_copy(update=changes)
        return lambda: train(recipe, VARIANT, parts, training).history.nbytes / 1e6

    ways = {name: training_with(changes) for name, changes in CHANGES.items()}
    sizes = {name: way() for name, way in ways.items()}  # the first training also compiles
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.process_time()
            way()
            seconds[name].append(time.process_time() - start)
    for name, rounds in seconds.items():
        ratio = median(own / least for own, least in zip(rounds, seconds["curves"], strict=True))
        print(f"{name:10} {median(rounds):6.2f} s   {ratio:5.3f} times   history {sizes[name]:5.1f} MB", flush=True)


if __name__ == "__main__":
    main()
