"""Figures of decision surfaces: what a network predicts at each point of the plane."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from pipeline.data.split.samples import Samples
from pipeline.diagnosis.palette import BLACK, CLASSES
from pipeline.report.figures.style import PERCENTILES, PROBABILITY, colour_bar, dress, figure, with_heading

LEAST_WIDTH = 5.5  # inches that a title needs
OUTLINED = 5  # area in square points; larger markers have an outline
MEANING = "predicted probability of class 1"


class Chosen(NamedTuple):
    """The replicas of a variant at PERCENTILES of the final score.

    predictions: with `surface` over (replica, x2, x1, output).
    positions: the position of each replica along the replica axis.
    scores: the test score of each replica.
    """

    predictions: xr.Dataset
    positions: Sequence[int]
    scores: Sequence[float]


def decision_surfaces(chosen: Chosen, test: Samples, title: str) -> Figure:
    """Return a panel per replica: the predicted probability over the plane, 0.5 in black, and the test points."""
    drawing = with_heading(figure(3.4 * len(chosen.positions) + 0.8, 4.6), title)
    panels = drawing.subplots(1, len(chosen.positions), sharey=True, squeeze=False)[0]
    for axes, percentile, position, score in zip(panels, PERCENTILES, *chosen[1:], strict=True):
        image = _surface(axes, chosen.predictions, position)
        label = f"{percentile}th percentile, {score:.2f}\n(replica {int(chosen.predictions.replica[position])})"
        _points(axes, test, 11)
        dress(axes, "x1 (scaled)", "x2 (scaled)" if axes is panels[0] else "", label)
        _square(axes)
    panels[0].legend(fontsize=9, loc="center", framealpha=0.9)
    colour_bar(drawing, image, list(panels), MEANING)
    return drawing


def surfaces_by_variant(variants: Mapping[str, Chosen], test: Samples) -> Figure:
    """Return a surface for each variant (columns) and percentile (rows), with the replica's score on the test set."""
    rows = len(PERCENTILES)
    drawing = with_heading(
        figure(max(LEAST_WIDTH, 1.28 * len(variants) + 1.1), 1.42 * rows + 0.9),
        "What each network predicts, and its test score",
    )
    panels = drawing.subplots(rows, len(variants), squeeze=False)
    for column, (name, chosen) in enumerate(variants.items()):
        for row, (position, score) in enumerate(zip(*chosen[1:], strict=True)):
            axes = panels[row, column]
            image = _surface(axes, chosen.predictions, position)
            _points(axes, test, 1.5)
            dress(axes, "", "", f"{name}\n{score:.2f}" if row == 0 else f"{score:.2f}")
            axes.title.set_fontsize(9)
            _square(axes)
            axes.set_xticks([])
            axes.set_yticks([])
    for axes in panels[-1]:
        axes.set_xlabel("x1", fontsize=9)
    for row, percentile in enumerate(PERCENTILES):
        panels[row, 0].set_ylabel(f"{percentile}th percentile\nx2", fontsize=9)
    colour_bar(drawing, image, list(panels.flat), MEANING)
    return drawing


def _surface(axes: Axes, predictions: xr.Dataset, position: int) -> QuadMesh:
    x1, x2 = predictions.x1.values, predictions.x2.values
    surface = predictions.surface.isel(replica=position, output=0).values
    image = axes.pcolormesh(x1, x2, surface, cmap=PROBABILITY, vmin=0, vmax=1, shading="nearest", rasterized=True)
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())  # one extreme row would leave the surface no room
    if surface.min() < 0.5 < surface.max():
        axes.contour(x1, x2, surface, levels=[0.5], colors=BLACK, linewidths=1.4)
    return image


def _points(axes: Axes, test: Samples, size: float) -> None:
    for value, marker in ((0, "o"), (1, "^")):
        rows = test.inputs[test.targets == value]
        markers = axes.scatter(rows[:, 0], rows[:, 1], s=size, c=CLASSES[value], marker=marker, label=f"class {value}")
        markers.set_edgecolor(BLACK)
        markers.set_linewidth(0.3 if size > OUTLINED else 0)


def _square(axes: Axes) -> None:
    axes.grid(visible=False)
    axes.set_aspect("equal")
