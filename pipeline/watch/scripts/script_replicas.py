"""Summarise one `fit` of a script over several seeds: how many replicas learned, and the outcome of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd
import xarray as xr

from pipeline.diagnosis import causes, variant_verdict
from pipeline.diagnosis.causes import LEARNED, outcome_names, outcomes, spelled
from pipeline.diagnosis.setting import Setting
from pipeline.evaluation.intervals import wilson
from pipeline.evaluation.learned import has_score, reference_in_words, rule_of, spelled_score
from pipeline.evaluation.replica_table import evaluate
from pipeline.foundations.literal import in_markdown
from pipeline.history import record
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.evaluation_params import EvaluationParams
from pipeline.params.file import check
from pipeline.params.shipped import shipped
from pipeline.report.pages.document import Bar, Block, Bullets, CodeBlock, Document, Picture, Section, Table, Text
from pipeline.report.pages.html import render
from pipeline.watch.arguments import Learned

IDENTICAL = "your script sets its own seed, so every replica is identical; remove that line"
PARTLY_SEEDED = "your script sets its own seed, so replicas differ less than they should; remove that line"
SIDE_BY_SIDE = "Score, loss and gradients by layer, as the script is and with the best remedies"
SAME_START = "all replicas start from the same weights, so they prove little more than one replica"


@dataclass(frozen=True)
class FitRecord:
    """One `fit` from one seed.

    name: the name of the model.
    number: the number of the `fit` in the script, from 0.
    reasons: why further remedies cannot be applied to the `fit`, by the remedies' names.
    """

    name: str
    seed: int
    history: xr.Dataset
    sets_its_seed: bool
    notes: tuple[str, ...]
    number: int = 0
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FitSummary:
    """One `fit` over its replicas.

    text: the share of replicas that learned, its interval, and the verdict.
    replicas: a table with one row for each replica; None if no rule applies.
    score: the column of `replicas` with the score.
    number, reasons: see `FitRecord`.
    """

    name: str
    text: str
    replicas: pd.DataFrame | None
    score: str
    tries: Sequence[str]
    notes: Sequence[str]
    number: int
    reasons: Mapping[str, str]


def are_identical(fits: Sequence[FitRecord]) -> bool:
    """Return whether several replicas are identical because the script sets its own seed.

    Identical replicas have equal weight norms and training losses at every epoch. False for a script that sets no seed,
    because a training without randomness is the same each time.
    """
    first, *others = (fit.history[["weight_l1", "train_loss"]] for fit in fits)
    return bool(others) and all(fit.sets_its_seed for fit in fits) and all(first.equals(other) for other in others)


def are_all_identical(runs: Sequence[Sequence[FitRecord]]) -> bool:
    """Return whether each `fit` is identical in all runs; see `are_identical`."""
    fits = by_number(runs).values()
    return bool(fits) and all(are_identical(each) for each in fits)


def by_number(runs: Sequence[Sequence[FitRecord]]) -> dict[int, list[FitRecord]]:
    """Return the records of each `fit`, by its number in the script."""
    fits: dict[int, list[FitRecord]] = {}
    for run in runs:
        for fit in run:
            fits.setdefault(fit.number, []).append(fit)
    return fits


def summary(fits: Sequence[FitRecord], learned: Learned) -> FitSummary:
    """Summarise one `fit` over several runs."""
    name, first, notes = fits[0].name, fits[0].history, _notes(fits)
    rule = rule_of(first, check({"learned": learned}, "evaluation", EvaluationParams).learned)
    if rule is None or not all(has_score(fit.history, rule.score) or record.diverged(fit.history) for fit in fits):
        reason = first.attrs.get(record.UNJUDGED, "no score fits the model's outputs")
        text = f"{name}: {len(fits)} replicas; cannot tell whether they learned: {reason}."
        return FitSummary(name, _with_notes(text, notes), None, "", (), notes, fits[0].number, fits[0].reasons)
    params = check(shipped()["diagnosis"], "diagnosis", DiagnosisParams)
    table = pd.concat([evaluate(fit.history, rule, params) for fit in fits], ignore_index=True)
    table["replica"] = [fit.seed for fit in fits]
    interval = wilson(int((table.outcome == LEARNED).sum()), len(table))
    text = variant_verdict.verdict(name, table, interval, bound=None)
    text = "\n".join(each for each in (text, reference_in_words(rule)) if each)
    cause = variant_verdict.main_cause(variant_verdict.outcomes(table))
    failed = table[table.cause == cause]
    tries = [] if cause is None else causes.tries(cause, Setting.of(first, failed.iloc[0].to_dict()))
    if tries:
        text += f"\nWhat to try: {'; '.join(tries)}."
    score = f"{record.judged_part(first)}_{rule.score}"
    return FitSummary(name, _with_notes(text, notes), table, score, tries, notes, fits[0].number, fits[0].reasons)


@dataclass(frozen=True)
class Tried:
    """What was tried on a `fit`.

    lines: a line for each attempt, and for each remedy that was not tried.
    to_change: what to change in the script, as text; "" if nothing helped.
    """

    lines: Sequence[str]
    to_change: str


def page(
    script: str,
    fits: Sequence[FitSummary],
    attempts: Mapping[int, Tried] = MappingProxyType({}),
    pictures: Mapping[str, bytes] = MappingProxyType({}),
) -> str:
    """Return the page of all fits of a script, as HTML.

    Args:
        attempts: what was tried, by the fit's place in `fits`.
        pictures: PNG files by name, for the fits on which something was tried.
    """
    answer = [Text(in_markdown(each.text.splitlines()[0])) for each in fits]
    sections = []
    for place, each in enumerate(fits):
        blocks: list[Block] = []
        if each.replicas is not None:
            blocks += [_bar(each.replicas), _table(each.replicas, each.score)]
        if place in attempts:
            blocks += [Text("What was tried:"), Bullets(attempts[place].lines)]
            blocks += [CodeBlock(attempts[place].to_change)] if attempts[place].to_change else []
            blocks += [Picture(name, SIDE_BY_SIDE) for name in pictures]
        elif each.tries:
            blocks += [Text("What to try:"), Bullets(list(each.tries))]
        if each.notes:
            blocks.append(Bullets([in_markdown(note) for note in each.notes]))
        sections.append(Section(f"Fit {place + 1}: {each.name}", blocks))
    return render(Document(f"Does {script} train, and if not, why?", answer, sections), pictures)


def _notes(fits: Sequence[FitRecord]) -> list[str]:
    """Return notes about all replicas together, then the notes of each replica, without repetitions."""
    notes = list(dict.fromkeys(note for fit in fits for note in fit.notes))
    if are_identical(fits):
        notes.insert(0, IDENTICAL)
    elif any(fit.sets_its_seed for fit in fits):
        notes.insert(0, PARTLY_SEEDED)
    if len(fits) > 1 and len({fit.history.weight_l1.values[0, 0].tobytes() for fit in fits}) == 1:
        notes.insert(0, SAME_START)
    return notes


def _bar(table: pd.DataFrame) -> Table:
    counts = outcomes(table).value_counts()
    parts = {name: int(counts[name]) for name in outcome_names() if name in counts}
    return Table(["replicas", "outcomes"], [[str(len(table)), Bar(parts)]])


def _table(table: pd.DataFrame, score: str) -> Table:
    part, _, kind = score.partition("_")
    rows = [
        [str(row["replica"]), spelled(str(outcome)), f"{row.get(score, np.nan):.3f}", f"{row['train_loss']:.4g}"]
        for (_, row), outcome in zip(table.iterrows(), outcomes(table), strict=True)
    ]
    return Table(["seed", "outcome", f"{part} {spelled_score(kind)}", "training loss"], rows)


def _with_notes(text: str, notes: Sequence[str]) -> str:
    return "\n".join([text, *(f"Note: {note}." for note in notes)])
