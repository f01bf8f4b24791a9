"""Make the cells that a diagnosis suggests for a study.

Each remedy against a cause of the base's failures becomes a cell, the most frequent cause first. If no cell makes most
replicas learn, the most promising cell gets one more remedy.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.diagnosis.causes import LEARNED, NO_CAUSE, network_remedies, suggest
from pipeline.evaluation.tried import DATA, TRAINING
from pipeline.foundations.errors import UserError
from pipeline.params.file import Plain
from pipeline.params.study_params import Cell, suggested
from pipeline.params.variant_params import VariantParams, merge, nested
from pipeline.remedies import combined
from pipeline.remedies.remedy_registry import REMEDIES, scaled_epochs

NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.,=+ -]")
LONGEST = 100  # the most letters of a cell's name
Changes = dict[str, Plain]  # the parameters that a cell changes, and their values


@dataclass(frozen=True)
class Suggestions:
    """The suggested cells.

    cells: the changes of each suggested cell, by cell name.
    not_tried: the reason why a remedy became no cell, by the name that the cell would have.
    """

    cells: Mapping[str, Changes]
    not_tried: Mapping[str, str]


def with_suggestions(
    study: str,
    base: Cell,
    judged: Callable[[Sequence[Cell]], list[pd.DataFrame]],
    expect_trainable: Callable[[Cell], None],
) -> tuple[list[Cell], dict[str, str]]:
    """Return the base with all suggested cells, and the reason for each remedy that became no cell.

    Args:
        study: the study's name.
        base: the cell that changes nothing.
        judged: trains cells; returns the table of replicas of each cell.
        expect_trainable: raises UserError for a cell that cannot be trained.
    """
    cells = [base]
    not_tried: dict[str, str] = {}
    best, (replicas,) = base, judged([base])
    for _ in range(combined.ROUNDS):
        suggestion = suggestions(best, replicas, cells)
        not_tried |= suggestion.not_tried
        newest = []
        for cell in suggested(cells, suggestion.cells, study):
            try:
                expect_trainable(cell)
                newest.append(cell)
            except UserError as error:
                not_tried[cell.name] = str(error)
        if not newest:
            break
        cells += newest
        tables = judged(newest)
        place = combined.to_follow(causes_of(replicas), [result(each) for each in tables])
        if place is None:
            break
        best, replicas = newest[place], tables[place]
    return cells, not_tried


def suggestions(cell: Cell, replicas: pd.DataFrame, tried: Sequence[Cell] = ()) -> Suggestions:
    """Return the suggested cells against the causes of a cell's replicas.

    Args:
        cell: the base, or the cell that gets one more remedy.
        replicas: the table of the cell's replicas, with a column `cause`.
        tried: all cells so far.
    """
    causes = causes_of(replicas)
    if isinstance(cell.variant, VariantParams):
        remedies = _of_variant(cell.variant, cell.training.epochs, causes)
    else:
        remedies = _of_network(cell, causes, tried)
    cells: dict[str, Changes] = {}
    not_tried: dict[str, str] = {}
    for remedy, changes in remedies:
        name = f"{cell.name}{combined.AND}{remedy}" if cell.changes else remedy
        if changes is None:
            not_tried[name] = "it changes the data, and every cell of a study has the same data"
            continue
        all_changes = merge(cell.changes, changes)
        if all_changes not in cells.values():
            cells[name] = all_changes
    return Suggestions(cells, not_tried)


def causes_of(replicas: pd.DataFrame) -> list[str]:
    """Return the causes of the replicas that did not learn, most frequent first."""
    return [str(cause) for cause in replicas.cause[replicas.cause != NO_CAUSE].value_counts().index]


def result(replicas: pd.DataFrame) -> combined.Result:
    """Return how many replicas of a cell learned, and the most frequent cause of the others."""
    return combined.Result(
        int((replicas.outcome == LEARNED).sum()), len(replicas), next(iter(causes_of(replicas)), None)
    )


def _of_variant(variant: VariantParams, epochs: int, causes: Sequence[str]) -> Iterator[tuple[str, Changes | None]]:
    """Yield the name of each remedy and its changes; None for a remedy that changes the data."""
    for remedy in (each for cause in causes for each in suggest(cause, variant, epochs)):
        name = NOT_IN_A_NAME.sub("", remedy.changes.replace(": ", "="))[:LONGEST]
        if any(dotted.startswith(DATA) for dotted in remedy.overrides):
            yield name, None
            continue
        changes: Changes = {}
        for dotted, value in remedy.overrides.items():
            changes = merge(changes, nested(dotted.removeprefix(TRAINING), value))
        yield name, changes


def _of_network(cell: Cell, causes: Sequence[str], tried: Sequence[Cell]) -> Iterator[tuple[str, Changes | None]]:
    done = _remedies(cell)
    for remedies in combined.further(done, network_remedies(*causes), [_remedies(each) for each in tried]):
        remedy = remedies[-1]
        factor = REMEDIES[remedy].epochs
        if factor != 1:
            yield remedy, {"epochs": scaled_epochs(cell.training.epochs, factor)}
        else:
            yield remedy, {"remedy": [each for each in remedies if REMEDIES[each].epochs == 1]}


def _remedies(cell: Cell) -> combined.Remedies:
    """Return a cell's remedies, from its name, because its recipe does not show remedies that change the epochs."""
    return tuple(cell.name.split(combined.AND)) if cell.changes else ()
