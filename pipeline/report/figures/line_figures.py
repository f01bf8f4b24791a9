"""The figure of a grid with one axis of numbers and one other axis: a line for each value of the other axis."""

from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.diagnosis.palette import DARK_GREY, of_variants
from pipeline.report.figures.style import dress, figure, in_figure, with_heading

WIDE: Final = 8  # the ratio of the largest to the smallest number from which an axis is logarithmic
SHIFT: Final = 0.012  # of neighbouring lines, so that intervals do not hide each other: a share of number or axis
MARKERS: Final = "osD^vP*Xp"  # a line has a marker of its own, for readers who cannot tell the colours apart
TICKS: Final = [step * 10**power for power in range(6) for step in (1, 2, 5)]  # of a logarithmic axis of steps
REACH: Final = ("reach_median", "reach_q25", "reach_q75")


def learned_lines(cells: pd.DataFrame, numbers: str, other: str, title: str) -> Figure:
    """Return the learned share along an axis of numbers with Wilson's 95% interval, a line for each value of another.

    A second panel shows how far back the untrained gradient reaches, if the table has the columns REACH.

    Args:
        cells: the study's table, with a column `along` (the number) and `line` (the other value); of cells with
            recurrent layers also REACH and `steps`, see `UntrainedReach.cells`.
        numbers, other: the names of the two parameters.
    """
    has_reach = "reach_median" in cells and bool(cells.reach_median.notna().any())
    drawing = with_heading(figure(12.4 if has_reach else 8.8, 4.8), title)
    panels = drawing.subplots(1, 2 if has_reach else 1, squeeze=False)[0]
    shares = ("learned_rate", "learned_low", "learned_high")
    percent = cells.assign(**{name: 100 * cells[name].astype(float) for name in shares})
    _lines(panels[0], percent, shares)
    panels[0].set_ylim(-3, 103)
    dress(panels[0], numbers, "learned replicas (%), 95% interval", "after training" if has_reach else "")
    if has_reach:
        _reach(panels[1], cells.dropna(subset=["reach_median"]), numbers)
    panels[0].legend(title=in_figure(other), fontsize=9, title_fontsize=9, frameon=False, loc="best")
    return drawing


def _reach(axes: Axes, cells: pd.DataFrame, numbers: str) -> None:
    """Draw for each line the number of last steps that the gradient reaches, and the number of all steps."""
    _lines(axes, cells, REACH)
    steps = cells.groupby("along").steps.max()
    axes.plot(steps.index, steps, color=DARK_GREY, linestyle=":", linewidth=1.6, zorder=1)
    end, place = (steps.index[-1], steps.iloc[-1]), "offset points"
    axes.annotate("all steps", end, (0, 8), textcoords=place, ha="right", fontsize=9, color=DARK_GREY)
    axes.set_yscale("log")
    low, high = 0.8 * float(cells.reach_q25.min()), 1.5 * float(steps.max())
    ticks = [each for each in TICKS if low <= each <= high]
    axes.set_yticks(ticks, [f"{each:,}" for each in ticks])
    axes.set_ylim(low, high)
    y = "last steps with at least 0.1% of the gradient"
    dress(axes, numbers, y, "before training")
    axes.minorticks_off()


def _lines(axes: Axes, cells: pd.DataFrame, columns: tuple[str, str, str]) -> None:
    """Draw a line for each value of the column `line` along the column `along`.

    Args:
        columns: the names of the value, its lower and its upper bound.
    """
    lines = [str(line) for line in cells.line.unique()]
    least, most = float(cells.along.min()), float(cells.along.max())
    is_wide = least > 0 and most >= WIDE * least
    for place, (line, colour) in enumerate(of_variants(lines).items()):
        rows = cells[cells.line == line].sort_values("along")
        # Beside each other, because intervals at one place would hide each other.
        shift = (place - (len(lines) - 1) / 2) * SHIFT
        along = rows.along.to_numpy(float)
        places = along * (1 + shift) if is_wide else along + shift * (most - least)
        value, low, high = (rows[name].to_numpy(float) for name in columns)
        style = f"{MARKERS[place % len(MARKERS)]}-"
        drawn = axes.errorbar(places, value, yerr=[value - low, high - value], fmt=style, color=colour, capsize=3)
        drawn.set_label(in_figure(line))
    if is_wide:
        axes.set_xscale("log")
    axes.set_xticks(cells.along.unique(), [f"{each:g}" for each in cells.along.unique()])
    axes.minorticks_off()
