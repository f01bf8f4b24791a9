"""Figures of the main score over the epochs. Every replica has a faint line in the colour of its outcome."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline.data.reference.quick_models import MODELS
from pipeline.data.split.tasks import Task
from pipeline.diagnosis.causes import LEARNED, outcome_colours, outcome_names, spelled
from pipeline.diagnosis.palette import BLACK
from pipeline.diagnosis.variant_verdict import learn
from pipeline.evaluation.learned import Rule, score_curve, spelled_score
from pipeline.history import record
from pipeline.report.figures.style import dress, figure, with_heading

MOST_COLUMNS = 4  # of panels
LEAST_WIDTH = 7.5  # inches that a title and a legend need


class Replicas(NamedTuple):
    """A variant's history, and the outcome of each of its replicas."""

    history: xr.Dataset
    outcomes: Sequence[str]


def score_over_epochs(replicas: Replicas, title: str, rule: Rule) -> Figure:
    """Return a panel per part of the data: the score of each replica, the median, and the threshold of the rule."""
    parts = record.parts_of(replicas.history)
    drawing = with_heading(figure(4.8 * len(parts), 4.8), title)
    for axes, part in zip(drawing.subplots(1, len(parts), sharey=True, squeeze=False)[0], parts, strict=True):
        _lines(axes, replicas, part, rule)
        dress(axes, "epoch", axis_label(rule.score) if part == parts[0] else "", f"{part} set")
    _legend(drawing, [replicas], rule)
    return drawing


def final_score_by_variant(variants: Mapping[str, Replicas], rule: Rule) -> Figure:
    """Return a panel per variant: the score of each replica on the judged part of the data."""
    columns = min(MOST_COLUMNS, len(variants))
    rows = -(-len(variants) // columns)
    part = record.judged_part(next(iter(variants.values())).history)
    title = f"{part.capitalize()} {rule.name} of every replica"
    drawing = with_heading(figure(max(LEAST_WIDTH, 2.45 * columns + 0.2), 2.0 * rows + 0.9), title)
    panels = drawing.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for number, (name, replicas) in enumerate(variants.items()):
        axes = panels.flat[number]
        _lines(axes, replicas, part, rule)
        learned = sum(outcome == LEARNED for outcome in replicas.outcomes)
        lowest = number + columns >= len(variants)
        left = f"{part} {rule.name}" if number % columns == 0 else ""
        dress(axes, "epoch" if lowest else "", left, f"{name}: {learn(learned, len(replicas.outcomes))}")
        axes.xaxis.set_tick_params(labelbottom=True)
    for axes in panels.flat[len(variants) :]:
        axes.remove()
    _legend(drawing, list(variants.values()), rule)
    return drawing


def axis_label(score: str) -> str:
    """Return the score with its unit: `accuracy (share correct)`."""
    unit = " (share correct)" if score == "accuracy" else " (1 is best)"
    return spelled_score(score) + unit


def lowest_shown(task: Task, score: str, values: np.ndarray) -> float:
    """Return the lower end of a score's axis, slightly below guessing; lower scores would add no information."""
    guessing = task.guessing(score)
    finite = values[np.isfinite(values)]
    return float(max(guessing - 0.5, min(guessing - 0.1, finite.min() if finite.size else guessing)))


def _lines(axes: Axes, replicas: Replicas, part: str, rule: Rule) -> None:
    history, outcomes = replicas
    colours = outcome_colours()
    values, epochs = score_curve(history, rule.score, part).values, history.epoch.values
    # Rare outcomes are drawn last, because frequent outcomes would hide them.
    rarest_last = sorted(range(len(outcomes)), key=lambda row: -list(outcomes).count(outcomes[row]))
    alpha = max(0.15, min(0.6, 12 / len(outcomes)))
    for row in rarest_last:
        axes.plot(epochs, values[row], color=colours[outcomes[row]], alpha=alpha, linewidth=0.7)
    axes.plot(epochs, np.median(values, axis=0), color=BLACK, linewidth=1.8)
    axes.axhline(rule.threshold, color=BLACK, linestyle="--", linewidth=0.8)
    if rule.references and part == record.judged_part(history):
        axes.axhline(max(rule.references.values()), color=BLACK, linestyle=":", linewidth=1.2)
    axes.set_ylim(lowest_shown(record.task_of(history), rule.score, values), 1.0)
    axes.set_xlim(0, max(1, epochs[-1]))


def _legend(drawing: Figure, variants: Sequence[Replicas], rule: Rule) -> None:
    present = {outcome for replicas in variants for outcome in replicas.outcomes}
    colours = outcome_colours()
    handles = [Line2D([], [], color=colours[each], label=spelled(each)) for each in outcome_names() if each in present]
    handles.append(Line2D([], [], color=BLACK, linewidth=1.8, label="median over replicas"))
    handles.append(
        Line2D([], [], color=BLACK, linewidth=0.8, linestyle="--", label=f"learned: above {rule.threshold:g}")
    )
    if rule.references:
        model, value = max(rule.references.items(), key=lambda item: item[1])
        label = f"reference: {MODELS[model]}, {value:.2f}"
        handles.append(Line2D([], [], color=BLACK, linewidth=1.2, linestyle=":", label=label))
    columns = -(-len(handles) // 2) if len(handles) > 5 else len(handles)
    drawing.legend(handles=handles, fontsize=9, loc="outside lower center", ncols=columns, frameon=False)
