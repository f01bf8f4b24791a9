"""Compare pairs of variants whose recipes differ in one respect, which shows the effect of that change."""

from collections.abc import Mapping
from itertools import combinations

import pandas as pd

from pipeline.evaluation.intervals import newcombe
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.params.file import Plain
from pipeline.params.params import AnyRecipe
from pipeline.params.variant_params import VariantParams, shown

COLUMNS = ["worse", "better", "respect", "change", "learned_worse", "learned_better", "difference", "low", "high"]
HELPS, HARMS, UNDECIDED, REFERENCE = "helps", "harms", "undecided", "reference"
# The parameters of each respect; the two initialisers count as one choice.
RESPECTS = {
    "depth": ("hidden_layers",),
    "width": ("units",),
    "activation": ("activation",),
    "initialisation": ("kernel_initializer", "output_kernel_initializer"),
    "pre-training": ("pretraining", "pretraining_epochs"),
    "optimizer": ("optimizer",),
}


def table(evaluations: Mapping[str, VariantEvaluation], recipes: Mapping[str, AnyRecipe]) -> pd.DataFrame:
    """Return a table with one row per pair that differs in one respect, greatest difference first.

    `worse` is the variant that learns less often; `change` leads from it to `better`. The interval is Newcombe's 95%
    interval, unpaired.

    Args:
        recipes: the resolved variants and networks. A user's own networks differ in their code, so no pair has one.
    """
    rows = []
    variants = {name: each for name, each in recipes.items() if isinstance(each, VariantParams)}
    plain = {name: recipe.model_dump(mode="json") for name, recipe in variants.items()}
    for pair in combinations((name for name in evaluations if name in plain), 2):
        counts = {name: evaluations[name].metrics.learned.count for name in pair}
        worse, better = sorted(pair, key=counts.__getitem__)  # if both learn equally often, the first counts as worse
        respects = _differing(plain[worse], plain[better])
        if len(respects) != 1:
            continue
        totals = {name: evaluations[name].metrics.replicas for name in pair}
        low, high = newcombe(counts[better], totals[better], counts[worse], totals[worse])
        difference = counts[better] / totals[better] - counts[worse] / totals[worse]
        learned = [f"{counts[name]} of {totals[name]}" for name in (worse, better)]
        change = _change(plain[worse], plain[better], respects[0])
        numbers = [round(value, 6) for value in (difference, low, high)]
        rows.append([worse, better, respects[0], change, *learned, *numbers])
    effects = pd.DataFrame(rows, columns=COLUMNS)
    return effects.sort_values("difference", ascending=False, kind="stable", ignore_index=True)


def effect(low: float, high: float) -> str:
    """Return the effect of a change, given the interval of the difference in learned share."""
    return HELPS if low > 0 else HARMS if high < 0 else UNDECIDED


def written(value: Plain) -> str:
    """Return a value as params.yaml writes it, in short."""
    return str(value).lower() if isinstance(value, bool) else shown(value)


def _differing(one: Mapping[str, Plain], other: Mapping[str, Plain]) -> list[str]:
    """Return the respects in which two recipes differ; a parameter outside RESPECTS is a respect of its own."""
    respects = {key: respect for respect, keys in RESPECTS.items() for key in keys}
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    return list(dict.fromkeys(respects.get(key, key) for key in keys))


def _change(one: Mapping[str, Plain], other: Mapping[str, Plain], respect: str) -> str:
    keys = [key for key in RESPECTS.get(respect, (respect,)) if one.get(key) != other.get(key)]
    return "; ".join(f"{key}: {written(one.get(key))} -> {written(other.get(key))}" for key in keys)
