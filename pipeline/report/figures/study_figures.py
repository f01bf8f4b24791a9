"""The list of a study's figures: the name, caption and drawing function of each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.diagnosis.causes import LEARNED, cause_names, outcome_colours, outcome_names, spelled
from pipeline.diagnosis.palette import BLACK, EFFECTS
from pipeline.evaluation.cells_table import ranked
from pipeline.evaluation.effects import HARMS, HELPS, REFERENCE, UNDECIDED
from pipeline.params.study_params import Cell, axes_of_lines, numeric_axis, reference_of
from pipeline.params.variant_params import shown
from pipeline.report.figures.comparison_figures import outcome_bars
from pipeline.report.figures.line_figures import learned_lines
from pipeline.report.figures.style import dress, figure, with_heading

BORN_DEAD = "born_dead"


@dataclass(frozen=True)
class StudiedCells:
    """The inputs of a study's figures.

    base: the name of the variant that the cells change.
    table: the study's table, a row for each of `cells`.
    reach: a row for each cell with a recurrent layer, see `UntrainedReach.cells`; empty if there is none.
    """

    base: str
    table: pd.DataFrame
    cells: Sequence[Cell]
    reach: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class StudyFigure:
    """A figure of a study.

    name: the name of its file.
    caption: a description for readers who cannot see the figure.
    draw: returns the figure, or None if it does not apply."""

    name: str
    caption: str
    draw: Callable[[StudiedCells], Figure | None]


def figures(studied: StudiedCells) -> Iterator[tuple[str, Figure]]:
    """Yield the name of every figure that applies, and the figure."""
    for entry in FIGURES:
        drawing = entry.draw(studied)
        if drawing is not None:
            yield entry.name, drawing


def captions() -> dict[str, str]:
    """Return the caption of each figure by name, in the page's order."""
    return {entry.name: entry.caption for entry in FIGURES}


def _along(studied: StudiedCells) -> Figure | None:
    """Return the outcomes along the axis of a study's grid; None unless the grid has exactly one axis of numbers."""
    cells, axis = studied.cells, numeric_axis(studied.cells)
    if axis is None:
        return None
    rows = sorted((row for row, cell in enumerate(cells) if cell.place), key=lambda row: cells[row].place[axis])
    values = [cells[row].place[axis] for row in rows]
    return learned_along(studied.table.iloc[rows], values, axis, f"{studied.base}: outcomes of its replicas")


def _lines(studied: StudiedCells) -> Figure | None:
    """Return the learned shares along the grid's axis of numbers; None unless the grid has one more axis.

    If there are recurrent layers, the untrained gradient's reach is beside them.
    """
    axes = axes_of_lines(studied.cells)
    if axes is None:
        return None
    numbers, other = axes
    table = studied.table.assign(
        along=[cell.place.get(numbers) for cell in studied.cells],
        line=[shown(cell.place.get(other)) for cell in studied.cells],
    )
    table = table[[bool(cell.place) for cell in studied.cells]]
    if len(studied.reach):
        table = table.merge(studied.reach.drop(columns="replicas"), on="cell", how="left", validate="one_to_one")
    reach = ", and how far back does the untrained gradient reach?" if len(studied.reach) else "?"
    return learned_lines(table, numbers, other, f"{studied.base}: how many replicas learn{reach}")


