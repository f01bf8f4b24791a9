"""What measuring costs: thirty replicas of relu_5 with every epoch recorded, against accuracy and loss alone.

alone       accuracy and loss at every epoch, per-layer values only at both ends
gradients   and the statistics of every epoch's batch gradients and weight changes
all         and the probes on the full training set: its gradient, dead and saturated units
"""

import time
from statistics import median
from unittest.mock import patch

from pipeline.data.generate import generate
from pipeline.data.split import split
from pipeline.params import file, variants
from pipeline.params.data import DataParams
from pipeline.params.split import SplitParams
from pipeline.params.training import TrainingParams
from pipeline.training.replicas import train
from pipeline.training.stacked.measuring import Measures

ROUNDS = 5
EPOCHS = 200


def main() -> None:
    """Print seconds, and ratios to `alone`, medians of rounds in turn."""
    document = file.read()
    recipe = variants.resolve(document, "relu_5")
    parts, _ = split(generate(file.section(document, "data", DataParams)), file.section(document, "split", SplitParams))
    shared = file.section(document, "training", TrainingParams).model_copy(update={"epochs": EPOCHS, "record_first": 0})
    everything = Measures.all

    def seconds(every: int, probes: bool) -> float:
        """Without the compilation, which the first epochs hold: those are timed apart."""
        params = shared.model_copy(update={"record_every": every})
        ticks: list[float] = []
        kept: dict = {}

        def once(measures: Measures, state: object) -> tuple:
            if id(measures) not in kept:
                kept[id(measures)] = everything(measures, state)[1]
            return measures.curves(state), kept[id(measures)]

        with patch.object(Measures, "all", everything if probes else once):
            train(recipe, "relu_5", parts, params, on_epoch=lambda _: ticks.append(time.perf_counter()))
        return ticks[-1] - ticks[9]

    modes = {"alone": (10**9, False), "gradients": (1, False), "all": (1, True)}
    rounds = [{name: seconds(*mode) for name, mode in modes.items()} for _ in range(ROUNDS)]
    for name in modes:
        ratio = median(each[name] / each["alone"] for each in rounds)
        print(f"{name:10} {median(each[name] for each in rounds):6.2f} s   {ratio:5.2f} of alone")


if __name__ == "__main__":
    main()
