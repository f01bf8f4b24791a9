"""Compare variants whose recipes differ in only one respect: the difference shows the effect of that change."""

from collections.abc import Mapping
from itertools import combinations

import pandas as pd

from pipeline.evaluation.intervals import difference
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
    """Return a table with one row per pair of variants that differ in one respect, greatest difference first.

    `worse` is the variant that learns less often; `change` is what turns it into `better`. The interval is Newcombe's
    95% interval (unpaired).

    Args:
        recipes: the resolved variants and networks. Networks are left out, because they differ in their code.
    """
    rows = []
    plain = {name: each.model_dump(mode="json") for name, each in recipes.items() if isinstance(each, VariantParams)}
    for pair in combinations((name for name in evaluations if name in plain), 2):
        # If both learn equally often, the first counts as worse.
        worse, better = sorted(pair, key=lambda name: evaluations[name].metrics.learned.count)
        respects = _differing(plain[worse], plain[better])
        if len(respects) == 1:
            change = _change(plain[worse], plain[better], respects[0])
            counts = [evaluations[name].learned for name in (worse, better)]
            learned = [f"{count} of {total}" for count, total in counts]
            rows.append([worse, better, respects[0], change, *learned, *difference(*counts[1], *counts[0])])
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(
        "difference", ascending=False, kind="stable", ignore_index=True
    )


def effect(low: float, high: float) -> str:
    """Return the effect of a change from the ends of the interval of the difference in learned share."""
    return HELPS if low > 0 else HARMS if high < 0 else UNDECIDED


def written(value: Plain) -> str:
    """Return a value in one line, nearly as params.yaml writes it."""
    return str(value).lower() if isinstance(value, bool) else shown(value)


def _differing(one: Mapping[str, Plain], other: Mapping[str, Plain]) -> list[str]:
    """Return the respects in which two recipes differ; a parameter outside RESPECTS is a respect of its own."""
    respects = {key: respect for respect, keys in RESPECTS.items() for key in keys}
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    return list(dict.fromkeys(respects.get(key, key) for key in keys))


def _change(one: Mapping[str, Plain], other: Mapping[str, Plain], respect: str) -> str:
    keys = [key for key in RESPECTS.get(respect, (respect,)) if one.get(key) != other.get(key)]
    return "; ".join(f"{key}: {written(one.get(key))} -> {written(other.get(key))}" for key in keys)
