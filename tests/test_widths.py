"""Test hidden layers of different widths: params.yaml has a list instead of a number, and nothing else changes."""

import numpy as np
import pytest
from conftest import CIRCLES, RECIPE, training, variant
from oracles import assert_close, assert_like, initial, keras_steps, stacked_steps

from examples import BINARY, tutorials_origin
from pipeline.data.split.samples import Split
from pipeline.diagnosis import causes, theory
from pipeline.diagnosis.theory import Premises
from pipeline.foundations.errors import UserError
from pipeline.foundations.seeds import Shuffles
from pipeline.foundations.tensorflow import keras
from pipeline.models.network import build
from pipeline.params import study_params
from pipeline.params.variant_params import VariantParams, resolve
from pipeline.tracking.run_parameters import flattened
from pipeline.training.common.train_replicas import stacked, train
from pipeline.training.common.trainable import expect_trainable
from pipeline.training.compiled.eligible import dense_stack

UNSAID = {key: value for key, value in RECIPE.items() if key != "hidden_layers"}
AROUND_ZERO = np.array([[-1.0, 1.0], [1.0, -1.0]])


def of_widths(*units: int, **changes: object) -> VariantParams:
    return variant(units=list(units), hidden_layers=len(units), **changes)


def test_a_list_sets_the_number_of_layers_and_a_number_is_the_width_of_all_layers() -> None:
    listed = resolve({**UNSAID, "units": 9}, {"v": {"units": [6, 4, 2]}})["v"]
    assert (listed.hidden_layers, listed.widths) == (3, (6, 4, 2))
    assert listed == of_widths(6, 4, 2)
    assert variant(hidden_layers=3, units=5).widths == (5, 5, 5)
    assert resolve({**UNSAID, "units": [6, 4]}, {"v": {"units": 9, "hidden_layers": 3}})["v"].widths == (9, 9, 9)
    assert VariantParams.model_validate_json(listed.model_dump_json()) == listed
    assert VariantParams.model_validate(listed.model_dump(mode="json")) == listed


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"hidden_layers": 3, "units": [6, 4]}, "units: [6, 4]: must be 3 numbers, one for each of hidden_layers"),
        ({"units": [6, 0]}, "units: [6, 0]: must be at least 1"),
        ({"units": [6, 10_001]}, "units: [6, 10001]: must be at most 10,000"),
        ({"units": [6, True]}, "units: [6, True]: must be a whole number, or a list with one for each hidden layer"),
        ({"units": [[6]]}, "units: [[6]]: must be a whole number, or a list with one for each hidden layer"),
        ({"units": []}, "units: []: must be a whole number, or a list with one for each hidden layer"),
        ({"units": [1] * 1001}, "hidden_layers: 1001: must be at most 1,000"),
        ({"units": 5}, "hidden_layers: missing: must be given"),
        ({"units": [6, 4], "residual": True}, "residual: True: must be false if hidden layers differ in width"),
    ],
    ids=str,
)
def test_invalid_widths_are_reported_in_one_line(changes: dict, line: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve(UNSAID, {"v": changes})
    assert str(caught.value).startswith(f"variants.v.{line}")
    assert "\n" not in str(caught.value)


def test_the_weights_between_layers_are_counted_by_width() -> None:
    assert of_widths(10_000, 1, 10_000).widths == (10_000, 1, 10_000)
    with pytest.raises(
        UserError, match=r"^variants.v: 2 hidden layers of \[10000, 10000\] units have 100,010,000 weig"
    ):
        resolve(UNSAID, {"v": {"units": [10_000, 10_000]}})


def test_layers_of_equal_width_may_have_skip_connections() -> None:
    assert build(of_widths(4, 4, residual=True), 2, BINARY, "v").table[1].bypassed


def test_the_network_has_each_layers_width() -> None:
    walk = {"class_name": "random_walk", "config": {"gain": "linear"}}
    network = build(of_widths(7, 2, 5, kernel_initializer=walk), 2, BINARY, "v")
    assert [layer.units for layer in network.table] == [7, 2, 5, 1]
    assert network.model.count_params() == 3 * 7 + 8 * 2 + 3 * 5 + 6
    scales = [network.model.get_layer(f"hidden_{number:02d}").kernel_initializer.scale for number in (1, 2, 3)]
    assert scales == pytest.approx(np.exp(1 / np.array([7, 2, 5])))  # g^2, of g = exp(1 / 2N)
    expect_trainable(of_widths(7, 2, 5, kernel_initializer=walk), 2, BINARY, "variants.v")


@pytest.mark.slow
def test_the_compiled_loops_agree_with_the_stacked_trainer(circles: Split) -> None:
    """Here Keras draws the initial weights; in the other tests of the compiled loops, NumPy does."""
    recipe = of_widths(7, 2, 5, activation="tanh", kernel_initializer="orthogonal")
    stack = dense_stack(recipe, 2, BINARY)
    assert stack is not None
    assert stack.widths == (2, 7, 2, 5, 1)
    params = training(epochs=2)
    compiled, general = train(recipe, "v", circles, params), train(recipe, "v", circles, params, choose=stacked)
    assert compiled.history.units.values.tolist() == [7, 2, 5, 1]
    assert_like(compiled, general)


def test_a_list_of_equal_widths_gives_the_same_network_to_the_bit(circles: Split) -> None:
    listed = train(of_widths(3, 3), "v", circles, training(epochs=1))
    plain = train(variant(units=3), "v", circles, training(epochs=1))
    assert all((listed.weights[path] == stack).all() for path, stack in plain.weights.items())


@pytest.mark.slow
def test_an_epoch_takes_the_same_steps_as_keras(circles: Split) -> None:
    recipe = of_widths(4, 6, activation="elu", optimizer={"class_name": "SGD", "config": {"learning_rate": 0.05}})
    network = build(recipe, 2, BINARY, "v")
    order = Shuffles(7, [0, 1], len(circles.train)).next_epochs(1)[0]
    start = initial(network, [0, 1])
    ours = stacked_steps(network, start, recipe.optimizer, circles, order)
    assert_close(ours, keras_steps(network, start, keras.optimizers.SGD(0.05), circles, order))


def test_the_remedy_multiplies_each_width_and_adds_no_skip_connection_around_unequal_layers() -> None:
    recipe = of_widths(8, 3, 5)
    dead = causes.suggest("born_dead", recipe, epochs=1)
    (wider,) = (each for each in dead if "units" in each.overrides)
    assert wider.overrides == {"units": [32, 12, 20]}
    assert wider.changes == "units: [32, 12, 20]"
    assert wider.reason == "the narrowest layer is born dead with a probability of at most 2^-12, not 2^-3"
    assert not any("residual" in each.overrides for each in dead)
    (halved,) = (each for each in causes.suggest("vanishing", recipe, epochs=1) if "units" in each.overrides)
    assert halved.reason == "the spread of gradients grows with depth / width, so wider layers reduce it"
    taken = resolve(UNSAID, {"v": {"units": [32, 12, 20]}})["v"]
    assert {"units": [32, 12, 20]} not in [each.overrides for each in causes.suggest("born_dead", taken, epochs=1)]


def test_theory_uses_the_width_of_each_layer() -> None:
    origin = tutorials_origin()
    assert theory.premises(of_widths(5, 5), origin, AROUND_ZERO) == Premises(born_dead=True, gradients=True)
    assert theory.premises(of_widths(5, 4), origin, AROUND_ZERO) == Premises(born_dead=True)
    assert theory.born_dead_bound(of_widths(1, 2, 3).widths) == pytest.approx(1 - (1 - 1 / 4) * (1 - 1 / 8))


def test_a_study_may_try_lists_of_widths() -> None:
    result = study_params.resolve({"s": {"base": "v", "grid": {"units": [[4, 2], [2, 4], 3]}}})["s"]
    cells = study_params.cells(result, "s", {"v": variant()}, lambda name: training(), CIRCLES)
    assert [cell.name for cell in cells] == ["units=[4, 2]", "units=[2, 4]", "units=3"]
    assert [cell.variant.widths for cell in cells] == [(4, 2), (2, 4), (3, 3)]
    assert cells[0].changes == {"units": [4, 2]}
    assert study_params.numeric_axis(cells) is None
    wrong = study_params.resolve({"s": {"base": "v", "cells": {"c": {"units": [4, 2, 2]}}}})["s"]
    with pytest.raises(UserError, match=r"^studies.s.cells.c.units: \[4, 2, 2\]: must be 2 numbers"):
        study_params.cells(wrong, "s", {"v": variant()}, lambda name: training(), CIRCLES)


def test_mlflow_shows_the_list_as_params_yaml_has_it() -> None:
    assert flattened(of_widths(6, 4).model_dump(mode="json"))["units"] == "[6, 4]"
    assert flattened(variant(units=5).model_dump(mode="json"))["units"] == "5"
