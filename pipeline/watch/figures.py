"""Draw the figures of a watched training: its curves, and its gradients by layer and epoch, and by time step."""

from collections.abc import Sequence
from io import BytesIO
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.diagnosis.palette import BLACK, BLUE, ORANGE, VERMILION
from pipeline.evaluation.learned import spelled_score
from pipeline.evaluation.summary import times
from pipeline.history import record
from pipeline.history.time_profiles import RECURRENT_PATH
from pipeline.params.evaluation_params import FIT_SCORES, SCORES
from pipeline.report.figures import time_figures
from pipeline.report.figures.gradient_figures import COLOURS, MEANING, NORM, NOTHING
from pipeline.report.figures.style import dress, figure, in_figure, short

MOST_NAMED: Final = 32  # with more layers, the axis has no paths of layers
LONGEST_PATH: Final = 40  # letters of a path at the axis
PARTS: Final = {"train": BLUE, "validation": ORANGE, "test": ORANGE}


def curves(history: xr.Dataset) -> Figure:
    """Draw loss and score over the epochs, with a line for each part of the data."""
    quantities = quantities_of(history)
    drawing = figure(4.2 * len(quantities), 3.2)
    panels = drawing.subplots(1, len(quantities), squeeze=False)[0]
    for axes, quantity in zip(panels, quantities, strict=True):
        draw_curve(axes, history, quantity)
    return drawing


def quantities_of(history: xr.Dataset) -> list[str]:
    """Return what is drawn over the epochs: `loss`, and the score, if there is one."""
    part, scores = record.parts_of(history)[0], [*SCORES, *FIT_SCORES]
    score = next((each for each in reversed(scores) if f"{part}_{each}" in history), None)
    return ["loss", *([score] if score else [])]


def draw_curve(axes: Axes, history: xr.Dataset, quantity: str) -> None:
    """Draw loss or a score over the epochs, with a line for each part of the data."""
    for part in record.parts_of(history):
        if f"{part}_{quantity}" in history:
            values = history[f"{part}_{quantity}"].values[0]
            label = record.PARTS[part]
            axes.plot(history.epoch.values, values, color=PARTS[part], label=label, linewidth=1.6)
    if quantity == "loss":
        baseline = history.attrs.get("train_constant_loss", np.nan)
        label = "baseline" if record.is_baseline_known(history) else "at the start"
        if np.isfinite(baseline):
            axes.axhline(baseline, color=BLACK, linestyle="--", linewidth=0.8, label=label)
    axes.set_xlim(0, max(1, int(history.epoch[-1])))
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=8, frameon=False)
    dress(axes, "epoch", "", "loss" if quantity == "loss" else spelled_score(quantity))


def gradients(history: xr.Dataset) -> Figure:
    """Draw the mean |gradient| of each kernel by epoch, with crosses for dead layers.

    The gradient is the one that the optimizer got or, if that was not recorded, the probe's.
    """
    drawing = figure(8.4, 1.7 + 0.24 * min(history.sizes["layer"], MOST_NAMED))
    axes = drawing.subplots()
    if draw_gradients(axes, history, has_meaning=True):
        draw_gradient_bar(drawing, [axes])
    return drawing


def gradient_by_time(history: xr.Dataset) -> Figure:
    """Draw how far back in time the gradient reaches in each recurrent layer; the record must have such a layer."""
    return time_figures.gradient_by_time(times(history), history[RECURRENT_PATH].values.tolist())


def draw_gradient_bar(drawing: Figure, panels: Sequence[Axes], is_below: bool = False) -> None:
    """Draw the bar of the gradients' colours at the right of the panels, or below them."""
    place = {"location": "bottom", "aspect": 60, "pad": 0.02} if is_below else {"pad": 0.01}
    bar = drawing.colorbar(ScalarMappable(NORM, COLOURS), ax=panels, extend="both", **place)
    bar.set_label(MEANING, fontsize=8)


def draw_gradients(axes: Axes, history: xr.Dataset, has_meaning: bool) -> bool:
    """Draw the gradients of the layers, and return whether there are any.

    Args:
        has_meaning: whether the title says what the colours mean.
    """
    name = next((each for each in ("gradient_mean_abs", "probe_gradient_mean_abs") if each in history), None)
    layers = history.sizes["layer"]
    dress(axes, "epoch", "" if layers <= MOST_NAMED else "layer", _title(name) if has_meaning else "")
    axes.grid(visible=False)
    axes.set_facecolor(NOTHING)
    axes.set_ylim(layers + 0.5, 0.5)
    if layers <= MOST_NAMED:
        axes.set_yticks(
            range(1, layers + 1), [in_figure(short(path, LONGEST_PATH)) for path in history.path.values], fontsize=8
        )
    if name is None or history.sizes["recorded_epoch"] < 2:
        return False
    _draw_map(axes, history, name)
    return True


def png(drawing: Figure) -> bytes:
    """Return the figure as PNG; equal figures give equal bytes."""
    buffer = BytesIO()
    FigureCanvasAgg(drawing).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _title(name: str | None) -> str:
    if name is None:
        return "No gradient was recorded"
    source = "that the optimizer got" if name == "gradient_mean_abs" else "of the probe"
    return f"Gradient {source}, by layer (grey: exactly 0; white: unknown; crosses: dead layer)"


def _draw_map(axes: Axes, history: xr.Dataset, name: str) -> None:
    first = 1 if name == "gradient_mean_abs" else 0
    epochs = history.recorded_epoch.values[first:].astype(float)
    values = history[name].values[0, first:].T.astype(float)
    shown = np.ma.masked_invalid(np.ma.masked_less_equal(values, 0))
    edges = np.concatenate([[epochs[0] - 0.5], (epochs[1:] + epochs[:-1]) / 2, [epochs[-1] + 0.5]])
    rows = np.arange(0.5, len(values) + 1)
    axes.pcolormesh(edges, rows, shown, norm=NORM, cmap=COLOURS, rasterized=True)
    unknown = np.ma.masked_array(np.ones_like(values), np.isfinite(values))
    axes.pcolormesh(edges, rows, unknown, cmap=ListedColormap(["white"]), rasterized=True)
    if "dead" in history:
        layer, epoch = np.nonzero(history.dead.values[0].T == 1)
        axes.plot(history.recorded_epoch.values[epoch], layer + 1, "x", color=VERMILION, markersize=3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(edges[0], edges[-1])
