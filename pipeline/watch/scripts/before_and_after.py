"""Draw one `fit` without remedies and with the best remedies, side by side."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.diagnosis.causes import LEARNED
from pipeline.remedies import combined
from pipeline.report.figures.style import figure, in_figure
from pipeline.watch.figures import draw_curve, draw_gradient_bar, draw_gradients, png, quantities_of
from pipeline.watch.scripts.attempt import Attempt
from pipeline.watch.scripts.run_request import RunResult
from pipeline.watch.scripts.script_replicas import FitSummary

PICTURE: Final = "before_and_after"
LONGEST_LINE: Final = 36  # letters of a heading
MOST_LAYERS: Final = 32  # with more layers, the picture does not grow


def before_and_after(
    results: Sequence[RunResult], best: Attempt | None, unchanged_fit: FitSummary
) -> Mapping[str, bytes]:
    """Return the picture as PNG by its name; empty if no remedy is better than none.

    It shows the first seed from which the `fit` fails without the remedies and learns with them, else the first seed
    from which it fails.

    Args:
        results: the runs without remedies.
        best: the best remedies.
        unchanged_fit: the `fit` without remedies.
    """
    if best is None or unchanged_fit.replicas is None:
        return {}
    number, table = unchanged_fit.number, unchanged_fit.replicas
    before, after = (_histories(runs, number) for runs in (results, best.runs))
    failing = [int(seed) for seed in table.replica[table.outcome != LEARNED] if int(seed) in after]
    if not failing:
        return {}
    seed = next((each for each in failing if each in best.learned_seeds), failing[0])
    titles = "As it is", f"With {combined.AND.join(best.remedies)}"
    return {PICTURE: png(draw(before[seed], after[seed], titles, seed))}


def draw(before: xr.Dataset, after: xr.Dataset, titles: tuple[str, str], seed: int) -> Figure:
    """Draw score, loss and gradients of two trainings, one in each column."""
    quantities = [each for each in quantities_of(before) if each in quantities_of(after)][::-1]
    layers = min(max(before.sizes["layer"], after.sizes["layer"]), MOST_LAYERS)
    heights = [*[2.3] * len(quantities), 1.7 + 0.24 * layers]
    drawing = figure(8.6, sum(heights) + 0.4)
    panels = drawing.subplots(len(heights), 2, squeeze=False, gridspec_kw={"height_ratios": heights})
    for row, quantity in zip(panels, quantities, strict=False):
        for axes, history in zip(row, (before, after), strict=True):
            draw_curve(axes, history, quantity)
        _share_y(row, quantity)
    has_gradients = [
        draw_gradients(axes, history, has_meaning=False)
        for axes, history in zip(panels[-1], (before, after), strict=True)
    ]
    for axes in panels[-1]:
        axes.set_title("gradient by layer", fontsize=11, loc="left")
    if any(has_gradients):
        draw_gradient_bar(drawing, list(panels[-1]), is_below=True)
    for axes, title in zip(panels[0], titles, strict=True):
        axes.annotate(
            fill(in_figure(f"{title}, seed {seed}"), LONGEST_LINE),
            *((0, 1), (0, 26)),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=12,
            fontweight="bold",
        )
    return drawing


def _share_y(row: Sequence[Axes], quantity: str) -> None:
    """Give the panels of a row one axis, unless a loss that exploded would flatten all others."""
    limits = [axes.get_ylim() for axes in row]
    widths = [high - low for low, high in limits]
    if np.isfinite(widths).all() and (quantity != "loss" or max(widths) < 20 * min(widths)):
        for axes in row:
            axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))


def _histories(runs: Sequence[RunResult], number: int) -> dict[int, xr.Dataset]:
    return {fit.seed: fit.history for run in runs for fit in run.fits if fit.number == number}
