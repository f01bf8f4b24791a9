"""Examples that several test modules share: hand-made histories, what is evaluated of them, and data of each task.

Plain functions; what takes a fixture, and the small recipe and training, are in conftest.
"""

from itertools import pairwise

import numpy as np
import xarray as xr
from conftest import variant
from imports import ROOT

from pipeline.data.profile import Profile
from pipeline.data.split.samples import InputColumn, Origin, Samples, Split, TargetScaling
from pipeline.data.split.tasks import Task
from pipeline.diagnosis.theory import Premises
from pipeline.evaluation import summary
from pipeline.evaluation.learned import Rule
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.history import record
from pipeline.history.record import HIDDEN, OUTPUT, Layer
from pipeline.history.time_profiles import TIME_VALUES, RecurrentCall, with_time_profiles
from pipeline.params.comparison_params import ComparisonParams
from pipeline.params.params import read
from pipeline.params.variant_params import VariantParams

SHIPPED = read(ROOT / "params.yaml")
THRESHOLDS = SHIPPED.diagnosis
BINARY = Task("binary", ("0", "1"))

PROFILE = Profile(
    source="make_circles",
    task=BINARY,
    rows={"train": 500, "test": 500},
    features=2,
    inputs=2,
    shares={"train": {"0": 0.504, "1": 0.496}, "test": {"0": 0.496, "1": 0.504}},
    targets={},
    ranges=(),
    warnings=(),
)


def tutorials_origin() -> Origin:
    """Where the rows of the shipped params.yaml come from."""
    return origin_of(BINARY, ("x1", "x2")).model_copy(update={"data": SHIPPED.data, "split": SHIPPED.split})


def origin_of(task: Task, names: tuple[str, ...], offset: float = 0.0, factor: float = 1.0) -> Origin:
    """Of rows of numbers with these names, all scaled alike; targets as they are."""
    return Origin(
        task=task,
        columns=tuple(InputColumn(name=name, offset=offset, factor=factor) for name in names),
        shape=(len(names),),
        targets=() if task.is_classification else tuple(TargetScaling(name=name) for name in task.names),
        data=SHIPPED.data,
        split=SHIPPED.split,
    )


def layer_table(*hidden_units: int, outputs: int = 1) -> list[Layer]:
    """Dense hidden layers of so many units, and an output layer."""
    hidden = [Layer(f"hidden_{number:02d}", "Dense", HIDDEN, units) for number, units in enumerate(hidden_units, 1)]
    return [*hidden, Layer("output", "Dense", OUTPUT, outputs)]


def history(test_accuracy: list[list[float]], dead: list[list[int]] | None = None, layers: int = 2) -> xr.Dataset:
    """A hand-made history: a row a replica, a column an epoch; `dead` says so of the first layer."""
    accuracy = np.array(test_accuracy, np.float32)
    count, epochs = accuracy.shape
    names = [f"{part}_{what}" for part in ("train", "test") for what in BINARY.curves]
    curves = {name: np.full((count, epochs), 0.5, np.float32) for name in names}
    curves["train_loss"] += 0.1  # near the baseline loss: a loss far below it rules out causes of signals
    curves |= {"test_accuracy": accuracy, "test_balanced_accuracy": accuracy.copy()}
    values = {name: np.ones((count, epochs, layers), np.float32) for name in record.LAYER_VALUES}
    values["dead"] = np.zeros((count, epochs, layers), np.int8)
    if dead is not None:
        values["dead"][:, :, 0] = np.array(dead)
    values["saturated_share"] = np.zeros((count, epochs, layers, len(record.SLOPE_FRACTIONS)))
    table, constant = layer_table(*[3] * (layers - 1)), dict.fromkeys(("train", "test"), np.log(2))
    return record.assemble(range(count), range(epochs), curves, values, table, BINARY, constant)


def with_recurrent_layer(made: xr.Dataset) -> xr.Dataset:
    """The history with two calls of a layer: the gradient halves at each of 20 steps; or stays, from step 6 on."""
    steps = np.arange(1, 21)
    norms = np.stack([0.5 ** (20 - steps), np.where(steps > 5, 0.1, np.nan)])
    shape = (made.sizes["replica"], made.sizes["recorded_epoch"], *norms.shape)
    profiles = norms * np.arange(1, 1 + shape[0] * shape[1]).reshape(*shape[:2], 1, 1)
    calls = [RecurrentCall("lstm/lstm_cell", 20), RecurrentCall("lstm/lstm_cell (call 2)", 20)]
    return with_time_profiles(made, calls, dict.fromkeys(TIME_VALUES, profiles))


def accuracy_above(threshold: float = 0.75) -> Rule:
    """The rule by which the tutorial's replicas have learned."""
    return Rule("accuracy", threshold)


def evaluated(made: xr.Dataset, threshold: float = 0.75) -> VariantEvaluation:
    """The evaluation of a history; the threshold is of the test accuracy."""
    return summary.evaluate("v", made, variant(), Premises(), accuracy_above(threshold), THRESHOLDS)


def evaluations() -> dict[str, VariantEvaluation]:
    """Two variants: nine of ten replicas learn, and none."""
    return {"a": evaluated(history([[0.5, 0.8]] * 9 + [[0.5, 0.5]])), "b": evaluated(history([[0.5, 0.5]] * 10))}


def parameters(pair: list[str]) -> ComparisonParams:
    """A comparison of that pair, and the claims that a tutorial might make of it."""
    stated = {"a": {"learns": False, "test_accuracy": 0.3, "converged_by_epoch": 1}}
    gradient = {"more": "a", "less": "b"}
    return ComparisonParams.model_validate(
        {"pair": pair, "weights": pair, "claims": stated, "gradient_claim": gradient}
    )


def recipes(**changes: object) -> dict[str, VariantParams]:
    """Two resolved variants, the second with changes."""
    return {"a": variant(), "b": variant(**changes)}


def classified(classes: int, missing_in_test: int | None = None, validation: int = 0) -> Split:
    """Points around a centre for each class, near enough to overlap: 52 train, so many validate, 28 test.

    Args:
        missing_in_test: a class of which no row tests.
    """
    generator = np.random.default_rng(classes)
    labels = np.resize(np.arange(classes), 52 + validation + 28)
    if missing_in_test is not None:
        test = labels[-28:]
        test[test == missing_in_test] = (missing_in_test + 1) % classes
    angles = 2 * np.pi * labels / classes
    inputs = 0.6 * np.stack([np.cos(angles), np.sin(angles)], axis=1) + generator.normal(0, 0.3, (len(labels), 2))
    task = Task("multiclass", tuple("abcdefgh"[:classes]))
    return _cut(task, Samples(inputs, labels), validation)


def regressed(targets: int, validation: int = 0) -> Split:
    """Waves over three inputs, and noise: 52 train, so many validate, 28 test."""
    generator = np.random.default_rng(targets)
    inputs = generator.uniform(-1, 1, (52 + validation + 28, 3))
    waves = np.sin(2 * inputs @ generator.normal(size=(3, targets)) + np.arange(targets))
    task = Task("regression", tuple(f"y{number}" for number in range(1, targets + 1)))
    return _cut(task, Samples(inputs, waves + generator.normal(0, 0.1, waves.shape)), validation)


def _cut(task: Task, whole: Samples, validation: int) -> Split:
    ends = (0, 52, 52 + validation, len(whole))
    train, between, test = (
        Samples(whole.inputs[first:last], whole.targets[first:last]) for first, last in pairwise(ends)
    )
    return Split(task, train, test, between if validation else None)
