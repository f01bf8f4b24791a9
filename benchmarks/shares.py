"""Count which of 300 replicas of each variant learn, at each of three seeds: `python3 -m benchmarks.shares`.

It trains 6,300 replicas by the recipes of params.yaml. docs/explanation.md shows the result.
"""

from pipeline.data.sources import load
from pipeline.data.splitting import split
from pipeline.evaluation.learned import learned_at, rule_for
from pipeline.params.params import read
from pipeline.training.common.train_replicas import train

REPLICAS, SEEDS = 300, (1, 2, 3)


def main() -> None:
    """Print a row of the table in docs/explanation.md for each variant."""
    params = read()
    parts, _ = split(load(params.data), params.data, params.split)
    rule = rule_for(parts.task, params.evaluation.learned)
    shared = params.training
    # Only the first and the last epoch are recorded by layer, which changes no accuracy.
    sparse = {"replicas": REPLICAS, "record_first": 0, "record_every": 10**6, "histograms": False}
    for name in params.variants:
        counts = []
        for seed in SEEDS:
            training = shared.model_copy(update={**sparse, "seed": seed})
            history = train(params.variant(name), name, parts, training).history
            counts.append(int(learned_at(history, rule).isel(epoch=-1).sum()))
        cells = [f"`{name}`", *map(str, counts), f"{sum(counts) / (REPLICAS * len(SEEDS)):.3f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
