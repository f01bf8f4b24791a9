"""The data, seen."""

from matplotlib.figure import Figure

from pipeline.data.points import Points
from pipeline.foundations.colours import CLASSES
from pipeline.report.figures.style import CLASS_NAMES, dress, figure


def scatter(points: Points) -> Figure:
    """Both inputs of every point, one colour and marker a class."""
    drawn = figure(4.6, 4.3)
    axes = drawn.subplots()
    for label, (colour, name, marker) in enumerate(zip(CLASSES, CLASS_NAMES, "o^", strict=True)):
        rows = points.inputs[points.labels == label]
        axes.scatter(rows[:, 0], rows[:, 1], s=14, c=colour, marker=marker, alpha=0.8, linewidths=0, label=name)
    axes.set_aspect("equal")
    dress(axes, "input x1", "input x2", f"{len(points)} points, before scaling")
    axes.legend(title="class", fontsize=9, title_fontsize=9, loc="center")
    return drawn
