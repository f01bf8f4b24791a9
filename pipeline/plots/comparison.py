"""Variants side by side."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.colours import BLACK, BLUE, GREEN, GREY, LIGHT, ORANGE, OUTCOMES, PURPLE, SKY, VERMILION
from pipeline.diagnosis.causes import FATES, spelled
from pipeline.plots.style import dress, figure, headed

NARROW = 0.03  # of all replicas: a narrower part of a bar holds no number
BELOW = 0.22  # where in the bar the interval lies, so that it crosses no number


def outcome_bars(wide: pd.DataFrame, outcomes: Mapping[str, Mapping[str, int]]) -> Figure:
    """What became of the replicas, a bar a variant: learned, with its Wilson 95% interval, then each cause.

    Args:
        wide: the comparison's table, a row a variant. outcomes: for each variant the replicas of each fate.
    """
    drawn = headed(figure(9.4, 1.7 + 0.46 * len(wide)), "How often does each network learn, and why does it not?")
    axes = drawn.subplots()
    present = [fate for fate in FATES if any(counts[fate] for counts in outcomes.values())]
    for row, each in enumerate(wide.itertuples()):
        left = 0.0
        for fate in present:
            share = outcomes[each.variant][fate] / each.replicas
            axes.barh(row, 100 * share, left=100 * left, color=OUTCOMES[fate], height=0.66, edgecolor="white")
            if share >= NARROW and fate != FATES[0]:
                _number(axes, 100 * (left + share / 2), row, outcomes[each.variant][fate], fate)
            left += share
        ends = [[100 * (each.learned_rate - each.learned_low)], [100 * (each.learned_high - each.learned_rate)]]
        axes.errorbar(
            100 * each.learned_rate, row + BELOW, xerr=ends, fmt="none", color=BLACK, capsize=4, linewidth=1.6
        )
        axes.text(101.5, row, f"{each.learned} of {each.replicas} learn", va="center", fontsize=10)
    axes.set_yticks(range(len(wide)), wide.variant)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    dress(axes, "replicas (%); black line: 95% interval of the share that learns", "")
    axes.tick_params(axis="y", labelsize=10)
    axes.grid(visible=False, axis="y")
    handles = [axes.barh(0, 0, color=OUTCOMES[fate], label=spelled(fate)) for fate in present]
    drawn.legend(handles=handles, fontsize=9, loc="outside lower center", ncols=len(handles), frameon=False)
    return drawn


def _number(axes: Axes, x: float, row: int, count: int, fate: str) -> None:
    colour = BLACK if OUTCOMES[fate] in LIGHT else "white"
    axes.text(x, row - BELOW / 3, str(count), ha="center", va="center", fontsize=9, color=colour)


def pair_over_epochs(curves: pd.DataFrame, pair: tuple[str, str]) -> Figure:
    """Learned share, share without a dead layer, and median test accuracy of two variants over the epochs.

    Args:
        curves: the comparison's long table, a row a variant and epoch.
    """
    drawn = headed(figure(9.6, 3.7), f"{pair[0]} against {pair[1]}")
    panels = {
        "learned_share": "learned",
        "alive_share": "living (no dead layer)",
        "test_accuracy_median": "median test accuracy",
    }
    for axes, (column, title) in zip(drawn.subplots(1, 3), panels.items(), strict=True):
        for name, colour, style in zip(pair, (BLUE, VERMILION), ("-", "--"), strict=True):
            line = curves[curves.variant == name].dropna(subset=[column])
            axes.plot(line.epoch, line[column], color=colour, linestyle=style, linewidth=1.8, label=name)
        axes.set_ylim(0, 1.02)
        if column == "test_accuracy_median":
            axes.axhline(0.5, color=GREY, linewidth=1, linestyle=":")
            axes.text(0.99, 0.505, "guessing", color=GREY, fontsize=9, ha="right", transform=axes.get_yaxis_transform())
        share = "accuracy (share correct)" if column == "test_accuracy_median" else "share of replicas"
        dress(axes, "epoch", share, title)
    drawn.legend(*axes.get_legend_handles_labels(), fontsize=10, loc="outside lower center", ncols=2, frameon=False)
    return drawn


def survival(curves: pd.DataFrame, depths: Mapping[str, int]) -> Figure:
    """When replicas die: the share without a dead layer over the epochs, a line for each variant that loses any.

    The epochs are on a scale that is logarithmic beyond the first, for most layers die early.

    Args:
        curves: the comparison's long table. depths: hidden layers of each variant.
    """
    drawn = figure(8.6, 4.2)
    axes = drawn.subplots()
    known = curves.dropna(subset=["alive_share"])
    mortal = [name for name in depths if (known[known.variant == name].alive_share < 1).any()]
    colours = (BLUE, ORANGE, VERMILION, GREEN, PURPLE, SKY, BLACK)
    for number, name in enumerate(sorted(mortal, key=lambda name: depths[name])):
        line = known[known.variant == name]
        style = ("-", "--", "-.", ":")[number // len(colours) % 4]
        label = f"{name}: {depths[name]} hidden, {100 * line.alive_share.iloc[-1]:.0f}% left"
        axes.step(
            line.epoch, 100 * line.alive_share, where="post", color=colours[number % 7], linestyle=style, label=label
        )
    rest = [name for name in depths if name not in mortal]
    if rest:
        axes.axhline(100, color=GREY, linewidth=2.5, label=f"all alive throughout: {', '.join(rest)}")
    last = max(1, int(curves.epoch.max()))
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xlim(0, last)
    ticks = [tick for tick in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if tick <= last]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(0, 103)
    dress(axes, "epoch (log beyond 1; 0 = before training)", "living replicas (%)", "When do replicas die?")
    axes.legend(fontsize=9, frameon=False, loc="best")
    return drawn
