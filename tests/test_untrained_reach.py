"""The untrained gradient's reach in a study's cells: its tables, its figure and its section of the page."""

import numpy as np
import pytest
import xarray as xr
from test_studies import study_cells
from test_time_causes import STEPS

from examples import evaluated, history
from pipeline.diagnosis.theory import Premises
from pipeline.evaluation.cells_table import cells_table
from pipeline.evaluation.untrained_reach import ALL, UntrainedReach, untrained_reach
from pipeline.history.time_profiles import TIME_VALUES, RecurrentCall, with_time_profiles
from pipeline.params.study_params import Cell
from pipeline.report.figures import study_figures
from pipeline.report.pages import markdown
from pipeline.report.study_page import StudyFindings, write

REPLICAS = 6
FACTORS = np.linspace(0.9, 0.95, REPLICAS)  # of the gradient a step, by replica
GRID = {"units": [3, 4], "activation": ["relu", "tanh"]}


def cell_history(factors: np.ndarray, accuracies: np.ndarray) -> xr.Dataset:
    """Return a history with one recurrent layer; after the first epoch its gradient is the same at all steps."""
    made = history([[0.5, accuracy] for accuracy in accuracies], layers=2)
    norms = factors[:, None] ** (STEPS[-1] - STEPS)
    both = np.stack([norms, np.ones_like(norms)], axis=1)[:, :, None]  # [replica, recorded epoch, call, step]
    return with_time_profiles(made, [RecurrentCall(str(made.path.values[0]), 100)], dict.fromkeys(TIME_VALUES, both))


def histories(cells: list[Cell]) -> dict[str, xr.Dataset]:
    """Within a cell, more gradient goes with a higher score; the cells with more gradient have lower scores."""
    rising = np.linspace(0.0, 0.1, REPLICAS)
    return {
        cell.name: cell_history(FACTORS + 0.01 * place, 0.8 - 0.2 * place + rising) for place, cell in enumerate(cells)
    }


def reach_of(cells: list[Cell], records: dict[str, xr.Dataset]) -> UntrainedReach:
    return untrained_reach(cells, records, {name: evaluated(record) for name, record in records.items()})


def test_the_reach_is_that_before_training() -> None:
    cells = study_cells(grid=GRID)
    table = reach_of(cells, histories(cells)).cells.set_index("cell")
    assert list(table.index) == [cell.name for cell in cells]
    first = table.iloc[0]
    assert first.steps == 100
    assert first.replicas == REPLICAS
    # A factor f a step falls to a thousandth within log(0.001) / log(f) steps.
    steps = np.floor(np.log(1e-3) / np.log(FACTORS)) + 1
    assert first.reach_median == pytest.approx(np.median(np.minimum(steps, 100)))
    assert first.decades_median == pytest.approx(np.median(-99 * np.log10(FACTORS)), abs=1e-3)


def test_the_association_within_cells_is_not_that_between_them() -> None:
    cells = study_cells(grid=GRID)
    table = reach_of(cells, histories(cells)).associations.set_index("line")
    assert list(table.index) == ["relu", "tanh", ALL]
    assert (table.within_value == 1).all()
    assert (table.overall_value < 0.5).all()
    assert list(table.replicas) == [2 * REPLICAS, 2 * REPLICAS, 4 * REPLICAS]


def test_a_cell_without_recurrent_layer_has_no_reach() -> None:
    cells = study_cells(grid=GRID)
    records = histories(cells)
    plain = history([[0.5, 0.9]] * REPLICAS)
    assert list(reach_of(cells, {**records, cells[0].name: plain}).cells.cell) == [cell.name for cell in cells[1:]]
    assert reach_of(cells, dict.fromkeys(records, plain)).tables == {}


@pytest.mark.parametrize("is_recurrent", [True, False])
def test_figure_and_page_have_the_reach_of_recurrent_layers_only(is_recurrent: bool) -> None:
    cells = study_cells(grid=GRID)
    records = histories(cells) if is_recurrent else {cell.name: history([[0.5, 0.9]] * REPLICAS) for cell in cells}
    evaluations = {name: evaluated(record) for name, record in records.items()}
    reach = untrained_reach(cells, records, evaluations)
    recipes, none = {cell.name: cell.variant for cell in cells}, dict.fromkeys(records, 0)
    changes = {cell.name: cell.changes for cell in cells}
    table = cells_table(evaluations, recipes, dict.fromkeys(records, Premises()), changes, none)
    drawn = dict(study_figures.figures(study_figures.StudiedCells("v", table, cells, reach.cells)))
    assert len(drawn["lines"].axes) == 1 + is_recurrent
    findings = StudyFindings("s", "v", table, {"v": "v: 3 of 3 learn. So."}, {}, "abc", {}, {}, {}, reach=reach)
    page = markdown.render(write(findings))
    assert ("How far back does the gradient reach?" in page) == is_recurrent
    assert ("`association.csv`" in page) == is_recurrent
