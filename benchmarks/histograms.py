"""What the histograms cost: thirty replicas of relu_20 as params.yaml says, with and without them, in turn.

training   the whole of `train`, compilation included, but for the files
measuring  what the probes take of one state; that times the recorded epochs is what training has to bear in all

On a shared machine the first swings by more than it finds; the processor's seconds swing less than the clock's.
"""

import time
from collections.abc import Callable
from statistics import median

from pipeline.data.generate import generate
from pipeline.data.points import Split
from pipeline.data.split import split
from pipeline.model import initial_weights, keras_objects, network
from pipeline.params import file, variants
from pipeline.params.data import DataParams
from pipeline.params.split import SplitParams
from pipeline.params.training import TrainingParams
from pipeline.params.variants import VariantParams
from pipeline.training.replicas import is_recorded, train
from pipeline.training.stacked.engine import Engine
from pipeline.training.stacked.forward import Forward
from pipeline.training.stacked.measuring import Measures

VARIANT = "relu_20"
ROUNDS = 6
STATES = 300


def in_turn(work: Callable[[bool], object], rounds: int) -> list[dict[bool, tuple[float, float]]]:
    """Seconds by the clock and of the processor, without and with; each goes first in every other round."""
    measured = []
    for number in range(rounds):
        seconds = {}
        for histograms in (False, True) if number % 2 else (True, False):
            began = time.perf_counter(), time.process_time()
            work(histograms)
            seconds[histograms] = time.perf_counter() - began[0], time.process_time() - began[1]
        measured.append(seconds)
    return measured


def show(name: str, rounds: list[dict[bool, tuple[float, float]]], unit: float, label: str) -> float:
    """Print medians and ratios; returns what the histograms add, in the processor's seconds."""
    for clock, position in {"clock": 0, "processor": 1}.items():
        off, on = (median(each[histograms][position] for each in rounds) / unit for histograms in (False, True))
        ratio = median(each[True][position] / each[False][position] for each in rounds)
        print(f"{name:10} {clock:10} off {off:7.2f} {label}   on {on:7.2f} {label}   on/off {ratio:5.3f}", flush=True)
    return median(each[True][1] - each[False][1] for each in rounds)


def measuring(recipe: VariantParams, parts: Split, shared: TrainingParams) -> Callable[[bool], object]:
    """Measure one state of an untrained chunk."""
    net = network.build(recipe, parts.inputs, VARIANT)
    forward = Forward(net)
    optimizer, clipping = keras_objects.optimizer(recipe.optimizer, "optimizer")
    initial = initial_weights.draw(net, shared.seed, list(range(shared.replicas)))
    state = Engine(forward, optimizer, clipping, parts, initial, shared.batch_size).state
    measures = {histograms: Measures(forward, parts, histograms) for histograms in (False, True)}
    for each in measures.values():
        each.all(state)  # compiles
    return lambda histograms: measures[histograms].all(state)[1]["weight_l1"].numpy()


def main() -> None:
    """Print both, and how large a history each leaves."""
    document = file.read()
    recipe = variants.resolve(document, VARIANT)
    parts, _ = split(generate(file.section(document, "data", DataParams)), file.section(document, "split", SplitParams))
    shared = file.section(document, "training", TrainingParams)
    sizes = {}

    def training(histograms: bool) -> None:
        trained = train(recipe, VARIANT, parts, shared.model_copy(update={"histograms": histograms}))
        sizes[histograms] = trained.history.nbytes / 1e6  # NetCDF 3 compresses nothing

    rounds = in_turn(training, ROUNDS)
    show("training", rounds, 1, "s")
    added = show("measuring", in_turn(measuring(recipe, parts, shared), STATES), 1e-3, "ms")
    recorded = sum(is_recorded(epoch, shared) for epoch in range(shared.epochs + 1))
    share = added * recorded / median(each[False][1] for each in rounds)
    print(f"{recorded} recorded epochs x {added * 1e3:.2f} ms: {share:.1%} of training's processor seconds")
    print(f"history.nc: off {sizes[False]:.1f} MB, on {sizes[True]:.1f} MB")


if __name__ == "__main__":
    main()
