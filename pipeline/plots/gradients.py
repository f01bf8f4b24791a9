"""Gradients by layer and epoch."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.plots.style import BLUE, dress, figure, headed


def gradient_by_layer_and_epoch(layers: pd.DataFrame, replicas: int, title: str) -> Figure:
    """Median mean |g| of each layer's kernel over the living replicas, on a log colour scale; their number below.

    Grey: no replica is living there, or every gradient is exactly zero.

    Args:
        layers: the evaluation's table, a row a recorded epoch and layer.
    """
    drawn = headed(figure(8.2, 4.8), title)
    upper, lower = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    trained = layers[layers.epoch > 0]
    _heat_map(drawn, upper, trained)
    living = layers.drop_duplicates("epoch")
    lower.fill_between(living.epoch, living.living, step="mid", color=BLUE, alpha=0.35, linewidth=0)
    lower.step(living.epoch, living.living, where="mid", color=BLUE)
    lower.set_ylim(0, replicas * 1.08)
    lower.set_xlim(0, max(1, int(layers.epoch.max())))
    lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    dress(lower, "epoch", "living\nreplicas", f"replicas without a dead layer, of {replicas}")
    return drawn


def _heat_map(drawn: Figure, axes: Axes, trained: pd.DataFrame) -> None:
    dress(axes, "", "layer (1 = first, last = output)", "mean |gradient| of the kernel, median over living replicas")
    axes.grid(visible=False)
    axes.set_facecolor("#BBBBBB")
    table = trained.pivot(index="layer", columns="epoch", values="gradient_mean_abs_median")
    values = np.ma.masked_invalid(np.ma.masked_less_equal(table.to_numpy(float), 0))
    if values.count() == 0:
        axes.text(0.5, 0.5, "no gradient was recorded", ha="center", va="center", transform=axes.transAxes)
        return
    norm = LogNorm(float(values.min()), max(float(values.max()), float(values.min()) * 1.01))
    epochs = np.asarray(table.columns, float)
    middles = (epochs[1:] + epochs[:-1]) / 2
    edges = np.concatenate([[min(0, epochs[0] - 1)], middles, [epochs[-1]]])
    rows = np.arange(0.5, len(table) + 1)
    mesh = axes.pcolormesh(edges, rows, values, norm=norm, cmap="viridis", rasterized=True)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.invert_yaxis()
    bar = drawn.colorbar(mesh, ax=axes, pad=0.01)
    bar.set_label("mean |gradient| (log)", fontsize=9)
    bar.ax.tick_params(labelsize=9)
