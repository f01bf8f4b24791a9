"""Figures of the predictions of single replicas on the test set: confusion matrices, or predicted and true targets."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from pipeline.data.split.samples import Origin
from pipeline.diagnosis.palette import BLACK, BLUE, GREY
from pipeline.history.thinning import evenly_spaced
from pipeline.report.figures.style import PERCENTILES, colour_bar, dress, figure, in_figure, short, with_heading

MOST_NUMBERED = 10  # classes; with more, a confusion matrix has no room for numbers
MOST_POINTS = 3000  # points that a reader can distinguish


class Predicted(NamedTuple):
    """The predictions on the test set of the replicas at PERCENTILES of the final score.

    numbers: the number of each replica.
    scores: the final score of each replica.
    predictions: [replica, sample, output].
    targets: labels [sample], or scaled values [sample, target].
    """

    numbers: Sequence[int]
    scores: Sequence[float]
    predictions: np.ndarray
    targets: np.ndarray


def test_predictions(predicted: Predicted, origin: Origin, title: str) -> Figure:
    """Return a panel for each replica: a confusion matrix, or predicted against true targets."""
    longest = max(map(len, map(short, origin.task.names))) if origin.task.is_classification else 0
    height = 4.4 + 0.08 * max(0, longest - 10)  # inches; long names below a matrix are rotated
    drawing = with_heading(figure(3.5 * len(predicted.numbers) + 0.8, height), title)
    panels = drawing.subplots(1, len(predicted.numbers), sharey=True, squeeze=False)[0]
    for position, axes in enumerate(panels):
        score, number = predicted.scores[position], predicted.numbers[position]
        label = f"{PERCENTILES[position]}th percentile, {score:.2f}\n(replica {number})"
        if origin.task.is_classification:
            image = _confusion(axes, predicted, position, origin)
            dress(axes, "predicted class", "true class" if position == 0 else "", label)
            axes.grid(visible=False)
        else:
            _against_true(axes, predicted, position, origin)
            name = short(origin.task.names[0])
            dress(axes, f"true {name}", f"predicted {name}" if position == 0 else "", label)
    if origin.task.is_classification:
        colour_bar(drawing, image, list(panels), "share of the true class (%)")
    return drawing


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return counts [true class, predicted class]."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def _confusion(axes: Axes, predicted: Predicted, position: int, origin: Origin) -> AxesImage:
    names = origin.task.names
    counts = confusion(predicted.targets, origin.task.predicted_labels(predicted.predictions[position]), len(names))
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    if len(names) <= MOST_NUMBERED:
        for row, column in np.ndindex(counts.shape):
            if counts[row, column]:
                colour = "white" if shares[row, column] > 55 else BLACK
                size = 9 if len(names) <= 5 else 8
                axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=size, color=colour)
        labels = [in_figure(short(name)) for name in names]
        axes.set_xticks(range(len(names)), labels, rotation=45 if max(map(len, names)) > 2 else 0)
        axes.set_yticks(range(len(names)), labels)
    return image


def _against_true(axes: Axes, predicted: Predicted, position: int, origin: Origin) -> None:
    scaling = origin.targets[0]
    true, predictions = (
        (values - scaling.offset) / scaling.factor
        for values in (predicted.targets[:, 0], predicted.predictions[position, :, 0])
    )
    rows = evenly_spaced(np.arange(len(true)), MOST_POINTS)
    axes.scatter(true[rows], predictions[rows], s=8, color=BLUE, alpha=0.5, linewidths=0)
    ends = [float(true.min()), float(true.max())]
    axes.plot(ends, ends, color=GREY, linewidth=1, linestyle="--")
