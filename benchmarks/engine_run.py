"""Thirty replicas of relu_5 by the engine, every record at every epoch; compilation counts."""

import sys
import time

from pipeline.data.generate import generate
from pipeline.data.split import split
from pipeline.params import file, variants
from pipeline.params.data import DataParams
from pipeline.params.split import SplitParams
from pipeline.params.training import TrainingParams
from pipeline.training.replicas import train


def main(epochs: int) -> None:
    """Print the seconds that all replicas take."""
    document = file.read()
    training = file.section(document, "training", TrainingParams)
    training = training.model_copy(update={"epochs": epochs, "record_every": 1, "replicas": 30})
    points = generate(file.section(document, "data", DataParams))
    parts, _ = split(points, file.section(document, "split", SplitParams))
    began = time.perf_counter()
    train(variants.resolve(document, "relu_5"), "relu_5", parts, training)
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main(int(sys.argv[1]))
