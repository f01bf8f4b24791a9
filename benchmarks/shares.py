"""How many replicas of each variant learn, of 300 at each of three seeds: what the README holds the engine to.

`python3 -m benchmarks.shares` trains 6,300 replicas, by params.yaml but for their number and the seed.
"""

from pipeline.data.generate import generate
from pipeline.data.split import split
from pipeline.params import file, variants
from pipeline.params.data import DataParams
from pipeline.params.evaluation import EvaluationParams
from pipeline.params.split import SplitParams
from pipeline.params.training import TrainingParams
from pipeline.training.replicas import train

REPLICAS, SEEDS = 300, (1, 2, 3)


def main() -> None:
    """Print a row of the README's table for each variant."""
    document = file.read()
    parts, _ = split(generate(file.section(document, "data", DataParams)), file.section(document, "split", SplitParams))
    threshold = file.section(document, "evaluation", EvaluationParams).learned_accuracy
    shared = file.section(document, "training", TrainingParams)
    # Recorded at both ends alone, which changes no accuracy.
    sparse = {"replicas": REPLICAS, "record_first": 0, "record_every": 10**6, "histograms": False}
    for name in variants.names(document):
        counts = []
        for seed in SEEDS:
            params = shared.model_copy(update={**sparse, "seed": seed})
            history = train(variants.resolve(document, name), name, parts, params).history
            counts.append(int((history.test_accuracy.values[:, -1] > threshold).sum()))
        cells = [f"`{name}`", *map(str, counts), f"{sum(counts) / (REPLICAS * len(SEEDS)):.3f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
