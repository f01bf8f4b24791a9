"""Look up the result of a suggested remedy in studies and in other variants.

A cell shows the effect of a remedy only if it changes exactly what the remedy changes, and if its base has the same
recipe, training, data and threshold of learning as the variant.
"""

from collections.abc import Mapping, Sequence

import pandas as pd
from pydantic import BaseModel, ConfigDict, JsonValue

from pipeline.evaluation.effects import REFERENCE, effect
from pipeline.evaluation.intervals import difference
from pipeline.evaluation.learned import Rule
from pipeline.params.file import Plain
from pipeline.params.params import AnyRecipe
from pipeline.params.study_params import Cell, reference_of
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams, merge, nested

BUDGET = ("epochs", "batch_size", "seed")  # the training parameters on which a replica's result depends
TRAINING = "training."  # the prefix of training parameters in a remedy
DATA = ("data.", "split.")  # the prefixes of parameters that all variants and cells share


class Record(BaseModel):
    """The base of models that a file holds: frozen and strict."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Conditions(Record):
    """The conditions under which a variant, or the base of a study, was trained and judged.

    recipe: the resolved variant.
    training: the parameters of BUDGET.
    data: the fingerprint of the split.
    rule: the rule by which a replica has learned, see `learned.Rule.plain`.
    """

    recipe: dict[str, JsonValue]
    training: dict[str, int]
    data: str
    rule: dict[str, float]


class TriedCell(Record):
    """A cell's result.

    changes: the top-level parameters of the base that the cell changes, and their values.
    learned: the number of replicas that learned.
    difference, low, high: the learned share minus the base's, with Newcombe's 95% interval.
    effect: helps, harms or undecided; reference for the base itself.
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
    """A study's results.

    base: the name of the base variant.
    conditions: the conditions of the base.
    """

    base: str
    conditions: Conditions
    cells: list[TriedCell]


def conditions(variant: AnyRecipe, training: TrainingParams, data: str, rule: Rule) -> Conditions:
    """Return the conditions of a variant.

    Args:
        variant: the resolved recipe.
        data: the fingerprint of the split.
    """
    return Conditions(
        recipe=variant.model_dump(mode="json"),
        training={key: getattr(training, key) for key in BUDGET},
        data=data,
        rule=rule.plain,
    )


def of_study(base: str, cells: Sequence[Cell], table: pd.DataFrame, data: str, rule: Rule) -> TriedStudy:
    """Return the results of a study.

    Args:
        base: the name of the base variant.
        table: the study's table, one row per cell.
        data: the fingerprint of the split.
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
    return TriedStudy(
        base=base, conditions=conditions(reference.variant, reference.training, data, rule), cells=results
    )


def of_variant(
    name: str, under: Conditions, variants: Mapping[str, VariantParams], learned: Mapping[str, tuple[int, int]]
) -> TriedStudy:
    """Return a study whose base is one variant and whose cells are all variants.

    Args:
        name: the base variant.
        under: the conditions of the base.
        variants: all resolved variants with the base's training, data and rule, by name.
        learned: the number of replicas of each variant that learned, and of all its replicas.
    """
    cells = []
    for other, variant in variants.items():
        recipe = variant.model_dump(mode="json").items()
        changed = {key: value for key, value in recipe if value != under.recipe[key]}
        count, total = learned[other]
        from_base, low, high = difference(*learned[other], *learned[name])
        cells.append(
            TriedCell(
                name=other,
                changes=changed,
                learned=count,
                replicas=total,
                difference=from_base,
                low=low,
                high=high,
                effect=effect(low, high) if changed else REFERENCE,
            )
        )
    return TriedStudy(base=name, conditions=under, cells=cells)


def result(overrides: Mapping[str, Plain], under: Conditions, studies: Mapping[str, TriedStudy]) -> TriedCell | None:
    """Return the cell that tried a remedy under the same conditions; None if there is none.

    Of several, return the cell with the most replicas; among equals, the cell of the first study by name.

    Args:
        overrides: the remedy's overrides by dotted parameter, such as `training.epochs` or `optimizer.config.momentum`.
        under: the conditions of the variant for which the remedy is suggested.
        studies: the results of all studies.
    """
    if any(dotted.startswith(DATA) for dotted in overrides):
        return None  # every cell has the same data as its base
    remedy_changes = changes(overrides, under)
    matching = [
        cell
        for _, study in sorted(studies.items())
        if study.conditions == under
        for cell in study.cells
        if cell.changes and cell.changes == remedy_changes
    ]
    return max(matching, key=lambda cell: cell.replicas, default=None)


def changes(overrides: Mapping[str, Plain], under: Conditions) -> dict[str, Plain]:
    """Return the top-level parameters that overrides change, with their new resolved values.

    Args:
        overrides: by dotted parameter.
        under: the conditions without the overrides.
    """
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
