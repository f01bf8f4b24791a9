"""The cells of a study that the diagnosis of its base suggests."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from conftest import CIRCLES, training, variant

from pipeline.evaluation.suggested import Changes, suggestions, with_suggestions
from pipeline.foundations.errors import UserError
from pipeline.params import study_params
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.study_params import SUGGESTED, Cell, cells, suggested
from pipeline.params.variant_params import VariantParams
from pipeline.remedies.remedy_registry import expect_known

V = variant(hidden_layers=3, units=4)
NETWORK = NetworkRecipe(
    config={}, optimizer={"class_name": "SGD", "config": {}}, replaces_optimizer=False, remedy=(), source="s"
)


def base_of(recipe: VariantParams | NetworkRecipe, **study: Any) -> list[Cell]:
    """Return the cells of a study before anything is trained."""
    params = study_params.resolve({"s": {"base": "v", "replicas": 2, **study}})["s"]
    return cells(params, "s", {"v": recipe}, lambda name: training(epochs=8), CIRCLES)


def against(recipe: VariantParams | NetworkRecipe, *causes: str) -> tuple[dict[str, Changes], dict[str, str]]:
    """Return the suggestions for a base whose replicas have these causes."""
    (base,) = base_of(recipe, cells=SUGGESTED)
    return suggestions(base, pd.DataFrame({"cause": list(causes)}))


def test_before_training_the_base_is_the_only_cell() -> None:
    assert [cell.name for cell in base_of(V, cells=SUGGESTED)] == ["v"]


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ({"cells": SUGGESTED, "grid": {"units": [3]}}, r"studies\.s\.grid: must be left out with cells: suggested"),
        ({"cells": "sugested"}, r"studies\.s\.cells: sugested: must be"),
    ],
)
def test_a_mistake_is_reported_in_one_line(study: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}.*$"):
        base_of(V, **study)


def test_the_remedies_of_a_variant_become_cells() -> None:
    cells, _ = against(V, "exploding", "none", "exploding", "too_few_epochs")
    assert cells["training.epochs=32"] == {"epochs": 32}
    assert cells["optimizer.config.global_clipnorm=1.0"] == {"optimizer": {"config": {"global_clipnorm": 1.0}}}
    names = list(cells)
    # Remedies against the most frequent cause are first.
    assert names.index("kernel_initializer=glorot_uniform") < names.index("training.epochs=32")
    (base,) = base_of(V, cells=SUGGESTED)
    new_cells = suggested([base], cells, "s")
    assert [cell.name for cell in new_cells] == names
    assert all(cell.changes for cell in new_cells)
    clipped = next(cell.variant for cell in new_cells if "clipnorm" in cell.name)
    assert isinstance(clipped, VariantParams)
    assert clipped.optimizer.config["global_clipnorm"] == 1.0


def test_a_remedy_that_changes_the_data_becomes_no_cell() -> None:
    cells, not_tried = against(V, "unscaled_inputs")
    assert not_tried == {
        "split.scale.inputs=standard": "it changes the data, and every cell of a study has the same data"
    }
    assert list(cells) == ["batch_normalization=true"]


def test_if_all_replicas_learned_nothing_is_suggested() -> None:
    assert against(V, "none", "none") == ({}, {})


def test_the_remedies_of_a_network_are_names() -> None:
    cells, _ = against(NETWORK, "too_few_epochs")
    assert cells["longer"] == {"epochs": 32}
    assert cells["adam"] == {"remedy": ["adam"]}
    (base,) = base_of(NETWORK, cells=SUGGESTED)
    by_name = {cell.name: cell for cell in suggested([base], cells, "s")}
    assert by_name["longer"].training.epochs == 32
    assert isinstance(by_name["adam"].variant, NetworkRecipe)
    assert by_name["adam"].variant.remedy == ("adam",)
    assert by_name["adam"].changes == {"remedy": ["adam"]}


def added(to: Cell, tried: list[Cell], *causes: str) -> dict[str, Cell]:
    """Return the cells that are suggested if the replicas of a cell have these causes."""
    cells, _ = suggestions(to, pd.DataFrame({"cause": list(causes)}), tried)
    return {cell.name: cell for cell in suggested(tried, cells, "s")}


def test_a_remedy_is_added_to_a_cell_of_a_network() -> None:
    (base,) = base_of(NETWORK, cells=SUGGESTED)
    first = added(base, [base], "too_few_epochs")
    tried = [base, *first.values()]
    longer = added(first["longer"], tried, "vanishing")["longer + rectified_units"]
    assert longer.changes == {"remedy": ["rectified_units"], "epochs": 32}
    more = added(longer, [*tried, longer], "too_few_epochs")
    assert more["longer + rectified_units + longer"].training.epochs == 128
    both = more["longer + rectified_units + larger_steps"].variant
    assert isinstance(both, NetworkRecipe)
    assert both.remedy == ("rectified_units", "larger_steps")


def test_a_remedy_is_added_to_a_cell_of_a_variant_and_none_is_tried_twice() -> None:
    (base,) = base_of(V, cells=SUGGESTED)
    first = added(base, [base], "unscaled_inputs")
    tried = [base, *first.values()]
    normalised = first["batch_normalization=true"]
    more = added(normalised, tried, "too_few_epochs")
    longer = more["batch_normalization=true + training.epochs=32"]
    assert longer.changes == {"batch_normalization": True, "epochs": 32}
    again = added(normalised, [*tried, *more.values()], "too_few_epochs")
    assert again == {}


def test_an_unknown_remedy_is_rejected_by_name() -> None:
    with pytest.raises(UserError, match=r"^studies\.s\.cells\.c\.remedy: adams: must be .*did you mean adam\?$"):
        expect_known(base_of(NETWORK, cells={"c": {"remedy": "adams"}}))
    for remedy in ("longer", "elu_units"):  # a cell states its `epochs` directly, and only variants can have ELU
        with pytest.raises(UserError, match="must be one of"):
            expect_known(base_of(NETWORK, cells={"c": {"remedy": ["adam", remedy]}}))
    expect_known(base_of(NETWORK, cells={"c": {"remedy": ["adam", "wider_layers"]}}))
    assert study_params.OF_NETWORK == ("config", "optimizer", "remedy")


def test_the_most_promising_cell_gets_one_more_remedy_and_impossible_cells_are_reported() -> None:
    (base,) = base_of(NETWORK, cells=SUGGESTED)
    batches: list[list[str]] = []

    def evaluate_each(cells: Sequence[Cell]) -> list[pd.DataFrame]:
        """Return tables in which half of the replicas of `adam` learned, and no others."""
        batches.append([cell.name for cell in cells])
        learned = {cell.name: int(cell.name == "adam") for cell in cells}
        outcomes = {name: ["learned"] * count + ["not_learned"] * (2 - count) for name, count in learned.items()}
        return [
            pd.DataFrame({"outcome": each, "cause": ["none" if one == "learned" else "vanishing" for one in each]})
            for each in outcomes.values()
        ]

    def expect_trainable(cell: Cell) -> None:
        if "residual" in cell.name:
            raise UserError(f"{cell.name}: impossible")

    cells, not_tried = with_suggestions("s", base, evaluate_each, expect_trainable)
    assert batches[0] == ["v"]
    assert "adam" in batches[1]
    assert all(name.startswith("adam + ") for name in batches[2])
    assert [cell.name for cell in cells] == [name for batch in batches for name in batch]
    assert not_tried
    assert {reason for name, reason in not_tried.items()} == {f"{name}: impossible" for name in not_tried}
