"""Held to theory: 10,000 untrained networks, drawn through the engine's own initialiser path, on the tutorial's points.

Tolerances are binomial, or those of a median's order statistics, at four standard errors: a test that is right fails
once in 16,000 runs, and the draws are fixed besides.
"""

from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import xarray as xr
from imports import ROOT

from examples import tutorials_origin
from pipeline.data.sources import load
from pipeline.data.split.samples import Origin, Split
from pipeline.data.splitting import split
from pipeline.diagnosis import theory
from pipeline.diagnosis.theory import Premises
from pipeline.evaluation.expectations import expectations, median_interval
from pipeline.foundations.seeds import derived_seed
from pipeline.history import record
from pipeline.params.params import read
from pipeline.params.variant_params import KerasObject, VariantParams
from pipeline.training.common.train_replicas import train
from pipeline.training.compiled import initial

NETS = 10_000
PARAMS = read(ROOT / "params.yaml")
SEEDS = cache(derived_seed)  # variants have them in common, layer by layer
NARROW = {"class_name": "RandomUniform", "config": {"minval": -0.1, "maxval": 0.1}}


@cache
def tutorial() -> Split:
    return split(load(PARAMS.data), PARAMS.data, PARAMS.split)[0]


@cache
def untrained(name: str, small: bool = False) -> xr.Dataset:
    """Epoch 0 of 10,000 replicas of a variant; `small` draws all its kernels from a narrow range."""
    recipe = PARAMS.variants[name]
    narrow = KerasObject.model_validate(NARROW)
    changes = {"kernel_initializer": narrow, "output_kernel_initializer": narrow} if small else {}
    shared = PARAMS.training
    sizes = {"epochs": 0, "replicas": NETS, "chunk": 1000, "surface_resolution": 2, "histograms": False}
    with patch.object(initial, "derived_seed", SEEDS):
        made = train(recipe.model_copy(update=changes), name, tutorial(), shared.model_copy(update=sizes))
    return made.history.isel(recorded_epoch=0)


ORIGIN = tutorials_origin()
OTHER_ORIGIN = ORIGIN.model_copy(update={"data": PARAMS.data.model_copy(update={"samples": 999})})


def of_variant(recipe: VariantParams, origin: Origin = ORIGIN, inputs: Any = None) -> Premises:
    """On the tutorial's points, where nothing else is said."""
    return theory.premises(recipe, origin, tutorial().train.inputs if inputs is None else inputs)


def shipped(name: str, **changes: Any) -> VariantParams:
    """A variant of the shipped file, with changes as params.yaml would have them."""
    return VariantParams.model_validate(PARAMS.variants[name].model_dump(mode="json") | changes)


def born_dead(start: xr.Dataset) -> np.ndarray:
    return (record.hidden(start).dead == 1).any("layer").values


def living(start: xr.Dataset) -> xr.Dataset:
    return start.isel(replica=~born_dead(start))


def assert_share(found: np.ndarray, expected: float, known_to: float = 0.0) -> None:
    """Within four binomial standard errors, and what the expected value itself is known to."""
    error = np.sqrt(expected * (1 - expected) / len(found))
    assert found.mean() == pytest.approx(expected, abs=4 * error + known_to)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("name", "expected", "known_to"), [("relu_15", 0.1954, 0.0034), ("relu_20", 0.3049, 0.004)])
def test_the_born_dead_share_is_that_of_monte_carlo_and_under_its_bound(
    name: str, expected: float, known_to: float
) -> None:
    dead = born_dead(untrained(name))
    assert_share(dead, expected, known_to)
    hidden = record.hidden(untrained(name)).units.values.tolist()
    assert dead.mean() < theory.born_dead_bound(hidden)


@pytest.mark.slow
def test_the_share_does_not_depend_on_the_scale_of_the_weights() -> None:
    as_drawn, small = born_dead(untrained("relu_15")), born_dead(untrained("relu_15", small=True))
    error = np.sqrt(2 * 0.2 * 0.8 / NETS)
    assert as_drawn.mean() == pytest.approx(small.mean(), abs=4 * error)


