"""Make the cells of a study from the remedies that a diagnosis suggests.

Each remedy against a cause of the base's failures becomes a cell, the most frequent cause first. If no cell makes most
replicas learn, further cells add one more remedy to the most promising cell.
"""

import re
from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from pipeline.diagnosis.causes import LEARNED, NO_CAUSE, network_remedies, suggest
from pipeline.evaluation.tried import DATA, TRAINING
from pipeline.foundations.errors import UserError
from pipeline.params.file import Plain
from pipeline.params.study_params import Cell, suggested
from pipeline.params.variant_params import VariantParams, merge, nested
from pipeline.remedies import combined
from pipeline.remedies.remedy import scaled_epochs
from pipeline.remedies.remedy_registry import REMEDIES

NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.,=+ -]")
LONGEST = 100  # the most letters of a cell's name
CHANGES_DATA = "it changes the data, and every cell of a study has the same data"
OWN_FIT = "it changes batches, weights of rows or when `fit` ends, and a study has its own"
Changes = dict[str, Plain]  # the parameters that a cell changes, and their values


def with_suggestions(
    study: str,
    base: Cell,
    evaluate_each: Callable[[Sequence[Cell]], list[pd.DataFrame]],
    expect_trainable: Callable[[Cell], None],
) -> tuple[list[Cell], dict[str, str]]:
    """Return the base with all suggested cells, and the reason for each remedy that became no cell.

    Args:
        study: the study's name.
        base: the cell that changes nothing.
        evaluate_each: a function that trains cells and returns the table of replicas of each cell.
        expect_trainable: a function that raises UserError for a cell that cannot be trained.
    """
    cells = [base]
    not_tried: dict[str, str] = {}
    best, (replicas,) = base, evaluate_each([base])
    for _ in range(combined.ROUNDS):
        changes, reasons = suggestions(best, replicas, cells)
        not_tried |= reasons
        newest = []
        for cell in suggested(cells, changes, study):
            try:
                expect_trainable(cell)
                newest.append(cell)
            except UserError as error:
                not_tried[cell.name] = str(error)
        if not newest:
            break
        cells += newest
        tables = evaluate_each(newest)
        place = combined.to_follow(causes_of(replicas), [result(each) for each in tables])
        if place is None:
            break
        best, replicas = newest[place], tables[place]
    return cells, not_tried


def suggestions(
    cell: Cell, replicas: pd.DataFrame, tried: Sequence[Cell] = ()
) -> tuple[dict[str, Changes], dict[str, str]]:
    """Return the changes of each suggested cell, and the reason for each remedy that becomes no cell.

    Both maps are by the name that the cell has or would have.

    Args:
        cell: the base, or the cell to which one more remedy is added.
        replicas: the table of the cell's replicas, with a column `cause`; the remedies are against these causes.
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
        if isinstance(changes, str):
            not_tried[name] = changes
            continue
        all_changes = merge(cell.changes, changes)
        if all_changes not in cells.values():
            cells[name] = all_changes
    return cells, not_tried


def causes_of(replicas: pd.DataFrame) -> list[str]:
    """Return the causes of the replicas that did not learn, most frequent first."""
    return [str(cause) for cause in replicas.cause[replicas.cause != NO_CAUSE].value_counts().index]


def result(replicas: pd.DataFrame) -> combined.Result:
    """Return how many replicas of a cell learned, and the most frequent cause of the others."""
    return combined.Result(
        int((replicas.outcome == LEARNED).sum()), len(replicas), next(iter(causes_of(replicas)), None)
    )


def _of_variant(variant: VariantParams, epochs: int, causes: Sequence[str]) -> Iterator[tuple[str, Changes | str]]:
    """Yield the name of each remedy and its changes; instead of changes the reason, if it can be no cell."""
    for remedy in (each for cause in causes for each in suggest(cause, variant, epochs)):
        name = NOT_IN_A_NAME.sub("", remedy.changes.replace(": ", "="))[:LONGEST]
        if any(dotted.startswith(DATA) for dotted in remedy.overrides):
            yield name, CHANGES_DATA
            continue
        changes: Changes = {}
        for dotted, value in remedy.overrides.items():
            changes = merge(changes, nested(dotted.removeprefix(TRAINING), value))
        yield name, changes


def _of_network(cell: Cell, causes: Sequence[str], tried: Sequence[Cell]) -> Iterator[tuple[str, Changes | str]]:
    """Yield what `_of_variant` does, for a network of the user's own."""
    tried_remedies = [_remedies(each) for each in tried]
    for remedies in combined.further(_remedies(cell), network_remedies(*causes), tried_remedies):
        remedy = remedies[-1]
        factor = REMEDIES[remedy].epochs
        if REMEDIES[remedy].changes_fit:
            yield remedy, OWN_FIT
        elif factor != 1:
            yield remedy, {"epochs": scaled_epochs(cell.training.epochs, factor)}
        else:
            yield remedy, {"remedy": [each for each in remedies if REMEDIES[each].epochs == 1]}


def _remedies(cell: Cell) -> combined.Remedies:
    """Return a cell's remedies from its name, because the recipe does not list remedies that change the epochs."""
    return tuple(cell.name.split(combined.AND)) if cell.changes else ()
