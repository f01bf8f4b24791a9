"""What the diagnosis of a study's base suggests, as cells: the remedies of every cause that was found, most replicas
first."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.diagnosis.causes import NO_CAUSE, network_remedies, suggest
from pipeline.evaluation.tried import DATA, TRAINING
from pipeline.params.networks import EPOCHS
from pipeline.params.params import AnyRecipe
from pipeline.params.variants import VariantParams, merge, nested

NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.,=+ -]")
LONGEST = 100


@dataclass(frozen=True)
class Suggestions:
    """cells: what each changes, by its name. not_tried: why something is no cell, by what it is."""

    cells: Mapping[str, dict[str, Any]]
    not_tried: Mapping[str, str]


def suggestions(replicas: pd.DataFrame, recipe: AnyRecipe, epochs: int) -> Suggestions:
    """For the replicas that did not learn.

    Args:
        replicas: of the base, with a column `cause`. recipe, epochs: what it was trained by.
    """
    causes = replicas.cause[replicas.cause != NO_CAUSE].value_counts().index
    cells: dict[str, dict[str, Any]] = {}
    not_tried: dict[str, str] = {}
    for cause in causes:
        found = _of_variant if isinstance(recipe, VariantParams) else _of_network
        for name, changes in found(str(cause), recipe, epochs):
            if changes is None:
                not_tried[name] = "every cell has the data of its base"
            elif changes not in cells.values():
                cells[name] = changes
    return Suggestions(cells, not_tried)


def _of_variant(cause: str, recipe: Any, epochs: int) -> Iterator[tuple[str, dict[str, Any] | None]]:
    for remedy in suggest(cause, recipe, epochs):
        name = NOT_IN_A_NAME.sub("", remedy.changes.replace(": ", "="))[:LONGEST]
        if any(dotted.startswith(DATA) for dotted in remedy.overrides):
            yield name, None
            continue
        changes: dict[str, Any] = {}
        for dotted, value in remedy.overrides.items():
            changes = merge(changes, nested(dotted.removeprefix(TRAINING), value))
        yield name, changes


def _of_network(cause: str, recipe: Any, epochs: int) -> Iterator[tuple[str, dict[str, Any] | None]]:
    for remedy in network_remedies(cause):
        if remedy in EPOCHS:
            yield remedy, {"epochs": max(1, round(EPOCHS[remedy] * epochs))}
        else:
            yield remedy, {"remedy": remedy}
