"""Make variants.csv and the other tables of `reports/`, which compare variants.

The columns of the table that the terminal and the pages show are chosen in report/content.py.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations

import pandas as pd

from pipeline.evaluation import claims, effects
from pipeline.evaluation.intervals import newcombe
from pipeline.evaluation.variant import VariantEvaluation, VariantMetrics
from pipeline.params.comparison_params import ComparisonParams
from pipeline.params.params import AnyRecipe

CURVES = ["learned_share", "alive_share", "train_score_median", "test_score_median"]


@dataclass(frozen=True)
class Comparison:
    """The tables of a comparison, see the functions below."""

    variants: pd.DataFrame
    curves: pd.DataFrame
    differences: pd.DataFrame
    claims: pd.DataFrame
    effects: pd.DataFrame


def compare(
    evaluations: Mapping[str, VariantEvaluation], recipes: Mapping[str, AnyRecipe], params: ComparisonParams
) -> Comparison:
    """Return all tables of a comparison.

    Args:
        recipes: the resolved variants and networks.
    """
    return Comparison(
        variants=wide(evaluations),
        curves=long(evaluations),
        differences=differences(evaluations),
        claims=claims.table(params, evaluations),
        effects=effects.table(evaluations, recipes),
    )


def wide(evaluations: Mapping[str, VariantEvaluation]) -> pd.DataFrame:
    """Return the table of variants.csv, one row per variant."""
    return pd.DataFrame([{"variant": name, **_row(evaluation.metrics)} for name, evaluation in evaluations.items()])


def _row(metrics: VariantMetrics) -> dict[str, float | None]:
    learned, living = metrics.learned, metrics.living
    row: dict[str, float | None] = {
        "replicas": metrics.replicas,
        "learned": learned.count,
        "learned_rate": learned.rate,
        "learned_low": learned.interval.low,
        "learned_high": learned.interval.high,
    }
    for name, spread in {**metrics.scores, "epochs_to_learn": metrics.epochs_to_learn}.items():
        row |= {f"{name}_{quartile}": value for quartile, value in asdict(spread).items()}
    return row | {
        "diverged": metrics.diverged,
        "living_at_start": living.at_start,
        "living_at_end": living.at_end,
    }


def long(evaluations: Mapping[str, VariantEvaluation]) -> pd.DataFrame:
    """Return the curves of all variants, one row per variant and epoch, with the columns CURVES.

    `train_score` and `test_score` stand for the main score of each variant.
    """
    parts = []
    for name, evaluation in evaluations.items():
        score = evaluation.rule.score
        scores = {f"{part}_{score}_median": f"{part}_score_median" for part in ("train", "test")}
        curves = evaluation.curves.rename(columns=scores).assign(variant=name)
        parts.append(curves[["variant", "epoch", *CURVES]])
    return pd.concat(parts, ignore_index=True)


def differences(evaluations: Mapping[str, VariantEvaluation]) -> pd.DataFrame:
    """Return the difference in learned share of each pair of variants, first minus second.

    The interval is Newcombe's 95% interval. A single variant has no pair: the table is then empty.
    """
    rows = []
    for first, second in combinations(evaluations, 2):
        (count, total), (other_count, other_total) = evaluations[first].learned, evaluations[second].learned
        low, high = newcombe(count, total, other_count, other_total)
        difference = count / total - other_count / other_total
        rows.append((first, second, round(difference, 6), round(low, 6), round(high, 6)))
    return pd.DataFrame(rows, columns=["first", "second", "difference", "low", "high"])
