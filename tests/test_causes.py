"""Networks built to fail in one way, through the real engine and the real probes: each gets its own cause."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import training, variant

from examples import THRESHOLDS, accuracy_above
from pipeline.data.split.samples import Samples, Split
from pipeline.diagnosis import causes, evidence
from pipeline.evaluation import replica_table
from pipeline.params.variant_params import VariantParams
from pipeline.training.common.train_replicas import train

STEPS = {"epochs": 30, "replicas": 3, "chunk": 3, "record_every": 5}


def normal(deviation: float, mean: float = 0.0) -> dict:
    return {"class_name": "RandomNormal", "config": {"mean": mean, "stddev": deviation}}


def constant(value: float) -> dict:
    return {"class_name": "Constant", "config": {"value": value}}


def sgd(rate: float) -> dict:
    return {"class_name": "SGD", "config": {"learning_rate": rate}}


def adam(rate: float) -> dict:
    return {"class_name": "Adam", "config": {"learning_rate": rate}}


def positive(split: Split) -> Split:
    """All inputs above 0, so that negative kernels switch every rectified unit off."""
    return replaced(split, lambda part: Samples(np.abs(part.inputs) + 0.1, part.targets))


def relabelled(split: Split, labels: list[int]) -> Split:
    return replaced(split, lambda part: Samples(part.inputs, np.resize(labels, len(part))))


def replaced(split: Split, change: Callable[[Samples], Samples]) -> Split:
    """With other rows in both parts."""
    return Split(split.task, change(split.train), change(split.test))


def history(recipe: VariantParams, split: Split, **changes: object) -> xr.Dataset:
    return train(recipe, "v", split, training(**{**STEPS, **changes})).history


def judged(made: xr.Dataset, threshold: float = 0.75) -> pd.DataFrame:
    return replica_table.evaluate(made, accuracy_above(threshold), THRESHOLDS)


def causes_of(recipe: VariantParams, split: Split, **changes: object) -> set[str]:
    """The causes, whatever the accuracy that was reached by chance."""
    return set(judged(history(recipe, split, **changes), threshold=0.999).cause)


def test_built_dead(circles: Split) -> None:
    table = judged(history(variant(kernel_initializer=constant(-1.0)), positive(circles)))
    assert set(table.cause) == {"born_dead"}
    assert set(table.dead_layer) == {1}


def test_dies_in_training(circles: Split) -> None:
    """One step far too large throws the rectified units off all inputs, none of which is negative: it is the cause."""
    recipe = variant(kernel_initializer=constant(0.5), output_kernel_initializer=constant(1.0), optimizer=sgd(30.0))
    made = history(recipe, relabelled(positive(circles), [0, 0, 0, 1]), record_every=1)
    table = judged(made)
    assert set(judged(made, 0.999).cause) == {"learning_rate_too_large"}
    assert set(judged(made, 0.999).symptom) == {"died_in_training"}
    assert (table.died_by - table.died_after == 1).all()


def test_saturates(circles: Split) -> None:
    recipe = variant(activation="tanh", kernel_initializer=normal(60.0), optimizer=sgd(0.001))
    assert causes_of(recipe, circles) == {"saturated"}


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["relu", "exponential"])
def test_explodes(activation: str, circles: Split) -> None:
    recipe = variant(activation=activation, kernel_initializer=normal(30.0), output_kernel_initializer=normal(30.0))
    assert causes_of(recipe, circles) == {"exploding"}


def test_not_a_number_at_the_first_step(circles: Split) -> None:
    recipe = variant(activation="linear", kernel_initializer=normal(1e25), optimizer=sgd(1e30))
    table = judged(history(recipe, circles))
    assert set(table.cause) == {"exploding"}
    assert set(table.nonfinite_epoch) <= {0, 1}


def test_deep_sigmoid_layers_vanish(circles: Split) -> None:
    recipe = variant(hidden_layers=8, activation="sigmoid", kernel_initializer="glorot_uniform")
    table = judged(history(recipe, circles))
    assert set(table.cause) == {"vanishing"}
    assert set(table.smallest_layer) == {1}


def test_small_kernels_vanish_in_all_layers_alike(circles: Split) -> None:
    recipe = variant(hidden_layers=6, activation="linear", kernel_initializer=normal(0.02))
    assert causes_of(recipe, circles) == {"vanishing"}


def test_merely_slow(circles: Split) -> None:
    """Easy labels, the side on which a point lies, and steps too small for the time."""
    sides = replaced(circles, lambda part: Samples(part.inputs, (part.inputs[:, 0] > 0).astype(int)))
    recipe = variant(
        hidden_layers=1, units=20, activation="tanh", kernel_initializer="glorot_uniform", optimizer=sgd(0.01)
    )
    assert causes_of(recipe, sides, epochs=100) == {"too_few_epochs"}


def test_a_deep_linear_network_is_alive_and_stuck(circles: Split) -> None:
    """It cannot bend: circles are beyond it, though gradients arrive."""
    recipe = variant(hidden_layers=4, activation="linear", kernel_initializer="orthogonal")
    assert causes_of(recipe, circles, epochs=200) == {"unexplained"}


def test_constant_data_leave_it_stuck(circles: Split) -> None:
    flat = replaced(circles, lambda part: Samples(np.ones_like(part.inputs), part.targets))
    recipe = variant(activation="tanh", kernel_initializer="glorot_uniform")
    assert causes_of(recipe, flat, epochs=200) == {"unexplained"}


def test_one_class_only_is_learned_and_raises_no_alarm(circles: Split) -> None:
    recipe = variant(activation="tanh", kernel_initializer="glorot_uniform")
    made = history(recipe, relabelled(circles, [1]), epochs=100)
    assert set(judged(made).outcome) == {"learned"}
    assert set(judged(made).cause) == {"none"}


@pytest.mark.parametrize(
    "healthy",
    [
        variant(hidden_layers=1, units=20, optimizer=adam(0.02)),
        variant(hidden_layers=3, units=30, optimizer=adam(0.01)),
        variant(
            hidden_layers=2, units=20, activation="tanh", kernel_initializer="glorot_uniform", optimizer=adam(0.01)
        ),
        # Sparse: biases cannot be said, so most of 60 units are off for most inputs by training alone.
        variant(hidden_layers=2, units=60, optimizer=adam(0.03)),
    ],
    ids=["one hidden layer", "three", "tanh", "sparse"],
)
def test_a_healthy_network_raises_no_alarm(healthy: VariantParams, circles: Split) -> None:
    made = history(healthy, circles, epochs=150)
    raised = causes.alarms(evidence.measure(made, THRESHOLDS), THRESHOLDS)
    assert not raised.to_numpy().any()
    assert float(made.train_accuracy.isel(epoch=-1).min()) > 0.75
