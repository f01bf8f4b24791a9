"""Figures of weights by layer and epoch: the tutorial's third extension."""

from collections.abc import Mapping

import matplotlib
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from pipeline.report.figures.gradient_figures import LAYERS
from pipeline.report.figures.style import colour_bar, dress, figure, with_heading

PANELS = {
    "weight_l1": "L1 norm of the kernel\n(sum of |weights|; no unit)",
    "weight_change_l1": "L1 norm of its change\nin an epoch (log; no unit)",
}
COLOUR_SHARE = 0.85  # the part of the colour map that is used; its last colours are too pale for a line


def growth(layers: pd.DataFrame) -> str:
    """Return a sentence: how much the L1 norm of all kernels changes during training, and which layer changes most.

    Norms are medians over living replicas.

    Args:
        layers: the evaluation's table, one row per recorded epoch and layer.
    """
    ends = layers.epoch.min(), layers.epoch.max()
    first, last = (layers[layers.epoch == epoch].set_index("layer").weight_l1_median for epoch in ends)
    if ends[1] == 0:
        return "not trained"
    if first.isna().any() or last.isna().any():
        return "no replica is living from start to end"
    total, by_layer = last.sum() / first.sum() - 1, last / first - 1
    layer = by_layer.abs().idxmax()
    largest_change = f"layer {layer} changes most ({100 * by_layer[layer]:+.0f}%)"
    return f"the weights' L1 norm {_change_in_words(total)} over the training; {largest_change}"


def weight_norms(layers: Mapping[str, pd.DataFrame]) -> Figure:
    """Return a figure of each kernel's L1 norm, and of the L1 norm of its change in each epoch.

    There is a column per variant. Each layer has a line, the median over living replicas.

    Args:
        layers: the evaluation's table of each variant.
    """
    drawing = with_heading(figure(9.4, 6.0), "\n".join(f"{name}: {growth(table)}" for name, table in layers.items()))
    deepest = max(int(table.layer.max()) for table in layers.values())
    colours = ListedColormap(
        matplotlib.colormaps["plasma"]([COLOUR_SHARE * k / max(1, deepest - 1) for k in range(deepest)])
    )
    panels = drawing.subplots(len(PANELS), len(layers), sharex=True, sharey="row", squeeze=False)
    for column, (name, table) in enumerate(layers.items()):
        for axes, (value, label) in zip(panels[:, column], PANELS.items(), strict=True):
            for layer, rows in table.groupby("layer"):
                positive = rows[rows[f"{value}_median"] > 0]
                axes.plot(positive.epoch, positive[f"{value}_median"], color=colours(int(layer) - 1), linewidth=1.4)
            if value == "weight_change_l1":
                axes.set_yscale("log")
            axes.set_xlim(0, max(1, int(table.epoch.max())))
            is_lowest = value == list(PANELS)[-1]
            dress(axes, "epoch" if is_lowest else "", "" if column else label, "" if is_lowest else name)
    norm = BoundaryNorm([0.5 + layer for layer in range(deepest + 1)], deepest)
    bar = colour_bar(drawing, ScalarMappable(norm, colours), list(panels.flat), LAYERS, ticks=range(1, deepest + 1))
    bar.ax.tick_params(length=0)
    return drawing


def _change_in_words(change: float) -> str:
    percent = round(100 * abs(change))
    return f"{'grows' if change > 0 else 'shrinks'} by {percent}%" if percent else "changes by less than 1%"
