"""Variants side by side."""

import pandas as pd
from matplotlib.figure import Figure

from pipeline.plots.style import BLUE, GREY, VERMILION, dress, figure, headed


def learned_shares(wide: pd.DataFrame) -> Figure:
    """The share of replicas that learned, with its Wilson 95% interval, a row a variant.

    Args:
        wide: the comparison's table, a row a variant.
    """
    drawn = figure(7.6, 1.3 + 0.42 * len(wide))
    axes = drawn.subplots()
    rows = range(len(wide))
    axes.barh(rows, 100 * wide.learned_rate, color=BLUE, alpha=0.35, height=0.62)
    spread = [100 * (wide.learned_rate - wide.learned_low), 100 * (wide.learned_high - wide.learned_rate)]
    axes.errorbar(100 * wide.learned_rate, rows, xerr=spread, fmt="o", color=BLUE, capsize=4, markersize=5)
    for row, (count, total) in enumerate(zip(wide.learned, wide.replicas, strict=True)):
        axes.text(102, row, f"{count} of {total}", va="center", fontsize=10)
    axes.set_yticks(rows, wide.variant)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    dress(axes, "replicas that learned (%), with the 95% interval", "", "How often does each network learn?")
    axes.tick_params(axis="y", labelsize=10)
    return drawn


def pair_over_epochs(curves: pd.DataFrame, pair: tuple[str, str]) -> Figure:
    """Learned share, share without a dead layer, and median test accuracy of two variants over the epochs.

    Args:
        curves: the comparison's long table, a row a variant and epoch.
    """
    drawn = headed(figure(10.2, 3.9), f"{pair[0]} against {pair[1]}")
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