@pytest.mark.slow
def test_the_hazard_of_a_layer_tends_to_two_to_the_minus_width() -> None:
    dead = record.hidden(untrained("relu_20")).dead.values == 1
    first = np.where(dead.any(axis=1), dead.argmax(axis=1), dead.shape[1])
    hazard = [np.mean(first[first >= layer] == layer) for layer in range(dead.shape[1])]
    alive = [np.sum(first >= layer) for layer in range(dead.shape[1])]
    bound = 2.0**-5
    for layer in range(20):
        assert hazard[layer] <= bound + 4 * np.sqrt(bound * (1 - bound) / alive[layer])
    assert np.mean(hazard[:3]) < np.mean(hazard[-6:])
    assert np.mean(hazard[-6:]) == pytest.approx(bound, rel=0.4)


@pytest.mark.slow
def test_gradients_shrink_by_the_same_factor_for_each_layer_of_depth_in_every_layer_alike() -> None:
    medians = {
        depth: living(untrained(f"relu_{depth}")).probe_gradient_mean_abs.median("replica").values for depth in (5, 15)
    }
    factors = [(medians[15][layer] / medians[5][layer]) ** (1 / 10) for layer in (0, 1, 2, 3, 4)]
    assert np.mean(factors) == pytest.approx(0.74, abs=0.02)
    assert max(factors) - min(factors) < 0.03


@pytest.mark.slow
def test_their_spread_grows_as_the_root_of_beta() -> None:
    """Decades from the 5th to the 95th percentile in the first layer; science has 2.30, 4.07, 4.52."""
    for depth, expected in ((5, 2.30), (15, 4.07), (20, 4.52)):
        made = living(untrained(f"relu_{depth}"))
        decades = np.log10(made.probe_gradient_mean_abs.isel(layer=0).values)
        spread = np.subtract(*np.quantile(decades, [0.95, 0.05]))
        assert spread == pytest.approx(expected, rel=0.06)
        assert 2 * theory.HALF_SPREAD * np.sqrt(theory.beta([5] * depth)) == pytest.approx(expected, rel=0.03)


@pytest.mark.slow
def test_saturation_by_layer_of_tanh_with_uniform_kernels() -> None:
    shares = record.hidden(untrained("tanh_5")).saturated_share.sel(slope_fraction=0.06, method="nearest")
    error = 4 * shares.std("replica").values / np.sqrt(NETS)
    assert (np.abs(shares.mean("replica").values - theory.SATURATED_TANH) <= error + 0.004).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("tanh_5", [0.0200, 0.0034, 0.0023, 0.0033, 0.0119, 0.403]),
        ("tanh_5_glorot", [0.00365, 0.00309, 0.00333, 0.00364, 0.00410, 0.00815]),
        ("relu_5", [0.00297, 0.00270, 0.00267, 0.00272, 0.00278, 0.0102]),
    ],
)
def test_the_median_gradient_profiles(name: str, profile: list[float]) -> None:
    values = living(untrained(name)).probe_gradient_mean_abs.values
    for layer, expected in enumerate(profile):
        low, high = median_interval(values[:, layer])  # 95%; widened to four standard errors, and by the expected's own
        half = 2 * (high - low) / 2 + 0.01 * expected
        assert np.median(values[:, layer]) == pytest.approx(expected, abs=half), layer + 1


@pytest.mark.slow
def test_the_page_of_the_report_agrees() -> None:
    for name in ("relu_5", "relu_15", "tanh_5"):
        start = untrained(name).expand_dims(recorded_epoch=[0], axis=1)
        rows = expectations(start, of_variant(PARAMS.variants[name]))
        assert rows
        for row in rows:
            near = float(row.expected.split()[-1])
            assert row.holds or row.measured == pytest.approx(near, rel=0.1), row


def test_the_bound_is_the_papers() -> None:
    assert theory.born_dead_bound([5]) == 0
    assert theory.born_dead_bound([5, 5, 5], bypassed=[0, 1, 1]) == 0
    assert theory.born_dead_bound([5, 5, 5], bypassed=[0, 1, 0]) == pytest.approx(2**-5)
    assert theory.born_dead_bound([5] * 15) == pytest.approx(1 - (1 - 2**-5) ** 14)
    assert theory.born_dead_bound([5, 10]) == pytest.approx(2**-10)
    assert theory.born_dead_bound([10] * 15) < 0.014


def test_the_tutorials_points_are_those_of_the_shipped_file() -> None:
    assert theory.is_tutorial(ORIGIN)
    assert PARAMS.data.config == theory.TUTORIAL


def test_what_may_be_said_of_the_shipped_variants() -> None:
    found = {name: of_variant(each) for name, each in PARAMS.variants.items()}
    rectified, saturated = Premises(born_dead=True, gradients=True), Premises(saturation=True)
    expected = dict.fromkeys(found, Premises()) | dict.fromkeys(("relu_5", "relu_15", "relu_20"), rectified)
    assert found == expected | dict.fromkeys(("tanh_5", "tanh_5_adam"), saturated)