def differences(ranked: pd.DataFrame, reference: str) -> Figure:
    """Return the learned share of each cell minus the reference's, with its 95% interval.

    Args:
        ranked: the study's table, one row per cell, greatest difference first.
    """
    drawing = with_heading(figure(8.8, 1.5 + 0.34 * len(ranked)), f"What changes how often {reference} learns?")
    axes = drawing.subplots()
    for row, cell in enumerate(ranked.itertuples()):
        colour, is_reference = EFFECTS[cell.effect], cell.effect == REFERENCE
        if not is_reference:
            ends = [100 * cell.difference_low, 100 * cell.difference_high]
            axes.plot(ends, [row, row], color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot(100 * cell.difference, row, "D" if is_reference else "o", color=colour, markersize=6)
        axes.text(1.01, row, f"{cell.learned} of {cell.replicas}", va="center", transform=axes.get_yaxis_transform())
    axes.axvline(0, color=BLACK, linewidth=0.8)
    axes.set_yticks(range(len(ranked)), ranked.cell)
    axes.invert_yaxis()
    dress(axes, "difference of learned shares (points), 95% interval", "")
    for effect in (HELPS, UNDECIDED, HARMS):
        axes.plot([], [], color=EFFECTS[effect], linewidth=2.2, label=effect)
    drawing.legend(*axes.get_legend_handles_labels(), fontsize=9, loc="outside lower center", ncols=3, frameon=False)
    return drawing


def learned_along(cells: pd.DataFrame, values: Sequence[float], axis: str, title: str) -> Figure:
    """Return the stacked shares of all outcomes along one axis of a grid, and the learned share with its interval.

    Args:
        cells: the study's table, with its rows in the order of `values`.
        values: the parameter's value of each cell.
        axis: the parameter's name.
    """
    drawing = with_heading(figure(8.8, 4.8), title)
    axes = drawing.subplots()
    # The area of born_dead is on top, so that its lower edge can be compared with the bound from theory.
    causes = sorted(cause_names(), key=lambda cause: cause == BORN_DEAD)
    shares = {LEARNED: cells.learned_rate, **{cause: cells[cause] / cells.replicas for cause in causes}}
    present = {outcome: 100 * share.to_numpy(float) for outcome, share in shares.items() if share.any()}
    colours = outcome_colours()
    axes.stackplot(
        values,
        *present.values(),
        colors=[colours[outcome] for outcome in present],
        labels=[spelled(outcome) for outcome in present],
        alpha=0.55,
        linewidth=0,
    )
    rate, low, high = (100 * cells[name].to_numpy(float) for name in ("learned_rate", "learned_low", "learned_high"))
    ends = [rate - low, high - rate]
    axes.errorbar(
        values, rate, yerr=ends, color=BLACK, fmt="o-", markersize=4, capsize=3, label="learned, 95% interval"
    )
    if cells.alive_bound.notna().all():
        bound = 100 * cells.alive_bound.to_numpy(float)
        axes.plot(
            values, bound, color=BLACK, linestyle=":", linewidth=1.6, label="theory: born dead only above this line"
        )
    margin = 0.02 * (max(values) - min(values))
    axes.set_xlim(min(values) - margin, max(values) + margin)
    axes.set_ylim(0, 100)
    if np.allclose(values, np.round(values)):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    dress(axes, axis, "replicas (%)")
    drawing.legend(*axes.get_legend_handles_labels(), fontsize=9, loc="outside lower center", ncols=4, frameon=False)
    return drawing


# In the order of the page.
FIGURES: tuple[StudyFigure, ...] = (
    StudyFigure(
        "along",
        "Areas: the share of replicas that learned, with its interval, and of each cause, along the grid",
        _along,
    ),
    StudyFigure(
        "lines",
        "Lines: the share of replicas that learned, with its interval, along the grid's numbers, for each value of its "
        "other parameter; beside it, for recurrent layers, how many of the last steps the untrained gradient reaches",
        _lines,
    ),
    StudyFigure(
        "differences",
        "A row for each cell: the difference of its learned share from the reference's, with its interval",
        lambda studied: differences(ranked(studied.table), reference_of(studied.cells).name),
    ),
    StudyFigure(
        "outcomes",
        "Bars: for each cell the share of replicas that learned and of each cause",
        lambda studied: outcome_bars(
            studied.table.rename(columns={"cell": "variant"}),
            {row["cell"]: {each: row[each] for each in outcome_names()} for row in studied.table.to_dict("records")},
        ),
    ),
)
