"""Figures of gradients by layer and epoch. All heat maps share one colour scale, so that any two can be compared."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.diagnosis.palette import BLUE, DARK_GREY, LIGHT_GREY
from pipeline.report.figures.style import GRADIENT_RANGE, colour_bar, dress, figure, with_heading

NORM = LogNorm(*GRADIENT_RANGE, clip=False)
COLOURS = "viridis"
NOTHING = LIGHT_GREY
MEANING = "mean |gradient| of the kernel (log; no unit)"
LAYERS = "layer (1 = first, last = output)"


def gradient_by_layer_and_epoch(layers: pd.DataFrame, replicas: int, title: str) -> Figure:
    """Return a heat map of the mean |gradient| by layer and epoch, above the number of living replicas by epoch.

    Each value is the median over living replicas. Grey means that no replica is living at that epoch, or that all
    gradients are exactly zero.

    Args:
        layers: the evaluation's table, one row per recorded epoch and layer.
        replicas: the variant's number of replicas.
        title: the first line of the heading.
    """
    drawing = with_heading(figure(8.2, 5.0), f"{title}\n{reaching(layers, replicas)}")
    upper, lower = drawing.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _heat_map(upper, layers, "median over living replicas; grey: no living replica")
    colour_bar(drawing, ScalarMappable(NORM, COLOURS), [upper], MEANING, extend="both")
    _living(lower, layers, replicas, BLUE)
    dress(lower, "epoch", "living\nreplicas", f"replicas without a dead layer, of {replicas}")
    return drawing


def reaching(layers: pd.DataFrame, replicas: int) -> str:
    """Return a sentence on how much gradient reaches the hidden layers at the last epoch.

    The gradient of a layer is the median over living replicas. The sentence compares the median of the hidden layers
    with the output layer.

    Args:
        layers: the evaluation's table, one row per recorded epoch and layer.
        replicas: the variant's number of replicas.
    """
    last = layers[layers.epoch == layers.epoch.max()]
    count = int(last.living.max())
    living = f"{count} of {replicas} living"
    if layers.epoch.max() == 0:
        return f"{living} before training; not trained"
    output = last.gradient_mean_abs_median[last.layer == last.layer.max()].iloc[0]
    part = last.gradient_mean_abs_median[last.layer < last.layer.max()].median() / output if output > 0 else np.nan
    if not np.isfinite(part):
        return f"{living} at the end"
    amount = f"{part:.1f} times" if part >= 1 else f"{100 * part:.2g}% of"
    return f"{living} at the end; the median hidden layer gets {amount} the output layer's gradient"


def gradients_of_pair(
    layers: Mapping[str, pd.DataFrame], replicas: Mapping[str, int], colours: Mapping[str, str]
) -> Figure:
    """Return heat maps of two variants side by side, with layers of the same number at the same height.

    Args:
        layers: the evaluation's table of each variant.
        replicas: the number of replicas of each variant.
        colours: the colour of each variant.
    """
    headings = [f"{name}: {reaching(table, replicas[name])}" for name, table in layers.items()]
    drawing = with_heading(figure(9.6, 5.6), "\n".join(headings))
    deepest = max(int(table.layer.max()) for table in layers.values())
    panels = drawing.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3, 1))
    for column, (name, table) in enumerate(layers.items()):
        upper, lower = panels[:, column]
        _heat_map(upper, table, f"{name}: median over living replicas")
        _living(lower, table, max(replicas.values()), colours[name])
        if table.layer.max() < deepest:
            ends = (table.layer.max() + 0.5, deepest + 0.5)
            upper.axhspan(*ends, color="white")
            text = {"ha": "center", "va": "center", "fontsize": 9, "color": DARK_GREY}
            upper.text(0.5, sum(ends) / 2, "no layers here", **text, transform=upper.get_yaxis_transform())
        upper.set_ylim(deepest + 0.5, 0.5)
        dress(
            lower, "epoch", "" if column else "living\nreplicas", f"replicas without a dead layer, of {replicas[name]}"
        )
        if column:
            upper.set_ylabel("")
    colour_bar(drawing, ScalarMappable(NORM, COLOURS), list(panels[0]), MEANING, extend="both")
    return drawing


def profiles(layers: Mapping[str, pd.DataFrame], colours: Mapping[str, str]) -> Figure:
    """Return a figure of the gradient across the layers: before training, early in training and at its end.

    There is a panel per epoch. Each variant has a line, the median over living replicas, and a band between the
    quartiles. The gradient is that of the full training set, as in theory.
    """
    drawing = with_heading(figure(9.6, 3.9), "Gradient across the layers, median and quartiles over living replicas")
    epochs = early_and_late(next(iter(layers.values())))
    for axes, epoch in zip(drawing.subplots(1, len(epochs), sharey=True, squeeze=False)[0], epochs, strict=True):
        for (name, table), style in zip(layers.items(), ("-", "--"), strict=True):
            colour = colours[name]
            rows = table[(table.epoch == epoch) & (table.probe_gradient_mean_abs_median > 0)]
            low, middle, high = (rows[f"probe_gradient_mean_abs_{part}"] for part in ("q25", "median", "q75"))
            label = f"{name} ({table[table.epoch == epoch].living.max()} living)"
            axes.fill_between(rows.layer, low.clip(lower=1e-12), high, color=colour, alpha=0.18, linewidth=0)
            axes.plot(rows.layer, middle, color=colour, linestyle=style, linewidth=1.6, marker=".", label=label)
        axes.set_yscale("log")
        axes.set_ylim(*GRADIENT_RANGE)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.legend(fontsize=9, frameon=False, loc="upper left")
        dress(axes, LAYERS, "", f"epoch {epoch}")
    drawing.axes[0].set_ylabel(MEANING.replace(" (", "\n("), fontsize=10)
    return drawing


def early_and_late(layers: pd.DataFrame) -> list[int]:
    """Return epoch 0, the recorded epoch nearest to a tenth of the training, and the last epoch, without duplicates."""
    recorded = np.unique(layers.epoch)
    early = recorded[np.abs(recorded - recorded[-1] / 10).argmin()]
    return sorted({0, int(early), int(recorded[-1])})


def _heat_map(axes: Axes, layers: pd.DataFrame, title: str) -> None:
    dress(axes, "", LAYERS, title)
    axes.grid(visible=False)
    axes.set_facecolor(NOTHING)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    table = layers[layers.epoch > 0].pivot(index="layer", columns="epoch", values="gradient_mean_abs_median")
    values = np.ma.masked_invalid(np.ma.masked_less_equal(table.to_numpy(float), 0))
    axes.set_ylim(layers.layer.max() + 0.5, 0.5)
    if values.count() == 0:
        axes.text(0.5, 0.5, "no gradient was recorded", ha="center", va="center", transform=axes.transAxes)
        return
    epochs = np.asarray(table.columns, float)
    middles = (epochs[1:] + epochs[:-1]) / 2
    edges = np.concatenate([[min(0, epochs[0] - 1)], middles, [epochs[-1]]])
    axes.pcolormesh(edges, np.arange(0.5, len(table) + 1), values, norm=NORM, cmap=COLOURS, rasterized=True)


def _living(axes: Axes, layers: pd.DataFrame, replicas: int, colour: str) -> None:
    living = layers.drop_duplicates("epoch")
    axes.fill_between(living.epoch, living.living, step="mid", color=colour, alpha=0.35, linewidth=0)
    axes.step(living.epoch, living.living, where="mid", color=colour)
    axes.set_ylim(0, replicas * 1.08)
    axes.set_xlim(0, max(1, int(layers.epoch.max())))
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
