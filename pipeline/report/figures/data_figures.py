"""A figure of the data: the rows by two inputs, or by their first two principal components."""

from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.data.split.samples import Origin, RawData, Split
from pipeline.diagnosis.palette import BLUE, CLASSES, GREY, VARIANTS
from pipeline.history.thinning import evenly_spaced
from pipeline.report.figures.style import colour_bar, dress, figure, in_figure, short

MARKERS = "o^sDvP*Xp"
MOST_POINTS = 5000  # points that a reader can distinguish; of more rows, evenly spaced ones are drawn
MOST_CLASSES = 10  # classes that the legend lists, each with a colour of its own
MOST_NAMES = 40  # names of classes that fit below the bars
CROWDED = 2000  # points; with more, all are drawn smaller and paler


def picture(raw: RawData, split: Split, origin: Origin) -> Figure:
    """Return a figure with a point for each row, coloured by class or target.

    Beside it is a histogram of the target, unless the rows are points of a plane in two classes.
    """
    if is_plane(raw) and raw.task.kind == "binary":
        drawing = figure(4.6, 4.3)
        axes = drawing.subplots()
    else:
        drawing = figure(9.2, 4.3)
        axes, right = drawing.subplots(1, 2)
        _targets(right, raw)
    rows = evenly_spaced(np.arange(len(raw)), MOST_POINTS)
    if is_plane(raw):
        places, targets, names = (
            np.asarray(raw.features)[rows],
            raw.targets[rows],
            [f"input {short(name)}" for name in raw.kinds],
        )
    else:
        places, names = _components(np.concatenate([part.inputs for part in split.parts.values()])[rows])
        # The targets of the parts are in the order of the inputs. The raw targets are not: the split may shuffle rows.
        targets = _raw_targets(np.concatenate([part.targets for part in split.parts.values()])[rows], origin)
    if split.inputs == 1:
        places, names = _against_target(places[:, 0], targets, raw), [names[0], short(raw.target_names[0])]
    _scatter(drawing, axes, places, targets, raw)
    count = f"{len(raw):,} rows" if len(rows) == len(raw) else f"{len(rows):,} of {len(raw):,} rows"
    dress(axes, names[0], names[1], f"{count}, {'before scaling' if is_plane(raw) else 'scaled'}")
    if split.inputs == 1 and raw.task.is_classification and len(raw.task.names) <= MOST_CLASSES:
        axes.set_yticks(range(len(raw.task.names)), _short(raw.task.names))
    return drawing


def is_plane(raw: RawData) -> bool:
    """Return whether the rows are points of a plane, that is, two numbers each."""
    return isinstance(raw.features, pd.DataFrame) and list(raw.kinds.values()) == ["number", "number"]


def _against_target(inputs: np.ndarray, targets: np.ndarray, raw: RawData) -> np.ndarray:
    """Return points [row, 2]: the input, and the target or, for classes, a place within the band of the class."""
    if not raw.task.is_classification:
        return np.column_stack([inputs, targets[:, 0]])
    # Multiples of the golden ratio spread the points evenly over the band, in the same way in every run.
    offset = (np.arange(len(inputs)) * 0.618034) % 1 - 0.5
    return np.column_stack([inputs, targets + 0.7 * offset])


def _short(names: Sequence[str]) -> list[str]:
    return [in_figure(short(name)) for name in names]


def _raw_targets(targets: np.ndarray, origin: Origin) -> np.ndarray:
    """Return the targets before scaling."""
    if origin.task.is_classification:
        return targets
    return np.stack([(each - own.offset) / own.factor for each, own in zip(targets.T, origin.targets, strict=True)], 1)


def _components(inputs: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return the first two principal components [row, 2], and the names of the axes."""
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    centred = flat - flat.mean(axis=0)
    if centred.shape[1] == 1:
        return flat, ["input", ""]
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    shares = 100 * sizes[:2] ** 2 / max(float((sizes**2).sum()), 1e-300)
    names = [
        f"principal component {number} ({share:.0f}% of the variance)" for number, share in enumerate(shares, start=1)
    ]
    return centred @ axes[:2].T, [*names, ""][:2]


def _scatter(drawing: Figure, axes: Axes, places: np.ndarray, targets: np.ndarray, raw: RawData) -> None:
    is_crowded = len(places) > CROWDED
    size, alpha = (7, 0.5) if is_crowded else (14, 0.8)
    if not raw.task.is_classification:
        values = targets[:, 0]
        points = axes.scatter(places[:, 0], places[:, 1], s=size, c=values, cmap="viridis", alpha=alpha, linewidths=0)
        colour_bar(drawing, points, [axes], short(raw.task.names[0]))
        return
    colours = class_colours(len(raw.task.names))
    for label, name in enumerate(raw.task.names):
        own = places[targets == label]
        marker, text = MARKERS[label % len(MARKERS)], _short([name])[0]
        axes.scatter(
            own[:, 0], own[:, 1], s=size, color=colours[label], marker=marker, alpha=alpha, linewidths=0, label=text
        )
    if is_plane(raw):
        axes.set_aspect("equal", adjustable="datalim")
    if len(raw.task.names) <= MOST_CLASSES:
        fonts = {"fontsize": 9, "title_fontsize": 9}
        if is_plane(raw) and len(raw.task.names) == 2:
            legend = axes.legend(loc="best", title="class", framealpha=0.9, **fonts)
        else:  # below the panel, where it covers no points
            columns = 100 // (max(map(len, _short(raw.task.names))) + 6)
            legend = drawing.legend(loc="outside lower left", ncols=columns, title="class", framealpha=0.9, **fonts)
        for handle in filter(None, legend.legend_handles):
            handle.set(alpha=1, sizes=[25])


def class_colours(classes: int) -> list[str]:
    """Return a colour for every class; two classes have the colours of the decision surfaces."""
    if classes <= len(CLASSES):
        return list(CLASSES)
    if classes <= len(VARIANTS) + 1:
        return [*VARIANTS, GREY][:classes]
    map_ = matplotlib.colormaps["viridis"]
    return [matplotlib.colors.to_hex(map_(place / (classes - 1))) for place in range(classes)]


def _targets(axes: Axes, raw: RawData) -> None:
    if raw.task.is_classification:
        counts = np.bincount(raw.targets, minlength=len(raw.task.names))
        places = np.arange(len(counts))
        axes.bar(places, counts, color=class_colours(len(counts)))
        names = _short(raw.task.names) if len(counts) <= MOST_NAMES else []
        letters = sum(map(len, names)) + len(names)
        rotation = 90 if len(names) > MOST_CLASSES else 30 if letters > 50 else 0
        axes.set_xticks(places if names else [], names, rotation=rotation, ha="right" if rotation == 30 else "center")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        dress(axes, "class", "rows", "Rows of each class")
        return
    axes.hist(raw.targets[:, 0], bins=40, color=BLUE)
    dress(axes, short(raw.task.names[0]), "rows", "Distribution of the target, before scaling")
