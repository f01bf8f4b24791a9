"""The page of a study: what each change did, ranked, with what does not help as prominent as what does."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.diagnosis.causes import LEARNED, cause_names
from pipeline.diagnosis.variant_verdict import learn
from pipeline.evaluation.cells_table import ranked, score_column
from pipeline.evaluation.effects import HARMS, HELPS, REFERENCE, UNDECIDED
from pipeline.evaluation.learned import score_in_words
from pipeline.evaluation.summary import percent
from pipeline.foundations.literal import as_code
from pipeline.report.figures.study_figures import captions
from pipeline.report.pages.document import Bar, Block, Bullets, Document, Picture, Section, Table, Text

HEADS = {HELPS: "Helps", HARMS: "Harms", UNDECIDED: "Undecided with this many replicas"}


@dataclass(frozen=True)
class StudyFindings:
    """All that a study's page is made of.

    cells: the study's table. verdicts: of each cell. training: the parameters that all cells share.
    data: fingerprint of the split. pictures: addresses by name of the figures that were drawn.
    not_tried: why a suggestion is no cell, by what it is.
    code: of cells that change a model's code, what to change in it.
    """

    name: str
    base: str
    cells: pd.DataFrame
    verdicts: Mapping[str, str]
    training: Mapping[str, Any]
    data: str
    pictures: Mapping[str, str]
    not_tried: Mapping[str, str]
    code: Mapping[str, str]


def write(findings: StudyFindings) -> Document:
    """The page."""
    return Document(
        f"Study {findings.name}: what changes how often {findings.base} learns?",
        list(_answer(findings)),
        [
            Section("All cells", list(_cells(findings))),
            Section("Why", list(_why(findings))),
            Section("How it was run", list(_run(findings))),
        ],
    )


def statement(cell: Any, reference: str) -> str:
    """`batch_norm`: 29 of 30 learn; difference from relu_20: +87 points [68, 95]."""
    low, high = 100 * cell.difference_low, 100 * cell.difference_high
    extra = f", after {cell.extra_epochs} extra epochs of pre-training" if cell.extra_epochs else ""
    return (
        f"`{cell.cell}`: {learn(cell.learned, cell.replicas)}{extra}; difference from `{reference}`: "
        f"{100 * cell.difference:+.0f} points [{low:.0f}, {high:.0f}]"
    )


def _answer(findings: StudyFindings) -> Iterator[Block]:
    table = ranked(findings.cells)
    (base,) = table[table.effect == REFERENCE].itertuples()
    yield Text(
        f"The reference, `{base.cell}`, learns in {base.learned} of {base.replicas} replicas "
        f"({percent(base.learned_low)} to {percent(base.learned_high)}%). Each cell changes only what it says."
    )
    for effect, head in HEADS.items():
        rows = list(table[table.effect == effect].itertuples())
        yield Text(f"**{head}:**" + ("" if rows else " none."))
        if rows:
            yield Bullets([_effect(row, base.cell, findings.code) for row in rows])
    if findings.not_tried:
        yield Text("**Suggested, and not tried:**")
        yield Bullets([f"`{what}`: {why}." for what, why in findings.not_tried.items()])


def _effect(row: Any, reference: str, code: Mapping[str, str]) -> str:
    change = code.get(row.cell)
    return f"{statement(row, reference)}." + (f" Change: {change}." if change else "")


def _cells(findings: StudyFindings) -> Iterator[Block]:
    for name, caption in captions().items():
        if name in findings.pictures:
            yield Picture(findings.pictures[name], caption)
    score = score_column(findings.cells)
    yield Table(
        [
            "cell",
            "changes",
            "learned",
            "95% interval",
            f"median {score_in_words(score)}",
            "epochs to learn",
            "what became of them",
        ],
        [_row(row, getattr(row, score)) for row in findings.cells.itertuples()],
    )
    before = ", `pretraining.csv` (each layer's loss in pre-training)" if findings.cells.extra_epochs.any() else ""
    yield Text(f"As tables, beside this page: `cells.csv`, `replicas.csv`, `curves.csv`{before}.")


def _row(cell: Any, score: float) -> Sequence[str | Bar]:
    counts = {LEARNED: cell.learned, **{cause: getattr(cell, cause) for cause in cause_names()}}
    return [
        f"`{cell.cell}`",
        as_code(cell.changes) if cell.changes else "the reference",
        f"{cell.learned} of {cell.replicas}",
        f"{percent(cell.learned_low)} to {percent(cell.learned_high)}%",
        f"{score:.3f}",
        "" if pd.isna(cell.epochs_to_learn_median) else f"{cell.epochs_to_learn_median:.0f}",
        Bar({outcome: count for outcome, count in counts.items() if count}),
    ]


def _why(findings: StudyFindings) -> Iterator[Block]:
    verdicts = [verdict.partition(". ") for verdict in findings.verdicts.values()]
    yield Bullets([f"**{first.rstrip('.')}.** {rest}".strip() for first, _, rest in verdicts])


def _run(findings: StudyFindings) -> Iterator[Block]:
    widest = (findings.cells.learned_high - findings.cells.learned_low).max()
    yield Text(
        f"With {findings.cells.replicas.min()} replicas per cell the interval of a learned share is up to "
        f"{100 * widest:.0f} points wide here. Intervals of shares are Wilson's, those of differences Newcombe's "
        "(unpaired), at 95%, each for its cell alone: of twenty cells that do nothing, one may seem to."
    )
    parameters = ", ".join(as_code(f"{key}: {value}") for key, value in findings.training.items())
    yield Text(f"Shared by all cells that do not say otherwise: {parameters}. Data fingerprint `{findings.data}`.")
