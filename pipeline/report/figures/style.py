"""One look for all figures: text of at least 8 pt, no global state."""

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

# From class 0 through "cannot say" to class 1: the classes' colours, paled so that points stand out.
PROBABILITY = LinearSegmentedColormap.from_list("probability", ["#6FA9D2", "#F7F7F7", "#F2C14E"])
# One scale of mean |gradient| for every heat map, so that any two of them can be laid side by side.
GRADIENT_RANGE = (1e-7, 1.0)


def figure(width: float, height: float) -> Figure:
    """An empty figure of width x height inches, laid out so that no label is cut."""
    return Figure(figsize=(width, height), layout="constrained", dpi=120)


def headed(drawn: Figure, title: str) -> Figure:
    """A title over the whole figure, at the left."""
    drawn.suptitle(title, fontsize=12, x=0.01, ha="left")
    return drawn


def dress(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Label the axes; thin grid, no box."""
    axes.set_xlabel(x, fontsize=10)
    axes.set_ylabel(y, fontsize=10)
    axes.set_title(title, fontsize=11, loc="left")
    axes.tick_params(labelsize=9)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
