"""What was tried, in studies or as another variant, to be compared with the remedies that a diagnosis suggests.

A result answers a suggestion only where nothing else differs: the same base, training and data, the same threshold of
learning, and a cell that changes exactly what the remedy changes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from pipeline.evaluation.effects import REFERENCE, effect
from pipeline.evaluation.intervals import newcombe
from pipeline.evaluation.learned import Rule
from pipeline.params.params import AnyRecipe
from pipeline.params.study_params import Cell, reference_of
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams, merge, nested

BUDGET = ("epochs", "batch_size", "seed")  # of the training parameters: those on which the result of a replica depends
Counted = tuple[int, int]
TRAINING = "training."  # how a remedy names a training parameter
DATA = ("data.", "split.")  # and what no variant or cell can change


class Record(BaseModel):
    """Frozen and strict, for it is read back from a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Conditions(Record):
    """What a variant or the base of a study was trained and judged with.

    recipe: the resolved variant. training: BUDGET. data: fingerprint of the split.
    rule: when a replica has learned, see `learned.Rule.plain`.
    """

    recipe: dict[str, Any]
    training: dict[str, int]
    data: str
    rule: dict[str, float]


class TriedCell(Record):
    """A cell's result.

    changes: of the base, by top-level parameter. difference, low, high: of its learned share and the base's, with
    Newcombe's 95% interval. effect: helps, harms or undecided; reference for the base itself.
    """

    name: str
    changes: dict[str, Any]
    learned: int
    replicas: int
    difference: float
    low: float
    high: float
    effect: str


class TriedStudy(Record):
    """A study's results. base: the variant's name; conditions: the base's."""

    base: str
    conditions: Conditions
    cells: list[TriedCell]


def conditions(variant: AnyRecipe, training: TrainingParams, data: str, rule: Rule) -> Conditions:
    """Of a variant that is trained and judged so."""
    budget = {key: getattr(training, key) for key in BUDGET}
    return Conditions(recipe=variant.model_dump(mode="json"), training=budget, data=data, rule=rule.plain)


def of_study(base: str, cells: Sequence[Cell], table: pd.DataFrame, data: str, rule: Rule) -> TriedStudy:
    """What is kept of a study.

    Args:
        table: the study's, one row for each of `cells`.
    """
    reference = reference_of(cells)
    rows = table.set_index("cell")
    found = [_cell(cell, rows.loc[cell.name]) for cell in cells]
    return TriedStudy(base=base, conditions=conditions(reference.variant, reference.training, data, rule), cells=found)


def of_variant(
    name: str, under: Conditions, variants: Mapping[str, VariantParams], learned: Mapping[str, Counted]
) -> TriedStudy:
    """The other variants, as cells of a study that has this one as its base.

    Args:
        learned: of each variant how many replicas learned, and of how many.
    """
    cells = []
    for other, variant in variants.items():
        plain = variant.model_dump(mode="json")
        changed = {key: value for key, value in plain.items() if value != under.recipe[key]}
        interval = newcombe(*learned[other], *learned[name])
        (count, total), (base_count, base_total) = learned[other], learned[name]
        cells.append(
            TriedCell(
                name=other,
                changes=changed,
                learned=count,
                replicas=total,
                difference=round(count / total - base_count / base_total, 6),
                low=round(interval.low, 6),
                high=round(interval.high, 6),
                effect=effect(interval.low, interval.high) if changed else REFERENCE,
            )
        )
    return TriedStudy(base=name, conditions=under, cells=cells)


def result(overrides: Mapping[str, Any], under: Conditions, studies: Mapping[str, TriedStudy]) -> TriedCell | None:
    """What a cell gave that changes exactly this under exactly these conditions; None where none was tried.

    Of several the one with the most replicas, then the first study by name.

    Args:
        overrides: a remedy's, by dotted parameter; those of `training` and `split` begin with their names.
    """
    if any(dotted.startswith(DATA) for dotted in overrides):
        return None  # a cell has its base's data
    wanted = changes(overrides, under)
    matching = [
        cell
        for _, study in sorted(studies.items())
        if study.conditions == under
        for cell in study.cells
        if cell.changes and cell.changes == wanted
    ]
    return max(matching, key=lambda cell: cell.replicas, default=None)


def changes(overrides: Mapping[str, Any], under: Conditions) -> dict[str, Any]:
    """What overrides by dotted parameter make of a variant: its changed top-level parameters, resolved."""
    recipe: dict[str, Any] = under.recipe
    budget: dict[str, Any] = dict(under.training)
    for dotted, value in overrides.items():
        if dotted.startswith(TRAINING):
            budget[dotted.removeprefix(TRAINING)] = value
        else:
            recipe = merge(recipe, nested(dotted, value))
    before = {**under.recipe, **under.training}
    after = {**VariantParams.model_validate(recipe).model_dump(mode="json"), **budget}
    return {key: value for key, value in after.items() if value != before.get(key)}


def _cell(cell: Cell, row: Any) -> TriedCell:
    numbers = {"difference": row.difference, "low": row.difference_low, "high": row.difference_high}
    return TriedCell(
        name=cell.name,
        changes=dict(cell.changes),
        learned=int(row.learned),
        replicas=int(row.replicas),
        **{key: float(number) for key, number in numbers.items()},
        effect=str(row.effect),
    )
