"""Write the section of a study's page on recurrent layers: the untrained gradient's reach, and what it predicts."""

from collections.abc import Hashable, Iterator, Mapping

import pandas as pd

from pipeline.evaluation.untrained_reach import UntrainedReach
from pipeline.report.pages.document import Block, Section, Table, Text

ON_REACH = (
    "Before the first update, how many of the last time steps get at least 0.1% of the greatest gradient? Median and "
    "quartiles over replicas. Steps before them teach the network next to nothing until training changes this. Powers "
    "of ten: how much the gradient falls on its way back, in the median; a negative number means that it grows."
)
ON_ASSOCIATION = (
    "Does the untrained gradient predict who learns? Spearman's rank correlation over replicas of two numbers: the "
    "share of the gradient that is left at the first step before training, and the final score. 1: the replicas with "
    "more gradient left all end higher; 0: no association; an interval without 0 is one that chance hardly gives. "
    "*Within cells* compares only replicas of the same cell, which differ by their seeds alone. *Over all* also "
    "compares cells, so a third thing, such as the length of the sequences, may cause it."
)


def reach_section(reach: UntrainedReach, cells: pd.DataFrame) -> Iterator[Section]:
    """Yield the section; nothing without a recurrent layer.

    Args:
        cells: the study's table.
    """
    if len(reach.cells):
        yield Section("How far back does the gradient reach?", list(_blocks(reach, cells)))


def _blocks(reach: UntrainedReach, cells: pd.DataFrame) -> Iterator[Block]:
    table = reach.cells.merge(cells[["cell", "learned"]], on="cell", validate="one_to_one")
    yield Text(ON_REACH)
    yield Table(
        ["cell", "steps reached", "quartiles", "of all steps", "powers of ten", "learned"],
        [
            [
                f"`{row['cell']}`",
                f"{row['reach_median']:.0f}",
                f"{row['reach_q25']:.0f} to {row['reach_q75']:.0f}",
                f"{row['steps']}",
                f"{row['decades_median']:.1f}",
                f"{row['learned']} of {row['replicas']}",
            ]
            for row in table.to_dict("records")
        ],
    )
    yield Text(ON_ASSOCIATION)
    yield Table(
        ["replicas of", "count", "within cells", "95% interval", "over all", "95% interval"],
        [
            [str(row["line"]), f"{row['replicas']}", *_shown(row, "within"), *_shown(row, "overall")]
            for row in reach.associations.to_dict("records")
        ],
    )
    yield Text(
        "Without a number: fewer than four replicas, or all of them have the same score or the same gradient. "
        "Intervals: the bootstrap over replicas."
    )


def _shown(row: Mapping[Hashable, float], kind: str) -> tuple[str, str]:
    value, low, high = (row[f"{kind}_{part}"] for part in ("value", "low", "high"))
    return ("", "") if pd.isna(value) else (f"{value:+.2f}", f"{low:+.2f} to {high:+.2f}")
