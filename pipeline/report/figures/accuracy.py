"""Accuracy over the epochs: every replica faint, in the colour of what became of it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline.diagnosis.causes import LEARNED, outcome_colours, outcome_names, spelled
from pipeline.diagnosis.verdict import learn
from pipeline.foundations.colours import BLACK
from pipeline.report.figures.style import dress, figure, headed

COLUMNS = 4  # of small multiples
WIDE = 7.5  # inches, which a title and a legend need


class Replicas(NamedTuple):
    """A variant's history, and what became of each of its replicas."""

    history: xr.Dataset
    outcomes: Sequence[str]


def accuracy_over_epochs(replicas: Replicas, title: str, threshold: float) -> Figure:
    """Train and test accuracy of one variant, the median over replicas bold, the threshold of learning dashed."""
    drawn = headed(figure(9.6, 4.8), title)
    for axes, part in zip(drawn.subplots(1, 2, sharey=True), ("train", "test"), strict=True):
        _lines(axes, replicas, part, threshold)
        label = "accuracy (share correct)" if part == "train" else ""
        dress(axes, "epoch", label, f"{part} set")
    _legend(drawn, [replicas], threshold)
    return drawn


def test_accuracy_by_variant(variants: Mapping[str, Replicas], threshold: float) -> Figure:
    """Test accuracy of every variant, a panel each."""
    columns = min(COLUMNS, len(variants))
    rows = -(-len(variants) // columns)
    drawn = headed(figure(max(WIDE, 2.45 * columns + 0.2), 2.0 * rows + 0.9), "Test accuracy of every replica")
    panels = drawn.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for number, (name, replicas) in enumerate(variants.items()):
        axes = panels.flat[number]
        _lines(axes, replicas, "test", threshold)
        learned = sum(outcome == LEARNED for outcome in replicas.outcomes)
        lowest = number + columns >= len(variants)
        left = "test accuracy" if number % columns == 0 else ""
        dress(axes, "epoch" if lowest else "", left, f"{name}: {learn(learned, len(replicas.outcomes))}")
        axes.xaxis.set_tick_params(labelbottom=True)
    for axes in panels.flat[len(variants) :]:
        axes.remove()
    _legend(drawn, list(variants.values()), threshold)
    return drawn


def _lines(axes: Axes, replicas: Replicas, part: str, threshold: float) -> None:
    history, outcomes = replicas
    colours = outcome_colours()
    values, epochs = history[f"{part}_accuracy"].values, history.epoch.values
    # What is rare is drawn last, or the many would hide it.
    rarest_last = sorted(range(len(outcomes)), key=lambda row: -list(outcomes).count(outcomes[row]))
    alpha = max(0.15, min(0.6, 12 / len(outcomes)))
    for row in rarest_last:
        axes.plot(epochs, values[row], color=colours[outcomes[row]], alpha=alpha, linewidth=0.7)
    axes.plot(epochs, np.median(values, axis=0), color=BLACK, linewidth=1.8)
    axes.axhline(threshold, color=BLACK, linestyle="--", linewidth=0.8)
    axes.set_ylim(min(0.4, float(values.min())), 1.0)
    axes.set_xlim(0, max(1, epochs[-1]))


def _legend(drawn: Figure, variants: Sequence[Replicas], threshold: float) -> None:
    present = {outcome for replicas in variants for outcome in replicas.outcomes}
    colours = outcome_colours()
    handles = [Line2D([], [], color=colours[each], label=spelled(each)) for each in outcome_names() if each in present]
    handles.append(Line2D([], [], color=BLACK, linewidth=1.8, label="median of all"))
    handles.append(Line2D([], [], color=BLACK, linewidth=0.8, linestyle="--", label=f"learned: above {threshold:g}"))
    columns = -(-len(handles) // 2) if len(handles) > 5 else len(handles)
    drawn.legend(handles=handles, fontsize=9, loc="outside lower center", ncols=columns, frameon=False)
