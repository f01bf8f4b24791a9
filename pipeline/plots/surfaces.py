"""Decision surfaces: what a network has made of the plane."""

from collections.abc import Sequence

import xarray as xr
from matplotlib.figure import Figure

from pipeline.data.points import Points
from pipeline.plots.style import BLACK, CLASS_COLOURS, PROBABILITY, dress, figure, headed

PERCENTILES = (10, 50, 90)


def decision_surfaces(
    predictions: xr.Dataset, positions: Sequence[int], labels: Sequence[str], test: Points, title: str
) -> Figure:
    """The predicted probability over the plane for some replicas, with the test points; black: where it is one half.

    Args:
        predictions: with `surface` over (replica, x2, x1).
        positions: of the replicas along the replica axis.
        labels: a title for each.
    """
    drawn = headed(figure(3.4 * len(positions) + 0.8, 4.6), title)
    panels = drawn.subplots(1, len(positions), sharey=True, squeeze=False)[0]
    x1, x2 = predictions.x1.values, predictions.x2.values
    for axes, position, label in zip(panels, positions, labels, strict=True):
        surface = predictions.surface.isel(replica=position).values
        image = axes.pcolormesh(x1, x2, surface, cmap=PROBABILITY, vmin=0, vmax=1, shading="nearest", rasterized=True)
        if surface.min() < 0.5 < surface.max():
            axes.contour(x1, x2, surface, levels=[0.5], colors=BLACK, linewidths=1.4)
        for value, marker in ((0, "o"), (1, "^")):
            rows = test.inputs[test.labels == value]
            colour = CLASS_COLOURS[value]
            axes.scatter(
                *rows.T, s=11, c=colour, marker=marker, edgecolors=BLACK, linewidths=0.3, label=f"class {value}"
            )
        dress(axes, "x1 (scaled)", "x2 (scaled)" if axes is panels[0] else "", label)
        axes.grid(visible=False)
        axes.set_aspect("equal")
    panels[0].legend(fontsize=9, loc="center", framealpha=0.9)
    bar = drawn.colorbar(image, ax=list(panels), pad=0.01)
    bar.set_label("predicted probability of class 1", fontsize=9)
    bar.ax.tick_params(labelsize=9)
    return drawn
