"""A figure for each cause in docs/causes: a program with that fault, faulty and repaired, from the last records."""

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

from benchmarks.known_faults.counts import FaultCounts, split_runs
from benchmarks.known_faults.runs import Run
from pipeline.diagnosis.causes import cause_names
from pipeline.diagnosis.palette import BLACK, BLUE, VERMILION
from pipeline.report.figures.style import dress, figure
from pipeline.watch.figures import png

FOLDER: Final = Path(__file__).parents[2] / "docs" / "causes"
COLOURS: Final = 48  # of a picture, which makes its file a fifth as large
# Curves and titles for causes that the training loss alone does not show; all others get loss and gradients.
LOSSES: Final = {
    "batch_statistics": (("logged", "In training mode, as `fit` logs it"), ("loss", "In inference mode, same rows")),
    "overfitting": (("loss", "Training rows"), ("held_out", "Held-out rows")),
    "unrelated_labels": (("loss", "Training rows"), ("held_out", "Held-out rows")),
}
LOWEST, HIGHEST = 1e-4, 1e4  # of a drawn loss, in baselines


def draw_all(counts: Sequence[FaultCounts], records: Mapping[str, Sequence[Run]]) -> list[str]:
    """Write docs/causes/<cause>.png for each cause, and return the causes that have a figure.

    Args:
        records: runs by program; only programs with records are drawn.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    drawn = []
    for cause in cause_names():
        example = _example(cause, [each for each in counts if records.get(each.program.name)])
        if example is not None:
            picture = Image.open(BytesIO(png(draw(example, records[example.program.name], cause)))).convert("RGB")
            picture.quantize(COLOURS).save(FOLDER / f"{cause}.png", optimize=True)
            drawn.append(cause)
    return drawn


def _example(cause: str, counts: Sequence[FaultCounts]) -> FaultCounts | None:
    """Return the first program of which the cause is true, else the first that most often has it as cause."""
    true = (each for each in counts if each.program.truth[0] == cause)
    named = (each for each in counts if next(iter(each.causes), None) == cause)
    return next(chain(true, named), None)


def draw(example: FaultCounts, runs: Sequence[Run], cause: str) -> Figure:
    """Draw losses by epoch, and gradients by layer where the training loss alone shows the cause; a line a seed."""
    result = figure(8.4, 3.3)
    panels = LOSSES.get(cause, (("loss", "Loss"),))
    has_two_losses = len(panels) == 2
    left, right = result.subplots(1, 2, width_ratios=(1, 1) if has_two_losses else (3, 2), sharey=has_two_losses)
    for axes, (curve, title) in zip((left, right), panels, strict=False):
        _draw_losses(axes, runs, curve)
        dress(axes, "epoch", "loss / baseline", title)
    if has_two_losses:
        right.set_ylabel("")
    else:
        _draw_gradients(right, runs)
        dress(right, "layer", "mean |gradient| / baseline", "Gradient, median over the epochs")
    left.legend(fontsize=8, frameon=False)
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    result.suptitle(fill(example.program.fault, 100), fontsize=10, x=0.01, ha="left")
    return result


def _draw_losses(axes: Axes, runs: Sequence[Run], curve: str) -> None:
    for part, colour, label, style in _faulty_and_repaired(runs):
        for number, run in enumerate(part):
            named = {"label": label} if number == 0 else {}
            _draw_loss(axes, run["curves"], curve, color=colour, linestyle=style, linewidth=1.3, **named)
    axes.axhline(1, color=BLACK, linestyle=":", linewidth=0.9)
    where = {"xycoords": axes.get_yaxis_transform(), "xytext": (0, -2), "textcoords": "offset points"}
    axes.annotate("baseline: a constant prediction", (1, 1), ha="right", va="top", fontsize=8, **where)
    axes.set_yscale("log")
    axes.set_xlim(left=0)


def _draw_gradients(axes: Axes, runs: Sequence[Run]) -> None:
    for part, colour, _, style in _faulty_and_repaired(runs):
        for values in (np.array(run["curves"]["gradient"], float) for run in part if "gradient" in run["curves"]):
            layers = np.arange(1, len(values) + 1)
            positive = np.where(values > 0, values, np.nan)
            axes.plot(layers, positive, color=colour, linestyle=style, linewidth=1.1, marker="o", markersize=3)
    axes.set_yscale("log")


def _faulty_and_repaired(runs: Sequence[Run]) -> Iterator[tuple[Sequence[Run], str, str, str]]:
    """Yield runs, colour, label and line style: first the repaired twin's, then the faulty program's."""
    faulty, twins = split_runs(runs)
    for part, colour, label, style in ((twins, BLUE, "repaired", "-"), (faulty, VERMILION, "faulty", "--")):
        seeds = "1 seed" if len(part) == 1 else f"{len(part)} seeds"
        yield part, colour, f"{label} ({seeds})", style


def _draw_loss(axes: Axes, curves: Mapping[str, Sequence[float | str]], curve: str, **style: object) -> None:
    """Draw a loss by epoch; a loss that becomes NaN or infinite ends in a cross."""
    epochs, values = np.array(curves["epoch"], float), np.array(curves[curve], float)
    is_finite = np.isfinite(values)
    clipped = np.clip(values[is_finite], LOWEST, HIGHEST)
    axes.plot(epochs[is_finite], clipped, **style)
    if is_finite.any() and not is_finite[-1]:
        axes.plot(epochs[is_finite][-1], clipped[-1], "x", color=style["color"], markersize=8)
    elif not is_finite.any():
        axes.plot(epochs[0], 1, "x", color=style["color"], markersize=8)
