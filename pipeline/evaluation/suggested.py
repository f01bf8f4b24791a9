"""What the diagnosis of a study's cells suggests, as further cells: the remedies of every cause that its base has, most
replicas first; and where none of them makes most replicas learn, the most promising cell with one more.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.diagnosis.causes import LEARNED, NO_CAUSE, network_remedies, suggest
from pipeline.evaluation.tried import DATA, TRAINING
from pipeline.params.study_params import Cell
from pipeline.params.variant_params import VariantParams, merge, nested
from pipeline.remedies import combined
from pipeline.remedies.registry import REMEDIES, scaled_epochs

NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.,=+ -]")
LONGEST = 100


@dataclass(frozen=True)
class Suggestions:
    """cells: what each changes of the base, by its name. not_tried: why something is no cell, by what it is."""

    cells: Mapping[str, dict[str, Any]]
    not_tried: Mapping[str, str]


def suggestions(cell: Cell, replicas: pd.DataFrame, tried: Sequence[Cell] = ()) -> Suggestions:
    """For the replicas of a cell that did not learn.

    Args:
        cell: the base, or what remedies are added to. replicas: its own, with a column `cause`. tried: all cells, till
            now.
    """
    causes = causes_of(replicas)
    if isinstance(cell.variant, VariantParams):
        found = _of_variant(cell.variant, cell.training.epochs, causes)
    else:
        found = _of_network(cell, causes, tried)
    cells: dict[str, dict[str, Any]] = {}
    not_tried: dict[str, str] = {}
    for remedy, changes in found:
        name = f"{cell.name}{combined.AND}{remedy}" if cell.changes else remedy
        if changes is None:
            not_tried[name] = "every cell has the data of its base"
            continue
        whole = merge(cell.changes, changes)
        if whole not in cells.values():
            cells[name] = whole
    return Suggestions(cells, not_tried)


def causes_of(replicas: pd.DataFrame) -> list[str]:
    """Of those that did not learn, the most frequent first."""
    return [str(cause) for cause in replicas.cause[replicas.cause != NO_CAUSE].value_counts().index]


def result(replicas: pd.DataFrame) -> combined.Result:
    """What came of a cell."""
    return combined.Result(
        int((replicas.outcome == LEARNED).sum()), len(replicas), next(iter(causes_of(replicas)), None)
    )


def _of_variant(
    variant: VariantParams, epochs: int, causes: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    for remedy in (each for cause in causes for each in suggest(cause, variant, epochs)):
        name = NOT_IN_A_NAME.sub("", remedy.changes.replace(": ", "="))[:LONGEST]
        if any(dotted.startswith(DATA) for dotted in remedy.overrides):
            yield name, None
            continue
        changes: dict[str, Any] = {}
        for dotted, value in remedy.overrides.items():
            changes = merge(changes, nested(dotted.removeprefix(TRAINING), value))
        yield name, changes


def _of_network(
    cell: Cell, causes: Sequence[str], tried: Sequence[Cell]
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    done = _remedies(cell)
    for remedies in combined.further(done, network_remedies(*causes), [_remedies(each) for each in tried]):
        remedy = remedies[-1]
        factor = REMEDIES[remedy].epochs
        if factor != 1:
            yield remedy, {"epochs": scaled_epochs(cell.training.epochs, factor)}
        else:
            yield remedy, {"remedy": [each for each in remedies if REMEDIES[each].epochs == 1]}


def _remedies(cell: Cell) -> combined.Remedies:
    """As its name has them: the recipe does not tell of those that change the epochs."""
    return tuple(cell.name.split(combined.AND)) if cell.changes else ()
