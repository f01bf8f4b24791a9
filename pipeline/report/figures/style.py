"""The common style of all figures: text of at least 8 pt, and no change of matplotlib's global settings."""

from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from pipeline.diagnosis.palette import PROBABILITIES

PROBABILITY = LinearSegmentedColormap.from_list("probability", PROBABILITIES)
# The scale of mean |gradient|, one for all heat maps, so that any two can be compared.
GRADIENT_RANGE = (1e-7, 1.0)
PERCENTILES = (10, 50, 90)  # of the final score; some figures show only the replicas at these percentiles
LONGEST = 20  # letters of a name from the data; longer names would leave no room for the panel


def short(name: str, longest: int = LONGEST) -> str:
    """Return the name, shortened in its middle, because long names often differ at their ends."""
    half = longest // 2
    return name if len(name) <= longest else f"{name[:half]}…{name[1 - half :]}"


def in_figure(text: str) -> str:
    """Return text that matplotlib draws as it is: `$` begins no formula, and a legend shows a leading `_`."""
    escaped = text.replace("$", r"\$")
    return f"\u200b{escaped}" if escaped.startswith("_") else escaped


def figure(width: float, height: float) -> Figure:
    """Return an empty figure of width x height inches, with a layout that cuts off no label."""
    return Figure(figsize=(width, height), layout="constrained", dpi=120)


def with_heading(drawing: Figure, title: str) -> Figure:
    """Put a title over the whole figure, at the left."""
    drawing.suptitle(in_figure(title), fontsize=12, x=0.01, ha="left")
    return drawing


def colour_bar(
    drawing: Figure,
    image: ScalarMappable,
    panels: Sequence[Axes],
    label: str,
    ticks: Sequence[float] | None = None,
    extend: Literal["neither", "both"] = "neither",
) -> Colorbar:
    """Draw a colour bar beside the panels, and return it.

    Args:
        extend: at which ends an arrow shows that the colours also stand for values beyond the bar.
    """
    bar = drawing.colorbar(image, ax=panels, pad=0.01, ticks=ticks, extend=extend)
    bar.set_label(in_figure(label), fontsize=9)
    bar.ax.tick_params(labelsize=9)
    return bar


def dress(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Label the axes with literal text, draw a thin grid, and remove the box."""
    axes.set_xlabel(in_figure(x), fontsize=10)
    axes.set_ylabel(in_figure(y), fontsize=10)
    axes.set_title(in_figure(title), fontsize=11, loc="left")
    axes.tick_params(labelsize=9)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
