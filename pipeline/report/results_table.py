"""Make the table of results, for the terminal and for the report's pages: one row per variant.

To add a column, add it to both functions.
"""

from collections.abc import Mapping

import pandas as pd

from pipeline.diagnosis.causes import outcome_names
from pipeline.evaluation.learned import Rule, score_column, score_in_words
from pipeline.evaluation.summary import percent
from pipeline.evaluation.variant import Spread, VariantEvaluation
from pipeline.params.comparison_params import TutorialClaim
from pipeline.report.pages.document import Bar, Table


def for_terminal(variants: pd.DataFrame) -> pd.DataFrame:
    """Return the table of results as text.

    Args:
        variants: the table of variants.csv.
    """
    score = score_column(variants).removesuffix("_median")
    rows = [
        {
            "variant": row["variant"],
            "learned": f"{row['learned']} of {row['replicas']}",
            "95% interval": f"{percent(row['learned_low'])} to {percent(row['learned_high'])}%",
            score_in_words(score): f"{row[f'{score}_median']:.3f}",
            "quartiles": f"{row[f'{score}_q25']:.3f} to {row[f'{score}_q75']:.3f}",
            "epochs to learn": "" if pd.isna(row["epochs_to_learn_median"]) else f"{row['epochs_to_learn_median']:.0f}",
            "living, start to end": f"{row['living_at_start']} to {row['living_at_end']}",
        }
        for row in variants.to_dict("records")
    ]
    return pd.DataFrame(rows)


def for_pages(evaluations: Mapping[str, VariantEvaluation], rule: Rule, claims: Mapping[str, TutorialClaim]) -> Table:
    """Return the table of results with a bar of the outcomes and, if there are any, the tutorial's claims.

    Args:
        evaluations: the evaluation of each variant, by name.
        rule: when a replica has learned.
        claims: what the tutorial states about a variant, by name.
    """
    score = f"test {rule.name}: median (quartiles)"
    columns = ["variant", "learned", "95% interval", score, "outcomes of the replicas"]
    rows: list[list[str | Bar]] = []
    for name, each in evaluations.items():
        low, high = each.metrics.learned.interval
        count, total = each.learned
        present = [outcome for outcome in outcome_names() if each.metrics.outcomes[outcome]]
        rows.append(
            [
                f"`{name}`",
                f"{count} of {total}",
                f"{percent(low)} to {percent(high)}%",
                _spread(each.metrics.scores[each.final]),
                Bar({outcome: each.metrics.outcomes[outcome] for outcome in present}),
                *([_claim(claims.get(name))] if claims else []),
            ]
        )
    return Table([*columns, *(["the tutorial's one run"] if claims else [])], rows)


def _spread(spread: Spread) -> str:
    """Return "0.840 (0.830 to 0.844)", median and quartiles."""
    if spread.median is None or spread.q25 is None or spread.q75 is None:
        return ""
    return f"{spread.median:.3f} ({spread.q25:.3f} to {spread.q75:.3f})"


def _claim(claim: TutorialClaim | None) -> str:
    """Return what the tutorial states of train and test accuracy and of learning: "0.816 / 0.816, learns"."""
    if claim is None:
        return ""
    numbers = [f"{value:.3f}" for value in (claim.train_accuracy, claim.test_accuracy) if value is not None]
    verdict = [] if claim.learns is None else ["learns" if claim.learns else "does not learn"]
    return ", ".join([*([" / ".join(numbers)] if numbers else []), *verdict])
