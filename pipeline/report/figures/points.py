"""The data, seen."""

from matplotlib.figure import Figure

from pipeline.data.samples import Data
from pipeline.foundations.colours import CLASSES
from pipeline.report.figures.style import dress, figure


def scatter(data: Data) -> Figure:
    """Both inputs of every point, one colour and marker per class."""
    drawn = figure(4.6, 4.3)
    axes = drawn.subplots()
    samples = data.samples
    for label, (colour, name, marker) in enumerate(zip(CLASSES, data.task.names, "o^", strict=True)):
        rows = samples.inputs[samples.targets == label]
        axes.scatter(rows[:, 0], rows[:, 1], s=14, c=colour, marker=marker, alpha=0.8, linewidths=0, label=name)
    axes.set_aspect("equal")
    first, second = data.names
    dress(axes, f"input {first}", f"input {second}", f"{len(samples)} points, before scaling")
    axes.legend(title="class", fontsize=9, title_fontsize=9, loc="center")
    return drawn
