"""Figures: drawn for every kind of record, not blank, and the same bytes for the same record."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from test_evaluation import evaluated, history

from pipeline.artifacts.figures import save_figure
from pipeline.data.points import Points
from pipeline.evaluation import comparison
from pipeline.plots import accuracy, gradients, points, surfaces
from pipeline.plots import comparison as compared

GENERATOR = np.random.default_rng(0)
POINTS = Points(GENERATOR.normal(size=(40, 2)), np.arange(40) % 2)
LEARNS = history([[0.5, 0.7, 0.9], [0.5, 0.6, 0.5]], dead=[[0, 0, 0], [0, 0, 1]])
UNTRAINED = history([[0.5], [0.4]])
ALL_DEAD = history([[0.5, 0.5]], dead=[[1, 1]])
AXIS = np.linspace(-1, 1, 8, dtype=np.float32)
SURFACES = xr.Dataset(
    {"surface": (("replica", "x2", "x1"), np.stack([np.full((8, 8), 0.5), np.add.outer(AXIS, AXIS) / 4 + 0.5]))},
    coords={"x1": AXIS, "x2": AXIS},
)


def gradient_figure(made: xr.Dataset) -> Figure:
    return gradients.gradient_by_layer_and_epoch(evaluated(made).layers, made.sizes["replica"], "v")


def pair_figure() -> Figure:
    return compared.pair_over_epochs(comparison.long({"a": evaluated(LEARNS), "b": evaluated(ALL_DEAD)}), ("a", "b"))


FIGURES: dict[str, Callable[[], Figure]] = {
    "scatter": lambda: points.scatter(POINTS),
    "accuracy": lambda: accuracy.accuracy_over_epochs(LEARNS, "v", 0.75),
    "accuracy, untrained": lambda: accuracy.accuracy_over_epochs(UNTRAINED, "v", 0.75),
    "gradients": lambda: gradient_figure(LEARNS),
    "gradients, untrained": lambda: gradient_figure(UNTRAINED),
    "gradients, all dead": lambda: gradient_figure(ALL_DEAD),
    "surfaces": lambda: surfaces.decision_surfaces(SURFACES, [0, 1], ["flat", "slope"], POINTS, "v"),
    "shares": lambda: compared.learned_shares(comparison.wide({"a": evaluated(LEARNS), "b": evaluated(ALL_DEAD)})),
    "pair": pair_figure,
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_and_its_bytes_are_the_same_again(name: str, tmp_path: Path) -> None:
    for file in ("first.png", "second.png"):
        save_figure(FIGURES[name](), tmp_path / file)
    content = (tmp_path / "first.png").read_bytes()
    assert content == (tmp_path / "second.png").read_bytes()
    assert len(content) > 5_000  # an empty canvas of this size has less


@pytest.mark.parametrize("name", FIGURES)
def test_axes_are_labelled_and_text_is_readable(name: str) -> None:
    drawn = FIGURES[name]()
    assert any(axes.get_xlabel() for axes in drawn.axes)
    assert any(axes.get_ylabel() for axes in drawn.axes) or name == "shares"  # its rows are named
    sizes = [text.get_fontsize() for axes in drawn.axes for text in axes.texts]
    sizes += [label.get_fontsize() for axes in drawn.axes for label in axes.get_xticklabels()]
    assert min(sizes) >= 8


def test_accuracy_shows_every_replica_the_median_and_the_threshold() -> None:
    axes = accuracy.accuracy_over_epochs(LEARNS, "v", 0.75).axes[1]
    lines = [np.asarray(line.get_ydata()) for line in axes.lines]
    for replica in LEARNS.test_accuracy.values:
        assert any(np.array_equal(line, replica) for line in lines)
    assert any(len(line) == 3 and np.allclose(line, [0.5, 0.65, 0.7]) for line in lines)
    assert "median of 2" in [line.get_label() for line in axes.lines]
