"""The figure of recurrent layers by time step: how far back the gradient reaches."""

from collections.abc import Sequence
from textwrap import fill
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.diagnosis.palette import BLUE, ORANGE
from pipeline.history.time_profiles import RECURRENT_CALL, SMALL_SHARE, TIME, Reach, reach
from pipeline.report.figures.style import dress, figure, short, with_heading

MOST_PANELS: Final = 6  # calls of recurrent layers in the figure
NORM: Final = "gradient_norm_by_time"
LONGEST_PATH: Final = 60  # letters of a path above a panel
LONGEST_LINE: Final = 95  # letters of a line of the sentence below it
REACH_CAPTION: Final = (
    "Lines: how much gradient reaches each time step of each recurrent layer, at the first and the last recorded epoch"
)


def gradient_by_time(times: pd.DataFrame, paths: Sequence[str], title: str = "") -> Figure:
    """Draw the gradient's L2 norm by time step, with a panel for each call of a recurrent layer.

    There is a line for the first and for the last recorded epoch: the median over replicas, with a band between the
    quartiles. A dashed line and the legend show from which step on a step gets at least 0.1% of the greatest gradient.

    Args:
        times: the evaluation's table, one row per recorded epoch, call and step.
        paths: the path of each call's layer.
        title: the heading of the figure; none if empty.
    """
    calls = np.unique(times[RECURRENT_CALL])[:MOST_PANELS]
    drawing = figure(8.4, 0.4 + 2.7 * len(calls))
    if title:
        with_heading(drawing, title)
    for axes, call in zip(drawing.subplots(len(calls), 1, squeeze=False)[:, 0], calls, strict=True):
        rows = times[times[RECURRENT_CALL] == call]
        _profiles(axes, rows)
        last = reach_at(rows, int(rows.epoch.max()))
        course = "no gradient at the last epoch" if last is None else f"at the last epoch it {last.in_words}"
        course = fill(course, LONGEST_LINE)
        y = "|gradient| (L2, log)"
        dress(axes, "time step, as the layer reads them", y, f"{short(paths[call - 1], LONGEST_PATH)}\n{course}")
    return drawing


def reach_at(rows: pd.DataFrame, epoch: int) -> Reach | None:
    """Return how far back the median gradient of a call reaches at a recorded epoch; see `time_profiles.reach`.

    Args:
        rows: the rows of one call.
    """
    rows = rows[rows.epoch == epoch]
    return reach(rows[TIME].to_numpy(), rows[f"{NORM}_median"].to_numpy(float))


def _profiles(axes: Axes, rows: pd.DataFrame) -> None:
    epochs = sorted({int(rows.epoch.min()), int(rows.epoch.max())})
    for epoch, colour in zip(epochs, (ORANGE, BLUE), strict=False):
        shown = rows[(rows.epoch == epoch) & (rows[f"{NORM}_median"] > 0)]
        low, middle, high = (shown[f"{NORM}_{part}"] for part in ("q25", "median", "q75"))
        if not len(shown):
            continue
        axes.fill_between(shown[TIME], low.clip(lower=middle.min()), high, color=colour, alpha=0.18, linewidth=0)
        profile = reach_at(rows, epoch)
        first = 1 if profile is None else profile.first
        label = f"epoch {epoch}, {SMALL_SHARE:.1%} from step {first}" if first > 1 else f"epoch {epoch}"
        axes.plot(shown[TIME], middle, color=colour, linewidth=1.6, label=label)
        if first > 1:
            axes.axvline(first, color=colour, linestyle="--", linewidth=0.9)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.set_xlim(1, max(2, int(rows[TIME].max())))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=9, frameon=False, loc="lower right")
