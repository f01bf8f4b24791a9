"""Figures: drawn for every kind of record, not blank, and the same bytes for the same record."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import variant
from imports import ROOT
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from examples import BINARY, SHIPPED, THRESHOLDS, accuracy_above, evaluated, history, layer_table, with_recurrent_layer
from pipeline.data.split.samples import RawData, Samples
from pipeline.data.split.tasks import Task
from pipeline.data.splitting import split
from pipeline.diagnosis.causes import outcome_colours, outcome_names
from pipeline.diagnosis.palette import VARIANTS, of_variants
from pipeline.diagnosis.theory import Premises
from pipeline.evaluation import comparison, summary
from pipeline.evaluation.cells_table import cells_table, ranked
from pipeline.evaluation.learned import Rule
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.history import record
from pipeline.report.figures import comparison_figures as compared
from pipeline.report.figures import (
    data_figures,
    gradient_figures,
    line_figures,
    score_figures,
    study_figures,
    surface_figures,
    time_figures,
    weight_figures,
)
from pipeline.report.figures.files import save_figures
from pipeline.report.figures.score_figures import Replicas
from pipeline.report.figures.style import GRADIENT_RANGE

GENERATOR = np.random.default_rng(0)
POINTS = Samples(GENERATOR.normal(size=(40, 2)), np.arange(40) % 2)
RULE = accuracy_above()
LEARNS = history([[0.5, 0.7, 0.9], [0.5, 0.6, 0.5]], dead=[[0, 0, 0], [0, 0, 1]])
UNTRAINED = history([[0.5], [0.4]])
ALL_DEAD = history([[0.5, 0.5]], dead=[[1, 1]])
AXIS = np.linspace(-1, 1, 8, dtype=np.float32)
SURFACES = xr.Dataset(
    {
        "surface": (
            ("replica", "x2", "x1", "output"),
            np.stack([np.full((8, 8), 0.5), np.add.outer(AXIS, AXIS) / 4 + 0.5])[..., None],
        )
    },
    coords={"x1": AXIS, "x2": AXIS},
)

REPLICAS = {"learns": Replicas(LEARNS, ["learned", "unexplained"]), "dead": Replicas(ALL_DEAD, ["born_dead"])}
COLOURS = of_variants(["x", "b", "a"])  # as in a params.yaml that has them in this order
FINALS = {"a": np.array([0.9, 0.5, 0.8]), "b": np.array([0.5, 0.6])}
CHOSEN = surface_figures.Chosen(SURFACES, [0, 1, 1], [0.5, 0.8, 0.9])


def regression() -> xr.Dataset:
    """Three replicas of a regression, with validation rows: one learns, one says the mean, one is far worse."""
    r2 = np.array([[-0.2, 0.6, 0.9], [-0.2, 0.0, 0.0], [-0.2, -9.0, -40.0]])
    parts = ("train", "validation", "test")
    curves = {f"{part}_{what}": r2 if what == "r2" else 1 - r2 for part in parts for what in ("loss", "r2")}
    values = {"weight_l1": np.ones((3, 3, 2)), "gradient_mean_abs": np.ones((3, 3, 2))}
    values["probe_gradient_mean_abs"] = values["gradient_mean_abs"]
    task = Task("regression", ("y",))
    return record.assemble(range(3), range(3), curves, values, layer_table(3), task, dict.fromkeys(parts, 1.0))


R2 = Rule("r2", 0.5)
REGRESSION = Replicas(regression(), ["learned", "unexplained", "exploding"])


def of_regression(rule: Rule) -> VariantEvaluation:
    return summary.evaluate("v", REGRESSION.history, variant(), Premises(), rule, THRESHOLDS)


def pair_of_regressions() -> Figure:
    made = dict.fromkeys("ab", of_regression(R2))
    finals = {name: each.replicas[each.final].to_numpy(float) for name, each in made.items()}
    task = record.task_of(REGRESSION.history)
    return compared.pair_over_epochs(comparison.curves_table(made), finals, task, R2, COLOURS)


def gradient_figure(made: xr.Dataset) -> Figure:
    return gradient_figures.gradient_by_layer_and_epoch(evaluated(made).layers, made.sizes["replica"], "v")


def by_time(made: xr.Dataset) -> Figure:
    times = summary.times(with_recurrent_layer(made))
    return time_figures.gradient_by_time(times, ["lstm/lstm_cell", "lstm/lstm_cell (call 2)"], "v")


def layers() -> dict[str, pd.DataFrame]:
    return {"a": evaluated(LEARNS).layers, "b": evaluated(history([[0.5] * 3], dead=[[1] * 3], layers=4)).layers}


def both() -> dict[str, VariantEvaluation]:
    return {"a": evaluated(LEARNS), "b": evaluated(ALL_DEAD)}


def cells() -> pd.DataFrame:
    """A study of two cells, the first of which is the reference."""
    variants, premises = dict.fromkeys(both(), variant()), dict.fromkeys(both(), Premises(born_dead=True))
    return cells_table(both(), variants, premises, {"a": {}, "b": {"units": 9}}, {"a": 0, "b": 0})


def bars() -> Figure:
    made = both()
    return compared.outcome_bars(
        comparison.variants_table(made), {name: each.metrics.outcomes for name, each in made.items()}
    )


def data_figure() -> Figure:
    """Of two classes of points in a plane."""
    features = pd.DataFrame(POINTS.inputs, columns=["x1", "x2"])
    raw = RawData(features, POINTS.targets, BINARY, dict.fromkeys(features, "number"), {}, ("label",))
    return data_figures.picture(raw, *split(raw, SHIPPED.data, SHIPPED.split.model_copy(update={"train": 20})))


FIGURES: dict[str, Callable[[], Figure]] = {
    "data": data_figure,
    "score": lambda: score_figures.score_over_epochs(REPLICAS["learns"], "v", RULE),
    "score, untrained": lambda: score_figures.score_over_epochs(Replicas(UNTRAINED, ["unexplained"] * 2), "v", RULE),
    "score, of a regression": lambda: score_figures.score_over_epochs(REGRESSION, "v", R2),
    "score, skill": lambda: score_figures.score_over_epochs(REGRESSION, "v", Rule("skill", 0.1)),
    "score by variant, of a regression": lambda: score_figures.final_score_by_variant({"v": REGRESSION}, R2),
    "pair, of regressions": pair_of_regressions,
    "score by variant": lambda: score_figures.final_score_by_variant(REPLICAS, RULE),
    "gradients": lambda: gradient_figure(LEARNS),
    "gradients, untrained": lambda: gradient_figure(UNTRAINED),
    "gradient by time": lambda: by_time(LEARNS),
    "gradient by time, untrained": lambda: by_time(UNTRAINED),
    "gradients, all dead": lambda: gradient_figure(ALL_DEAD),
    "gradients of pair": lambda: gradient_figures.gradients_of_pair(layers(), {"a": 2, "b": 1}, COLOURS),
    "profiles": lambda: gradient_figures.profiles(layers(), COLOURS),
    "weights": lambda: weight_figures.weight_norms(layers()),
    "surfaces": lambda: surface_figures.decision_surfaces(CHOSEN, POINTS, "v"),
    "surfaces by variant": lambda: surface_figures.surfaces_by_variant({"a": CHOSEN, "b": CHOSEN}, POINTS),
    "outcomes": bars,
    "differences": lambda: study_figures.differences(ranked(cells()), "v"),
    "lines of a grid": lambda: line_figures.learned_lines(
        cells().assign(along=[50, 400], line="lstm"), "data.config.steps", "config.cell", "v"
    ),
    "lines of a grid, recurrent": lambda: line_figures.learned_lines(
        cells().assign(along=[50, 400], line="lstm", steps=[50, 400], reach_q25=8, reach_median=9, reach_q75=10),
        *("data.config.steps", "config.cell", "v"),
    ),
    "along a grid": lambda: study_figures.learned_along(cells(), [1, 2], "units", "v"),
    "pair": lambda: compared.pair_over_epochs(comparison.curves_table(both()), FINALS, BINARY, RULE, COLOURS),
    "survival": lambda: compared.survival(comparison.curves_table(both()), {"a": 1, "b": 2}, COLOURS),
}


@cache
def drawn_once(name: str) -> Figure:
    """For all that only looks at it."""
    return FIGURES[name]()


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_and_its_bytes_are_the_same_again(name: str, tmp_path: Path) -> None:
    for file, drawn in (("first.png", drawn_once(name)), ("second.png", FIGURES[name]())):
        save_figures({tmp_path / file: drawn})
    content = (tmp_path / "first.png").read_bytes()
    assert content == (tmp_path / "second.png").read_bytes()
    assert len(content) > 5_000  # an empty canvas of this size has less


@pytest.mark.parametrize("name", FIGURES)
def test_axes_are_labelled_and_text_is_readable(name: str) -> None:
    drawn = drawn_once(name)
    assert any(axes.get_xlabel() for axes in drawn.axes)
    assert any(axes.get_ylabel() for axes in drawn.axes) or name in ("outcomes", "differences")  # its rows are named
    sizes = [text.get_fontsize() for axes in drawn.axes for text in axes.texts]
    sizes += [label.get_fontsize() for axes in drawn.axes for label in (axes.title, axes.xaxis.label)]
    sizes += [label.get_fontsize() for axes in drawn.axes for label in axes.get_xticklabels()]
    assert min(sizes) >= 8


def test_an_extreme_row_leaves_the_surface_its_room(tmp_path: Path) -> None:
    """Matplotlib ended with a singular matrix, and with an axis of infinite length."""
    inputs = POINTS.inputs.astype(np.float64)
    inputs[0] = (1e38, 1.7e308)
    path = tmp_path / "surfaces.png"
    drawing = surface_figures.decision_surfaces(CHOSEN, Samples(inputs, POINTS.targets), "v")
    save_figures({path: drawing})
    usual = drawn_once("surfaces").axes[0]
    assert (drawing.axes[0].get_xlim(), drawing.axes[0].get_ylim()) == (usual.get_xlim(), usual.get_ylim())


def lines(axes: Axes) -> list[np.ndarray]:
    return [np.asarray(line.get_ydata()) for line in axes.lines]


def test_the_score_shows_every_replica_in_its_colour_and_the_median() -> None:
    axes = drawn_once("score").axes[1]
    for replica, outcome in zip(LEARNS.test_accuracy.values, REPLICAS["learns"].outcomes, strict=True):
        colours = [line.get_color() for line in axes.lines if np.array_equal(line.get_ydata(), replica)]
        assert colours == [outcome_colours()[outcome]]
    assert any(len(line) == 3 and np.allclose(line, [0.5, 0.65, 0.7]) for line in lines(axes))


def test_the_score_of_a_regression_is_shown_for_each_part_down_to_a_little_below_guessing() -> None:
    panels = drawn_once("score, of a regression").axes
    assert [axes.get_title(loc="left") for axes in panels] == ["train set", "validation set", "test set"]
    assert panels[0].get_ylabel() == "R² (1 is best)"
    assert {axes.get_ylim() for axes in panels} == {(-0.5, 1.0)}
    ends = drawn_once("pair, of regressions").axes[2]
    assert ends.get_ylim() == (-0.5, 1.0)
    assert [text.get_text() for text in ends.texts] == ["guessing", "learned: above 0.5"]


def test_every_outcome_has_a_colour_of_its_own() -> None:
    assert list(outcome_colours()) == list(outcome_names())
    assert len(set(outcome_colours().values())) == len(outcome_names())


def test_heat_maps_share_one_scale_and_one_height_for_a_layer() -> None:
    drawn = drawn_once("gradients of pair")
    meshes = [mesh for axes in drawn.axes[:2] for mesh in axes.collections if isinstance(mesh, QuadMesh)]
    alone = [mesh for mesh in drawn_once("gradients").axes[0].collections if isinstance(mesh, QuadMesh)]
    assert {mesh.norm.vmin for mesh in [*meshes, *alone]} == {GRADIENT_RANGE[0]}
    assert {mesh.norm.vmax for mesh in [*meshes, *alone]} == {GRADIENT_RANGE[1]}
    assert drawn.axes[0].get_ylim() == drawn.axes[1].get_ylim() == (4.5, 0.5)


def test_survival_ends_at_the_share_that_lives() -> None:
    axes = drawn_once("survival").axes[0]
    assert sorted(line[-1] for line in lines(axes)) == [0, 50]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["a: 1 hidden, 50% living at the end", "b: 2 hidden, 0% living at the end"]


def test_bars_fill_the_whole_and_name_their_counts() -> None:
    axes = drawn_once("outcomes").axes[0]
    for row in (0, 1):
        parts = [bar for bar in axes.patches if abs(bar.get_y() + bar.get_height() / 2 - row) < 0.1]
        assert sum(bar.get_width() for bar in parts) == pytest.approx(100)
    assert [text.get_text() for text in axes.texts if "learn" in text.get_text()] == ["1 of 2 learns", "0 of 1 learn"]


def test_profiles_show_the_start_an_early_epoch_and_the_end() -> None:
    epochs = np.r_[0:51, 55:501:5]
    table = pd.DataFrame({"epoch": epochs, "layer": 1})
    assert gradient_figures.early_and_late(table) == [0, 50, 500]
    assert gradient_figures.early_and_late(table[table.epoch == 0]) == [0]


def test_born_dead_is_stacked_on_top_and_theory_bounds_it_from_below() -> None:
    axes = drawn_once("along a grid").axes[0]
    labels = [area.get_label() for area in axes.collections if area.get_label() and "_" not in area.get_label()]
    assert labels[0] == "learned"
    assert labels[-1] == "born dead"
    bound = next(line for line in axes.lines if line.get_label().startswith("theory"))
    assert bound.get_ydata().tolist() == pytest.approx([87.5, 87.5])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gradients", "gradients of pair", "weights", "pair", "surfaces by variant"])
def test_no_title_is_cut(name: str) -> None:
    drawn = drawn_once(name)
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    title = drawn._suptitle.get_window_extent(canvas.get_renderer())
    assert title.x0 >= 0
    assert title.x1 <= drawn.bbox.width


@pytest.mark.parametrize("name", ["pair", "profiles", "survival"])
def test_a_line_of_a_variant_has_the_colour_of_its_place_in_params(name: str) -> None:
    drawn = drawn_once(name)
    found = {
        label.get_text().partition(" ")[0].rstrip(":"): line.get_color()
        for legend in [*drawn.legends, *(axes.get_legend() for axes in drawn.axes if axes.get_legend())]
        for line, label in zip(legend.get_lines(), legend.get_texts(), strict=True)
    }
    assert found == {"a": VARIANTS[2], "b": VARIANTS[1]}


def test_where_colours_come_again_the_style_tells_variants_apart() -> None:
    names = ["a", *(f"v{number}" for number in range(len(VARIANTS) - 1)), "b"]
    colours = of_variants(names)
    axes = compared.survival(comparison.curves_table(both()), {"a": 1, "b": 2}, colours).axes[0]
    first, second = axes.lines[:2]
    assert first.get_color() == second.get_color()
    assert first.get_linestyle() != second.get_linestyle()


def test_dvc_draws_variants_in_the_same_colours_and_order() -> None:
    colour = json.loads((ROOT / ".dvc" / "plots" / "by_variant.json").read_text())["encoding"]["color"]
    assert colour["scale"]["range"] == list(VARIANTS)
    assert colour["sort"] is None  # or Vega would sort the names and hand out the colours in that order


def test_the_pair_shows_where_every_replica_ended_the_worst_first() -> None:
    drawn = drawn_once("pair")
    assert drawn._suptitle.get_text() == "a: 2 of 3 learn; b: 0 of 2 learn"
    steps = [patch.get_data() for patch in drawn.axes[2].patches]
    assert [step.values.tolist() for step in steps] == [[0.5, 0.8, 0.9], [0.5, 0.6]]
    assert [step.edges.tolist() for step in steps] == [pytest.approx([0, 100 / 3, 200 / 3, 100]), [0, 50, 100]]


def with_values(column: str, values: dict[int, dict[int, float]]) -> pd.DataFrame:
    """A table of layers from its values by epoch and layer; 3 replicas live."""
    rows = [(epoch, layer, value) for epoch, each in values.items() for layer, value in each.items()]
    return pd.DataFrame(rows, columns=["epoch", "layer", column]).assign(living=3)


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({1: 0.5, 2: 0.02, 3: 0.001, 4: 0.1}, "; the median hidden layer gets 20% of the output layer's gradient"),
        ({1: 0.3, 2: 0.1}, "; the median hidden layer gets 3.0 times the output layer's gradient"),
        ({1: 5e-6, 2: 0.1}, "; the median hidden layer gets 0.005% of the output layer's gradient"),
        ({1: 0.0, 2: 0.0}, ""),
        ({1: np.nan, 2: np.nan}, ""),
    ],
)
def test_the_title_says_how_much_gradient_reaches_the_hidden_layers(last: dict[int, float], said: str) -> None:
    table = with_values("gradient_mean_abs_median", {0: dict.fromkeys(last, np.nan), 1: {1: 9, 2: 9}, 7: last})
    assert gradient_figures.reaching(table, 30) == f"3 of 30 living at the end{said}"


def test_the_title_of_untrained_networks_claims_no_training() -> None:
    table = with_values("gradient_mean_abs_median", {0: {1: np.nan, 2: np.nan}}).assign(living=1)
    assert gradient_figures.reaching(table, 4) == "1 of 4 living before training; not trained"
    assert weight_figures.growth(with_values("weight_l1_median", {0: {1: 2.0}})) == "not trained"


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({1: 2.0, 2: 13.0}, "grows by 50% over the training; layer 1 changes most (+100%)"),
        ({1: 0.9, 2: 4.5}, "shrinks by 46% over the training; layer 2 changes most (-50%)"),
        ({1: 1.0, 2: 9.01}, "changes by less than 1% over the training; layer 2 changes most (+0%)"),
    ],
)
def test_the_title_says_how_far_the_weights_moved(last: dict[int, float], said: str) -> None:
    table = with_values("weight_l1_median", {0: {1: 1.0, 2: 9.0}, 3: {1: 50.0, 2: 50.0}, 9: last})
    assert weight_figures.growth(table) == f"the weights' L1 norm {said}"


def test_no_growth_is_claimed_where_no_replica_lives() -> None:
    table = with_values("weight_l1_median", {0: {1: 1.0, 2: 9.0}, 9: {1: np.nan, 2: np.nan}})
    assert weight_figures.growth(table) == "no replica is living from start to end"


def test_one_replica_learns_and_two_learn() -> None:
    titles = [axes.get_title(loc="left") for axes in drawn_once("score by variant").axes]
    assert titles[:2] == ["learns: 1 of 2 learns", "dead: 0 of 1 learn"]
