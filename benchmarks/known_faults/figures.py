"""A figure for each cause: its first program, faulty and repaired, as the last results have it."""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain
from pathlib import Path
from textwrap import fill
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from benchmarks.known_faults.counts import Counted
from benchmarks.known_faults.runs import Run
from pipeline.diagnosis.causes import cause_names
from pipeline.foundations.colours import BLACK, BLUE, VERMILION
from pipeline.report.figures.style import dress, figure
from pipeline.watch.figures import png

FOLDER: Final = Path(__file__).parents[2] / "docs" / "causes"
DRAWN: Final = ((True, BLUE, "repaired", "-"), (False, VERMILION, "faulty", "--"))
COLOURS: Final = 48  # of a picture, which makes it a fifth as large
# Of causes that the training loss alone does not tell: which curves do, and of what they are.
LOSSES: Final = {
    "batch_statistics": (("logged", "In training mode, as `fit` logs it"), ("loss", "In inference mode, same rows")),
    "overfitting": (("loss", "Training rows"), ("held_out", "Held-out rows")),
    "unrelated_labels": (("loss", "Training rows"), ("held_out", "Held-out rows")),
}
HIGHEST: Final = 1e4  # times a constant guess's; more is as bad


def draw_all(counted: Sequence[Counted]) -> list[str]:
    """Write docs/causes/<cause>.png; returns the causes that have one."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = []
    drawable = [each for each in (each.where("curves") for each in counted) if each.faulty and each.twins]
    for cause in cause_names():
        example = _example(cause, drawable)
        if example is not None:
            picture = Image.open(BytesIO(png(drawn(example, cause)))).convert("RGB").quantize(COLOURS)
            picture.save(FOLDER / f"{cause}.png", optimize=True)
            found.append(cause)
    return found


def _example(cause: str, counted: Sequence[Counted]) -> Counted | None:
    """The first program of which the cause is true, or else of which it is said most often."""
    true = (each for each in counted if each.program.truth[0] == cause)
    said = (each for each in counted if next(iter(each.causes), None) == cause)
    return next(chain(true, said), None)


def drawn(example: Counted, cause: str) -> Figure:
    """Losses by epoch; the gradient by layer where the training loss alone tells the cause. A line for each seed."""
    made = figure(8.4, 3.3)
    panels = LOSSES.get(cause, (("loss", "Loss"),))
    two = len(panels) == 2
    left, right = made.subplots(1, 2, width_ratios=(1, 1) if two else (3, 2), sharey=two)
    for axes, (curve, title) in zip((left, right), panels, strict=False):
        _losses(axes, example, curve)
        dress(axes, "epoch", "loss / constant guess's", title)
    if two:
        right.set_ylabel("")
    else:
        _gradients(right, example)
        dress(right, "layer", "mean |gradient| / guess's loss", "Gradient, median over the epochs")
    left.legend(fontsize=8, frameon=False)
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    made.suptitle(fill(example.program.fault, 100), fontsize=10, x=0.01, ha="left")
    return made


def _losses(axes: Axes, example: Counted, curve: str) -> None:
    """One of `curves` by epoch, over a constant guess's; what is not finite ends in a cross."""
    for runs, colour, label, style in _both(example):
        for number, run in enumerate(runs):
            named = {"label": label} if number == 0 else {}
            _loss(axes, run["curves"], curve, color=colour, linestyle=style, linewidth=1.3, **named)
    axes.axhline(1, color=BLACK, linestyle=":", linewidth=0.9)
    where = {"xycoords": axes.get_yaxis_transform(), "xytext": (0, -2), "textcoords": "offset points"}
    axes.annotate("constant guess", (1, 1), ha="right", va="top", fontsize=8, **where)
    axes.set_yscale("log")
    axes.set_xlim(left=0)


def _gradients(axes: Axes, example: Counted) -> None:
    for runs, colour, _, style in _both(example):
        for values in (np.array(run["curves"]["gradient"], float) for run in runs if "gradient" in run["curves"]):
            layers = np.arange(1, len(values) + 1)
            shown = np.where(values > 0, values, np.nan)
            axes.plot(layers, shown, color=colour, linestyle=style, linewidth=1.1, marker="o", markersize=3)
    axes.set_yscale("log")


def _both(example: Counted) -> Iterator[tuple[Sequence[Run], str, str, str]]:
    """Runs, colour, label and style of the twin and of the faulty program."""
    for repaired, colour, label, style in DRAWN:
        runs = example.twins if repaired else example.faulty
        seeds = "1 seed" if len(runs) == 1 else f"{len(runs)} seeds"
        yield runs, colour, f"{label} ({seeds})", style


def _loss(axes: Axes, curves: Mapping[str, Sequence[float]], curve: str, **style: object) -> None:
    epochs, values = np.array(curves["epoch"], float), np.array(curves[curve], float)
    known = np.isfinite(values)
    shown = np.clip(values[known], 1e-4, HIGHEST)
    axes.plot(epochs[known], shown, **style)
    if known.any() and not known[-1]:
        axes.plot(epochs[known][-1], shown[-1], "x", color=style["color"], markersize=8)
    elif not known.any():
        axes.plot(epochs[0], 1, "x", color=style["color"], markersize=8)
