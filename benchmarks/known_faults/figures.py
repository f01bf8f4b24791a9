"""A figure for each cause: its first program, faulty and repaired, as the last results have it."""

from collections.abc import Sequence
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
from benchmarks.known_faults.program import CAUSES
from benchmarks.known_faults.runs import Run
from pipeline.diagnosis.causes import named
from pipeline.foundations.colours import BLACK, BLUE, VERMILION
from pipeline.report.figures.style import dress, figure
from pipeline.watch.figures import png

FOLDER: Final = Path(__file__).parents[2] / "docs" / "causes"
DRAWN: Final = ((True, BLUE, "repaired", "-"), (False, VERMILION, "faulty", "--"))
COLOURS: Final = 48  # of a picture, which makes it a fifth as large
HIGHEST: Final = 1e4  # times a constant guess's; more is as bad


def draw_all(counted: Sequence[Counted]) -> list[str]:
    """Write docs/causes/<cause>.png; returns the causes that have one."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = []
    drawable = [each for each in (each.where("curves") for each in counted) if each.faulty and each.twins]
    for cause in (name for name in CAUSES if named(name).family != "inference"):  # of those the training shows nothing
        example = _example(cause, drawable)
        if example is not None:
            picture = Image.open(BytesIO(png(drawn(example)))).convert("RGB").quantize(COLOURS)
            picture.save(FOLDER / f"{cause}.png", optimize=True)
            found.append(cause)
    return found


def _example(cause: str, counted: Sequence[Counted]) -> Counted | None:
    """The first program of which the cause is true, or else of which it is said most often."""
    true = (each for each in counted if each.program.truth[0] == cause)
    said = (each for each in counted if next(iter(each.causes), None) == cause)
    return next(chain(true, said), None)


def drawn(example: Counted) -> Figure:
    """Training loss by epoch, and the gradient by layer: a line for each seed."""
    made = figure(8.4, 3.3)
    loss, gradient = made.subplots(1, 2, width_ratios=(3, 2))
    for repaired, colour, label, style in DRAWN:
        runs = example.twins if repaired else example.faulty
        for number, run in enumerate(runs):
            seeds = "1 seed" if len(runs) == 1 else f"{len(runs)} seeds"
            named = {"label": f"{label} ({seeds})"} if number == 0 else {}
            _losses(loss, run, color=colour, linestyle=style, linewidth=1.3, **named)
            if "gradient" in run["curves"]:
                values = np.array(run["curves"]["gradient"], float)
                layers = np.arange(1, len(values) + 1)
                shown = np.where(values > 0, values, np.nan)
                gradient.plot(layers, shown, color=colour, linestyle=style, linewidth=1.1, marker="o", markersize=3)
    loss.axhline(1, color=BLACK, linestyle=":", linewidth=0.9)
    loss.annotate("constant guess", (1, 1), xycoords=loss.get_yaxis_transform(), ha="right", va="bottom", fontsize=8)
    loss.set_yscale("log")
    loss.set_xlim(left=0)
    loss.legend(fontsize=8, frameon=False)
    gradient.set_yscale("log")
    for axes in (loss, gradient):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    dress(loss, "epoch", "training loss / constant guess's", "Loss")
    dress(gradient, "layer", "mean |gradient| / guess's loss", "Gradient, median over the epochs")
    made.suptitle(fill(example.program.fault, 100), fontsize=10, x=0.01, ha="left")
    return made


def _losses(axes: Axes, run: Run, **style: object) -> None:
    """What is not finite ends in a cross."""
    epochs, values = np.array(run["curves"]["epoch"], float), np.array(run["curves"]["loss"], float)
    known = np.isfinite(values)
    shown = np.clip(values[known], 1e-4, HIGHEST)
    axes.plot(epochs[known], shown, **style)
    if not known.all() and known.any():
        axes.plot(epochs[known][-1], shown[-1], "x", color=style["color"], markersize=8)
    elif not known.any():
        axes.plot(epochs[0], 1, "x", color=style["color"], markersize=8)
