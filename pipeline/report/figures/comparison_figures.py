"""Figures that show variants side by side."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.data.split.tasks import Task
from pipeline.diagnosis.causes import LEARNED, outcome_colours, outcome_names, spelled
from pipeline.diagnosis.palette import BLACK, DARK_GREY, GREY, LIGHT, VARIANTS
from pipeline.diagnosis.variant_verdict import learn
from pipeline.evaluation.learned import Rule
from pipeline.report.figures.score_figures import axis_label, lowest_shown
from pipeline.report.figures.style import dress, figure, with_heading

NARROW = 0.03  # share of all replicas; a smaller part of a bar has no room for its number
PAIR_STYLES = ("-", "--")
BELOW = 0.22  # distance of an interval from the middle of its bar, so that it crosses no number


def outcome_bars(variants: pd.DataFrame, outcomes: Mapping[str, Mapping[str, int]]) -> Figure:
    """Return a stacked bar for each variant: the learned share with its Wilson 95% interval, then each cause.

    Args:
        variants: the comparison's table, one row per variant.
        outcomes: the number of replicas with each outcome, by variant.
    """
    drawing = with_heading(
        figure(9.4, 1.7 + 0.46 * len(variants)), "How often does each network learn, and why do replicas fail?"
    )
    axes = drawing.subplots()
    colours = outcome_colours()
    present = [outcome for outcome in outcome_names() if any(counts[outcome] for counts in outcomes.values())]
    for row, each in enumerate(variants.itertuples()):
        left = 0.0
        for outcome in present:
            share = outcomes[each.variant][outcome] / each.replicas
            axes.barh(row, 100 * share, left=100 * left, color=colours[outcome], height=0.66, edgecolor="white")
            if share >= NARROW and outcome != LEARNED:
                _number(axes, 100 * (left + share / 2), row, outcomes[each.variant][outcome], colours[outcome])
            left += share
        ends = [[100 * (each.learned_rate - each.learned_low)], [100 * (each.learned_high - each.learned_rate)]]
        for colour, width in (("white", 3.6), (BLACK, 1.6)):  # a white rim, because parts of a bar can be black
            axes.errorbar(
                100 * each.learned_rate,
                row + BELOW,
                xerr=ends,
                fmt="none",
                color=colour,
                capsize=4,
                capthick=width,
                linewidth=width,
            )
        axes.text(101.5, row, learn(each.learned, each.replicas), va="center", fontsize=10)
    axes.set_yticks(range(len(variants)), variants.variant)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    dress(axes, "replicas (%); black line: 95% interval of the share that learns", "")
    axes.tick_params(axis="y", labelsize=10)
    axes.grid(visible=False, axis="y")
    handles = [axes.barh(0, 0, color=colours[outcome], label=spelled(outcome)) for outcome in present]
    drawing.legend(handles=handles, fontsize=9, loc="outside lower center", ncols=len(handles), frameon=False)
    return drawing


def _number(axes: Axes, x: float, row: int, count: int, ground: str) -> None:
    colour = BLACK if ground in LIGHT else "white"
    axes.text(x, row - BELOW / 3, str(count), ha="center", va="center", fontsize=9, color=colour)


def pair_over_epochs(
    curves: pd.DataFrame, finals: Mapping[str, np.ndarray], task: Task, rule: Rule, colours: Mapping[str, str]
) -> Figure:
    """Return the learned and living shares of two variants over the epochs, and the final score of every replica.

    A median score would not be enough: if most replicas guess, it does not show the replicas that learn.

    Args:
        curves: the comparison's long table, one row per variant and epoch.
        finals: the final scores [replica] of each of the two variants, by name.
        rule: when a replica has learned.
    """
    at_end = curves.groupby("variant").learned_share.last()
    learned = [f"{name}: {learn(round(at_end[name] * len(each)), len(each))}" for name, each in finals.items()]
    drawing = with_heading(figure(9.6, 3.9), "; ".join(learned))
    *over_epochs, final = drawing.subplots(1, 3)
    panels = {"learned_share": "learned", "alive_share": "living (no dead layer)"}
    for axes, (column, title) in zip(over_epochs, panels.items(), strict=True):
        for name, style in zip(finals, PAIR_STYLES, strict=True):
            line = curves[curves.variant == name].dropna(subset=[column])
            shares = 100 * line[column]
            axes.plot(line.epoch, shares, color=colours[name], linestyle=style, linewidth=1.8, label=name)
        axes.set_ylim(0, 102)
        dress(axes, "epoch", "replicas (%)", title)
    _sorted_finals(final, finals, task, rule, colours)
    handles = over_epochs[0].get_legend_handles_labels()
    drawing.legend(*handles, fontsize=10, loc="outside lower center", ncols=2, frameon=False)
    return drawing


def _sorted_finals(
    axes: Axes, finals: Mapping[str, np.ndarray], task: Task, rule: Rule, colours: Mapping[str, str]
) -> None:
    """Draw a step for each replica, the worst first: a plateau is as wide as the share of replicas with that score."""
    for (name, values), style in zip(finals.items(), PAIR_STYLES, strict=True):
        edges = np.linspace(0, 100, len(values) + 1)
        axes.stairs(np.sort(values), edges, baseline=None, color=colours[name], linestyle=style, linewidth=1.8)
    for value, text in (
        (task.guessing(rule.score), "guessing"),
        (rule.threshold, f"learned: above {rule.threshold:g}"),
    ):
        axes.axhline(value, color=GREY, linewidth=1, linestyle=":")
        axes.text(1, value + 0.01, text, color=DARK_GREY, fontsize=9, va="bottom")
    axes.set_xlim(0, 100)
    axes.set_ylim(lowest_shown(task, rule.score, np.concatenate(list(finals.values()))), 1)
    dress(axes, "replicas (%), worst first", axis_label(rule.score), f"final test {rule.name}, sorted")


def survival(curves: pd.DataFrame, depths: Mapping[str, int], colours: Mapping[str, str]) -> Figure:
    """Return the share of living replicas over the epochs: a line for each variant in which replicas die.

    The axis of the epochs is logarithmic beyond epoch 1, because most layers die early.

    Args:
        curves: the comparison's long table, one row per variant and epoch.
        depths: the number of hidden layers of each variant.
        colours: the colour of each variant, in the order of params.yaml.
    """
    drawing = figure(8.6, 4.2)
    axes = drawing.subplots()
    recorded = curves.dropna(subset=["alive_share"])
    mortal = [name for name in depths if (recorded[recorded.variant == name].alive_share < 1).any()]
    for name in sorted(mortal, key=lambda name: depths[name]):
        line = recorded[recorded.variant == name]
        # Variants with the same colour of the palette differ in line style.
        style = ("-", "--", "-.", ":")[list(colours).index(name) // len(VARIANTS) % 4]
        label = f"{name}: {depths[name]} hidden, {100 * line.alive_share.iloc[-1]:.0f}% living at the end"
        axes.step(line.epoch, 100 * line.alive_share, where="post", color=colours[name], linestyle=style, label=label)
    rest = [name for name in depths if name not in mortal]
    if rest:
        axes.axhline(100, color=GREY, linewidth=2.5, label=f"all living throughout: {', '.join(rest)}")
    last = max(1, int(curves.epoch.max()))
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xlim(0, last)
    ticks = [tick for tick in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if tick <= last]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(0, 103)
    dress(axes, "epoch (log beyond 1; 0 = before training)", "living replicas (%)", "When do replicas die?")
    axes.legend(fontsize=9, frameon=False, loc="best")
    return drawing
