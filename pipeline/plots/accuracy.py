"""Accuracy over the epochs."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pipeline.plots.style import BLACK, BLUE, ORANGE, dress, figure, headed


def accuracy_over_epochs(history: xr.Dataset, title: str, threshold: float) -> Figure:
    """Train and test accuracy: every replica faint, the median over replicas bold, the threshold of learning dashed."""
    drawn = headed(figure(9.6, 4.6), title)
    epochs = history.epoch.values
    count = history.sizes["replica"]
    for axes, part, colour in zip(drawn.subplots(1, 2, sharey=True), ("train", "test"), (BLUE, ORANGE), strict=True):
        values = history[f"{part}_accuracy"].values
        axes.plot(epochs, values.T, color=colour, alpha=max(0.08, min(0.5, 9 / count)), linewidth=0.7)
        axes.plot([], [], color=colour, alpha=0.8, linewidth=0.9, label="a replica")
        axes.plot(epochs, np.median(values, axis=0), color=BLACK, linewidth=2.2, label=f"median of {count}")
        axes.axhline(threshold, color=BLACK, linestyle="--", linewidth=1, label=f"learned: above {threshold:g}")
        axes.set_ylim(min(0.4, float(values.min())), 1.0)
        axes.set_xlim(0, max(1, epochs[-1]))
        label = "accuracy (share correct)" if part == "train" else ""
        dress(axes, "epoch", label, f"{part} set")
    drawn.legend(*axes.get_legend_handles_labels(), fontsize=9, loc="outside lower right", ncols=3, frameon=False)
    return drawn
