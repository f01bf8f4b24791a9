"""The common style of all figures: text of at least 8 pt, and no global state."""

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from pipeline.foundations.palette import PROBABILITIES

PROBABILITY = LinearSegmentedColormap.from_list("probability", PROBABILITIES)
# One scale of mean |gradient| for all heat maps, so that any two can be compared.
GRADIENT_RANGE = (1e-7, 1.0)
PERCENTILES = (10, 50, 90)  # of the final score: the replicas at these percentiles represent a variant in a figure
LONGEST = 20  # letters of a name from the data; longer names would leave no room for the panel


def short(name: str, longest: int = LONGEST) -> str:
    """Return the name, shortened in its middle: long names often differ at their ends."""
    half = longest // 2
    return name if len(name) <= longest else f"{name[:half]}…{name[1 - half :]}"


def in_figure(text: str) -> str:
    """Return text that matplotlib draws literally: `$` begins no formula, and a legend shows a leading `_`."""
    escaped = text.replace("$", r"\$")
    return f"\u200b{escaped}" if escaped.startswith("_") else escaped


def figure(width: float, height: float) -> Figure:
    """Return an empty figure of width x height inches, laid out so that no label is cut."""
    return Figure(figsize=(width, height), layout="constrained", dpi=120)


def headed(drawn: Figure, title: str) -> Figure:
    """Put a title over the whole figure, at the left."""
    drawn.suptitle(in_figure(title), fontsize=12, x=0.01, ha="left")
    return drawn


def dress(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Label the axes with literal text, draw a thin grid, and remove the box."""
    axes.set_xlabel(in_figure(x), fontsize=10)
    axes.set_ylabel(in_figure(y), fontsize=10)
    axes.set_title(in_figure(title), fontsize=11, loc="left")
    axes.tick_params(labelsize=9)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
