"""Variants side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from pipeline.evaluation import claims, effects
from pipeline.evaluation.intervals import newcombe
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.params.comparison import ComparisonParams

CURVES = ["learned_share", "alive_share", "train_accuracy_median", "test_accuracy_median"]


@dataclass(frozen=True)
class Comparison:
    """The tables of a comparison, see the functions that make them."""

    variants: pd.DataFrame
    curves: pd.DataFrame
    differences: pd.DataFrame
    claims: pd.DataFrame
    effects: pd.DataFrame


def compare(
    evaluations: Mapping[str, VariantEvaluation], recipes: Mapping[str, Mapping[str, Any]], params: ComparisonParams
) -> Comparison:
    """All tables. `recipes` are the resolved variants."""
    return Comparison(
        variants=wide(evaluations),
        curves=long(evaluations),
        differences=differences(evaluations),
        claims=claims.table(params, evaluations),
        effects=effects.table(evaluations, recipes),
    )


def wide(evaluations: Mapping[str, VariantEvaluation]) -> pd.DataFrame:
    """A row a variant."""
    return pd.DataFrame([{"variant": name, **_row(evaluation.metrics)} for name, evaluation in evaluations.items()])


def _row(metrics: dict) -> dict[str, float | None]:
    learned, living = metrics["learned"], metrics["living"]
    low, high = learned["interval"]
    row = {"replicas": metrics["replicas"], "learned": learned["count"], "learned_rate": learned["rate"]}
    row |= {"learned_low": low, "learned_high": high}
    for name in ("test_accuracy", "train_accuracy", "epochs_to_learn"):
        row |= {f"{name}_{quartile}": value for quartile, value in metrics[name].items()}
    return row | {
        "diverged": metrics["diverged"],
        "living_at_start": living["at_start"],
        "living_at_end": living["at_end"],
    }


def long(evaluations: Mapping[str, VariantEvaluation]) -> pd.DataFrame:
    """A row a variant and epoch, with the columns CURVES, for plots that colour by variant."""
    parts = [
        evaluation.curves[["epoch", *CURVES]].assign(variant=name)[["variant", "epoch", *CURVES]]
        for name, evaluation in evaluations.items()
    ]
    return pd.concat(parts, ignore_index=True)


def differences(evaluations: Mapping[str, VariantEvaluation]) -> pd.DataFrame:
    """For any two variants the difference of their learned shares, first minus second, with Newcombe's 95% interval.

    The columns are there also where there is one variant alone, and so no row.
    """
    rows = []
    for first, second in combinations(evaluations, 2):
        counts = [_learned(evaluations[name].metrics) for name in (first, second)]
        (count, total), (other, other_total) = counts
        low, high = newcombe(count, total, other, other_total)
        difference = count / total - other / other_total
        rows.append((first, second, round(difference, 6), round(low, 6), round(high, 6)))
    return pd.DataFrame(rows, columns=["first", "second", "difference", "low", "high"])


def _learned(metrics: dict) -> tuple[int, int]:
    return metrics["learned"]["count"], metrics["replicas"]
