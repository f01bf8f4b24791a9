"""Make the tables of `reports/`, such as variants.csv, which compare variants.

`report/results_table.py` chooses the columns that the terminal and the pages show.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations

import pandas as pd

from pipeline.evaluation import claims, effects
from pipeline.evaluation.intervals import difference
from pipeline.evaluation.variant import VariantEvaluation, VariantMetrics
from pipeline.params.comparison_params import ComparisonParams
from pipeline.params.params import AnyRecipe

CURVES = ["learned_share", "alive_share", "train_score_median", "test_score_median"]


@dataclass(frozen=True)
class Comparison:
    """The tables of a comparison. The functions below describe them; each field is also the name of a file."""

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
        variants=variants_table(evaluations),
        curves=curves_table(evaluations),
        differences=differences(evaluations),
        claims=claims.table(params, evaluations),
        effects=effects.table(evaluations, recipes),
    )


def variants_table(evaluations: Mapping[str, VariantEvaluation]) -> pd.DataFrame:
    """Return the table of variants.csv, one row per variant."""
    return pd.DataFrame([{"variant": name, **_row(evaluation.metrics)} for name, evaluation in evaluations.items()])


def _row(metrics: VariantMetrics) -> dict[str, float | None]:
    learned, living = metrics.learned, metrics.living
    spreads = {**metrics.scores, "epochs_to_learn": metrics.epochs_to_learn}
    return {
        "replicas": metrics.replicas,
        "learned": learned.count,
        "learned_rate": learned.rate,
        "learned_low": learned.interval.low,
        "learned_high": learned.interval.high,
        **{f"{name}_{each}": value for name, spread in spreads.items() for each, value in asdict(spread).items()},
        "diverged": metrics.diverged,
        "living_at_start": living.at_start,
        "living_at_end": living.at_end,
    }


def curves_table(evaluations: Mapping[str, VariantEvaluation]) -> pd.DataFrame:
    """Return the curves of all variants, one row per variant and epoch, with the columns CURVES.

    In the names of the columns, `train_score` and `test_score` are the variant's main score.
    """
    parts = []
    for name, evaluation in evaluations.items():
        score = evaluation.rule.score
        scores = {f"{part}_{score}_median": f"{part}_score_median" for part in ("train", "test")}
        parts.append(evaluation.curves.rename(columns=scores).assign(variant=name)[["variant", "epoch", *CURVES]])
    return pd.concat(parts, ignore_index=True)


def differences(evaluations: Mapping[str, VariantEvaluation]) -> pd.DataFrame:
    """Return the learned share of the first variant minus that of the second, one row per pair of variants.

    The interval is Newcombe's 95% interval (unpaired). With a single variant the table is empty.
    """
    rows = [
        (first, second, *difference(*evaluations[first].learned, *evaluations[second].learned))
        for first, second in combinations(evaluations, 2)
    ]
    return pd.DataFrame(rows, columns=["first", "second", "difference", "low", "high"])
