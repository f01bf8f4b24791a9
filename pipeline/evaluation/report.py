"""The comparison as a Markdown page."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.diagnosis.remedies import Remedy
from pipeline.evaluation.summary import percent


def page(
    wide: pd.DataFrame,
    claims: pd.DataFrame,
    differences: pd.DataFrame,
    pair: tuple[str, str],
    metrics: Mapping[str, Mapping[str, Any]],
) -> str:
    """The results, the chosen pair, why, theory beside measurement, and what the tutorial says beside what is measured.

    Args:
        metrics: the content of each variant's metrics file.
    """
    parts = [
        "# Which of these networks train?",
        "A replica is one training from one seed; a variant is judged by all of its replicas. It *learned* if its "
        "final test accuracy is above the threshold; the interval is Wilson's. Test accuracy and the epochs to learn "
        "are medians, the latter of those that learned. A replica is *living* if it has no dead layer.",
        *_diverged(wide),
        _results(wide),
        "![Share of replicas that learned](learned_share.png)",
        *_pair(differences, pair),
        *_why(metrics),
        *_theory(metrics),
        "## The tutorial says, we measure",
        "The tutorial ran every network once.",
        _markdown(claims.rename(columns={"about": "claim", "tutorial": "the tutorial says", "measured": "we measure"})),
        "Differences in learned share between any two variants: `differences.csv`.",
    ]
    return "\n\n".join(parts) + "\n"


def results(wide: pd.DataFrame) -> pd.DataFrame:
    """The short table of results, as text, a row a variant."""
    rows = [
        {
            "variant": row.variant,
            "learned": f"{row.learned} of {row.replicas}",
            "95% interval": f"{percent(row.learned_low)} to {percent(row.learned_high)}%",
            "test accuracy": f"{row.test_accuracy_median:.3f}",
            "quartiles": f"{row.test_accuracy_q25:.3f} to {row.test_accuracy_q75:.3f}",
            "epochs to learn": "" if pd.isna(row.epochs_to_learn_median) else f"{row.epochs_to_learn_median:.0f}",
            "living, start to end": f"{row.living_at_start} to {row.living_at_end}",
        }
        for row in wide.itertuples()
    ]
    return pd.DataFrame(rows)


def _diverged(wide: pd.DataFrame) -> list[str]:
    some = wide[wide.diverged > 0]
    named = ", ".join(f"{row.diverged} of {row.variant}" for row in some.itertuples())
    return [f"Diverged (a loss that is infinite or not a number), counted as not learned: {named}."] if named else []


def _results(wide: pd.DataFrame) -> str:
    return _markdown(results(wide))


def _pair(differences: pd.DataFrame, pair: tuple[str, str]) -> list[str]:
    for row in differences.itertuples():
        if {row.first, row.second} == set(pair):
            sign = 1 if (row.first, row.second) == pair else -1
            low, high = sorted((sign * row.low, sign * row.high))
            statement = (
                f"The learned share of {pair[0]} less that of {pair[1]} is {100 * sign * row.difference:+.0f} points "
                f"({100 * low:+.0f} to {100 * high:+.0f}; Newcombe's 95% interval, unpaired)."
            )
            return [f"## {pair[0]} against {pair[1]}", statement, "![Both over the epochs](pair.png)"]
    return []


def _why(metrics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Verdicts, each with what is most likely to help."""
    verdicts = [f"* {content['verdict']}{helps(content['remedies'])}" for content in metrics.values()]
    note = "Cause and evidence of each replica: `evaluations/<variant>/replicas.csv`. Remedies are untried suggestions."
    return ["## Why", "\n".join(verdicts), note]


def helps(remedies: Sequence[Mapping[str, Any]]) -> str:
    """ " Most likely to help: ..." from the metrics file's remedies; nothing where there are none."""
    shown = [str(Remedy(**remedy)) for remedy in remedies]
    return f" Most likely to help: {'; '.join(shown)}." if shown else ""


def _theory(metrics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = [{"variant": name, **each} for name, content in metrics.items() for each in content["theory"]]
    if not rows:
        return []
    table = pd.DataFrame(
        {
            "variant": row["variant"],
            "fact": row["fact"],
            "theory": row["expected"],
            "measured": f"{row['measured']:.3g} ({row['low']:.2g} to {row['high']:.2g})",
            "agrees": "yes" if row["holds"] else "**no**",
            "source": row["source"],
        }
        for row in rows
    )
    note = "Measured before training, with 95% intervals: one in twenty misses by chance."
    return ["## Theory beside measurement", note, _markdown(table)]


def _markdown(table: pd.DataFrame) -> str:
    cells = [[cell.replace("|", r"\|") for cell in row] for row in table.astype(str).to_numpy().tolist()]
    lines = [list(table.columns), ["---"] * len(table.columns), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