def named(class_name: str, **config: float) -> dict[str, Any]:
    return {"class_name": class_name, "config": config}


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_normalization": True},
        {"residual": True},
        {"pretraining": "layer_wise"},
        {"pretraining": "autoencoder"},
        {"activation": named("elu")},
        {"activation": named("leaky_relu")},
        {"activation": named("ReLU", negative_slope=0.1)},
        {"kernel_initializer": named("randomized_asymmetric")},
        {"kernel_initializer": named("RandomUniform", minval=0.0, maxval=1.0)},
        {"kernel_initializer": named("RandomNormal", mean=0.1)},
        {"kernel_initializer": named("Constant", value=-1.0)},
        {"kernel_initializer": named("zeros")},
    ],
    ids=str,
)
def test_without_a_premise_theory_says_nothing(changes: dict[str, Any]) -> None:
    assert of_variant(shipped("relu_15", **changes)) == Premises()


@pytest.mark.parametrize(
    "changes",
    [
        {"units": 10},
        {"kernel_initializer": named("HeNormal")},
        {"kernel_initializer": named("orthogonal")},
        {"kernel_initializer": named("random_walk", gain=1.5)},
        {"kernel_initializer": named("RandomNormal", stddev=0.1)},
        {"kernel_initializer": named("RandomUniform", minval=-0.1, maxval=0.1)},
        {"output_kernel_initializer": named("zeros")},
    ],
    ids=str,
)
def test_the_bound_holds_at_any_width_and_scale_and_what_was_measured_does_not(changes: dict[str, Any]) -> None:
    assert of_variant(shipped("relu_15", **changes)) == Premises(born_dead=True)


@pytest.mark.parametrize("name", ["relu_15", "tanh_5"])
@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("data", {"config": {"n_samples": 999, "noise": 0.1, "random_state": 1}}),
        ("data", {"config": {"n_samples": 1000, "noise": 0.2, "random_state": 1}}),
        ("data", {"config": {"n_samples": 1000, "noise": 0.1, "random_state": 2}}),
        ("data", {"source": "make_moons"}),
        ("split", {"train": 400}),
        ("split", {"shuffle": True}),
        ("split", {"scale": {"inputs": "minmax", "range": [0, 1]}}),
        ("split", {"scale": {"inputs": "standard", "range": [-1, 1]}}),
        ("split", {"fit_scaler_on": "train"}),
    ],
)
def test_of_other_points_no_measured_number_is_expected(name: str, section: str, change: dict[str, Any]) -> None:
    known = getattr(ORIGIN, section)
    changed = type(known).model_validate(known.model_dump(mode="json") | change)
    other, recipe = ORIGIN.model_copy(update={section: changed}), PARAMS.variants[name]
    assert of_variant(recipe, other) == Premises(born_dead=name == "relu_15")


@pytest.mark.parametrize("inputs", [[[0.0, -1.0], [1.0, 1.0]], [[-1.0, -1.0], [1.0, 0.0]], [[0.2, 0.1], [0.3, 0.5]]])
def test_the_bound_needs_points_on_both_sides_of_0_in_every_input(inputs: list[list[float]]) -> None:
    recipe = PARAMS.variants["relu_15"]
    assert not of_variant(recipe, OTHER_ORIGIN, np.array(inputs)).born_dead
    assert of_variant(recipe, OTHER_ORIGIN, np.array(inputs) - np.mean(inputs, axis=0)).born_dead


def test_a_network_is_shallower_or_wider_than_the_measured_saturated_one() -> None:
    for changes in ({"units": 25}, {"hidden_layers": 4}, {"batch_normalization": True}):
        assert of_variant(shipped("tanh_5", **changes)) == Premises()


def test_beta_and_the_band() -> None:
    assert [theory.beta([5] * depth) for depth in (5, 15, 20)] == pytest.approx([1, 3, 4])
    low, median, high = theory.gradient_band([5] * 5, 0.693)
    assert median == pytest.approx(0.00278)
    assert low < median < high
    assert theory.gradient_band([50] * 5, 0.693).median > median


def test_the_interval_of_a_median_covers_it_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).normal(size=(2000, 30))
    covered = [interval.low <= 0 <= interval.high for interval in map(median_interval, draws)]
    assert 0.94 <= np.mean(covered) <= 0.99
