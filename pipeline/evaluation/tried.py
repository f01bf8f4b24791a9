"""The results of studies and other variants, to compare with the remedies that a diagnosis suggests.

A result answers a suggestion only if nothing else differs: the base, training, data and threshold of learning are the
same, and the cell changes exactly what the remedy changes.
"""

from collections.abc import Mapping, Sequence

import pandas as pd
from pydantic import BaseModel, ConfigDict, JsonValue

from pipeline.evaluation.effects import REFERENCE, effect
from pipeline.evaluation.intervals import newcombe
from pipeline.evaluation.learned import Rule
from pipeline.params.file import Plain
from pipeline.params.params import AnyRecipe
from pipeline.params.study_params import Cell, reference_of
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams, merge, nested

BUDGET = ("epochs", "batch_size", "seed")  # the training parameters on which a replica's result depends
Counted = tuple[int, int]
TRAINING = "training."  # the prefix of training parameters in a remedy
DATA = ("data.", "split.")  # the prefixes of parameters that no variant or cell can change


class Record(BaseModel):
    """A frozen, strict model, because it is read back from a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Conditions(Record):
    """The parameters with which a variant, or the base of a study, was trained and judged.

    recipe: the resolved variant. training: the parameters of BUDGET. data: the fingerprint of the split.
    rule: when a replica has learned, see `learned.Rule.plain`.
    """

    recipe: dict[str, JsonValue]
    training: dict[str, int]
    data: str
    rule: dict[str, float]


class TriedCell(Record):
    """A cell's result.

    changes: what it changes of the base, by top-level parameter. difference, low, high: its learned share minus the
    base's, with Newcombe's 95% interval. effect: helps, harms or undecided; reference for the base itself.
    """

    name: str
    changes: dict[str, JsonValue]
    learned: int
    replicas: int
    difference: float
    low: float
    high: float
    effect: str


class TriedStudy(Record):
    """A study's results. base: the variant's name. conditions: those of the base."""

    base: str
    conditions: Conditions
    cells: list[TriedCell]


def conditions(variant: AnyRecipe, training: TrainingParams, data: str, rule: Rule) -> Conditions:
    """Return the conditions of a variant that is trained and judged with these."""
    budget = {key: getattr(training, key) for key in BUDGET}
    return Conditions(recipe=variant.model_dump(mode="json"), training=budget, data=data, rule=rule.plain)


def of_study(base: str, cells: Sequence[Cell], table: pd.DataFrame, data: str, rule: Rule) -> TriedStudy:
    """Return the results of a study.

    Args:
        table: the study's, one row for each of `cells`.
    """
    reference = reference_of(cells)
    rows = table.set_index("cell").to_dict("index")
    results = [
        TriedCell(
            name=cell.name,
            changes=dict(cell.changes),
            learned=int(row["learned"]),
            replicas=int(row["replicas"]),
            difference=float(row["difference"]),
            low=float(row["difference_low"]),
            high=float(row["difference_high"]),
            effect=str(row["effect"]),
        )
        for cell, row in ((cell, rows[cell.name]) for cell in cells)
    ]
    under = conditions(reference.variant, reference.training, data, rule)
    return TriedStudy(base=base, conditions=under, cells=results)


def of_variant(
    name: str, under: Conditions, variants: Mapping[str, VariantParams], learned: Mapping[str, Counted]
) -> TriedStudy:
    """Return the other variants as cells of a study with this variant as its base.

    Args:
        learned: for each variant how many replicas learned, and of how many.
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


def result(overrides: Mapping[str, Plain], under: Conditions, studies: Mapping[str, TriedStudy]) -> TriedCell | None:
    """Return the cell that changes exactly this under exactly these conditions; None if none was tried.

    Of several cells it is the one with the most replicas, then that of the first study by name.

    Args:
        overrides: a remedy's, by dotted parameter; those of `training` and `split` begin with these names.
    """
    if any(dotted.startswith(DATA) for dotted in overrides):
        return None  # a cell has its base's data
    changed = changes(overrides, under)
    matching = [
        cell
        for _, study in sorted(studies.items())
        if study.conditions == under
        for cell in study.cells
        if cell.changes and cell.changes == changed
    ]
    return max(matching, key=lambda cell: cell.replicas, default=None)


def changes(overrides: Mapping[str, Plain], under: Conditions) -> dict[str, Plain]:
    """Return the changed top-level parameters of a variant, resolved, for overrides by dotted parameter."""
    recipe: dict[str, Plain] = dict(under.recipe)
    budget: dict[str, Plain] = dict(under.training)
    for dotted, value in overrides.items():
        if dotted.startswith(TRAINING):
            budget[dotted.removeprefix(TRAINING)] = value
        else:
            recipe = merge(recipe, nested(dotted, value))
    before = {**under.recipe, **under.training}
    after = {**VariantParams.model_validate(recipe).model_dump(mode="json"), **budget}
    return {key: value for key, value in after.items() if value != before.get(key)}
