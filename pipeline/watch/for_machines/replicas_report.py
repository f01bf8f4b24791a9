"""Make the report for machines of a `fit` over several seeds, and of the remedies that were tried on it."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pandas as pd

from pipeline.diagnosis import evidence, variant_verdict
from pipeline.diagnosis.causes import LEARNED
from pipeline.evaluation.intervals import wilson
from pipeline.remedies import combined
from pipeline.watch.for_machines.report_models import (
    AttemptReport,
    Effect,
    EvidenceReport,
    FitReport,
    Outcome,
    ReplicaReport,
    ReplicasReport,
    UntriedReport,
    number,
)
from pipeline.watch.for_machines.verdict_parts import advice_report, evidence_report, has_abstained, is_tentative
from pipeline.watch.scripts.attempt import Attempt, place_in_words
from pipeline.watch.scripts.script_replicas import FitSummary


def fit_of_replicas(
    fit: FitSummary, attempts: Sequence[Attempt] | None = None, not_tried: Mapping[str, str] | None = None
) -> FitReport:
    """Return the report of a `fit` over several seeds.

    Args:
        attempts: what `--try` tried on this `fit`; None if nothing was tried on it.
        not_tried: why remedies were not tried, by their names, joined by `combined.AND`; None as for `attempts`.
    """
    return FitReport(
        number=fit.number + 1,
        model=fit.name,
        replicas=replicas_report(fit),
        attempts=None if attempts is None else tuple(map(attempt_report, attempts)),
        untried=None
        if not_tried is None
        else tuple(
            UntriedReport(remedies=tuple(names.split(combined.AND)), reason=why) for names, why in not_tried.items()
        ),
    )


def replicas_report(fit: FitSummary) -> ReplicasReport:
    """Return the results of a `fit` over several seeds."""
    table = fit.replicas
    counts = {} if table is None else variant_verdict.outcomes(table)
    learned = counts.pop(LEARNED, 0)
    causes = {name: count for name, count in sorted(counts.items(), key=lambda item: -item[1]) if count}
    cause = next(iter(causes), None)
    return ReplicasReport(
        runs=0 if table is None else len(table),
        learned=learned,
        interval=None if table is None else wilson(learned, len(table)),
        cause=cause,
        abstained=has_abstained(None if table is None else LEARNED, cause),
        tentative=is_tentative(cause),
        causes=causes,
        text=fit.text,
        score=fit.score or None,
        advice=advice_report(cause, fit.tries),
        by_seed=() if table is None else tuple(_replica(row, fit.score) for _, row in table.iterrows()),
        notes=tuple(fit.notes),
    )


def attempt_report(attempt: Attempt) -> AttemptReport:
    """Return the result of remedies that were tried."""
    site = attempt.runs[0].fit_site
    return AttemptReport(
        remedies=tuple(attempt.remedies),
        change=attempt.change,
        diff=attempt.diff,
        place=place_in_words(site) if site else None,
        learned=attempt.learned,
        runs=attempt.replicas,
        difference=attempt.difference,
        interval=(attempt.low, attempt.high),
        effect=cast(Effect, attempt.effect),
        causes=tuple(attempt.causes),
    )


def _replica(row: pd.Series, score: str) -> ReplicaReport:
    has_learned = row["outcome"] == LEARNED
    return ReplicaReport(
        seed=int(row["replica"]),
        outcome=cast(Outcome, row["outcome"]),
        cause=None if has_learned else str(row["cause"]),
        score=number(float(row[score])) if score in row else None,
        train_loss=number(float(row["train_loss"])) if "train_loss" in row else None,
        evidence=_evidence(row),
    )


def _evidence(row: pd.Series) -> dict[str, EvidenceReport]:
    values = {name: float(row[name]) for name in evidence.COLUMNS if name in row}
    return evidence_report({name: None if np.isnan(value) else value for name, value in values.items()})
