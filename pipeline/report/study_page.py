"""Write the page of a study: all changes, ranked by their effect. Harmful changes are as prominent as helpful ones."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from pipeline.diagnosis.causes import outcome_names
from pipeline.diagnosis.variant_verdict import learn
from pipeline.evaluation.cells_table import ranked
from pipeline.evaluation.effects import HARMS, HELPS, REFERENCE, UNDECIDED
from pipeline.evaluation.learned import score_column, score_in_words
from pipeline.evaluation.summary import percent
from pipeline.evaluation.untrained_reach import UntrainedReach
from pipeline.foundations.literal import as_code
from pipeline.params.study_params import DATA_CONFIG
from pipeline.report.figures.study_figures import captions
from pipeline.report.pages.document import Bar, Block, Bullets, Document, Picture, Section, Table, Text, verdicts
from pipeline.report.reach_section import reach_section

Row = Mapping[Hashable, str | float]  # of the table of cells, by column
HEADINGS = {HELPS: "Helps", HARMS: "Harms", UNDECIDED: "Undecided with this many replicas"}


@dataclass(frozen=True)
class StudyFindings:
    """The inputs of a study's page.

    base: the name of the variant or network that the cells change.
    cells: the study's table, one row per cell.
    verdicts: the verdict of each cell, by cell name.
    training: the parameters that all cells share.
    data: the fingerprint of the split.
    pictures: the address of each figure, by the figure's name.
    not_tried: for each suggested remedy without a cell, the reason.
    code: for each cell that needs it, what to change in the code of the model.
    lengths: what the length of the sequences decides, in sentences; see `evaluation.length_experiment`.
    reach: how far back the gradient of recurrent layers reaches before training.
    """

    name: str
    base: str
    cells: pd.DataFrame
    verdicts: Mapping[str, str]
    training: Mapping[str, int]
    data: str
    pictures: Mapping[str, str]
    not_tried: Mapping[str, str]
    code: Mapping[str, str]
    lengths: Sequence[str] = ()
    reach: UntrainedReach = field(default_factory=UntrainedReach)


def write(findings: StudyFindings) -> Document:
    """Return a study's page."""
    return Document(
        f"Study {findings.name}: what changes how often {findings.base} learns?",
        list(_answer(findings)),
        [
            Section("All cells", list(_cells(findings))),
            *reach_section(findings.reach, findings.cells),
            Section("Why", list(_why(findings))),
            Section("How it was run", list(_run(findings))),
        ],
    )


def _why(findings: StudyFindings) -> Iterator[Block]:
    yield verdicts(findings.verdicts.values())
    if findings.lengths:
        yield Text("**What the length of the sequences decides:**")
        yield Bullets(list(findings.lengths))


def statement(cell: Row, reference: str) -> str:
    """Return "`batch_norm`: 29 of 30 learn; difference from relu_20: +87 points [68, 95]"."""
    low, high = 100 * float(cell["difference_low"]), 100 * float(cell["difference_high"])
    extra = f", after {cell['extra_epochs']} extra epochs of pre-training" if cell["extra_epochs"] else ""
    return (
        f"`{cell['cell']}`: {learn(int(cell['learned']), int(cell['replicas']))}{extra}; difference from "
        f"`{reference}`: {100 * float(cell['difference']):+.0f} points [{low:.0f}, {high:.0f}]"
    )


def _answer(findings: StudyFindings) -> Iterator[Block]:
    table = ranked(findings.cells)
    (base,) = table[table.effect == REFERENCE].itertuples()
    yield Text(
        f"The reference, `{base.cell}`, learns in {base.learned} of {base.replicas} replicas "
        f"({percent(base.learned_low)} to {percent(base.learned_high)}%). Each cell differs from the "
        "reference only in the listed changes."
    )
    for effect, heading in HEADINGS.items():
        rows = table[table.effect == effect].to_dict("records")
        yield Text(f"**{heading}:**" + ("" if rows else " none."))
        if rows:
            yield Bullets([_effect(row, base.cell, findings.code) for row in rows])
    if findings.not_tried:
        yield Text("**Suggested but not tried:**")
        yield Bullets([f"`{remedy}`: {reason}." for remedy, reason in findings.not_tried.items()])


def _effect(row: Row, reference: str, code: Mapping[str, str]) -> str:
    change = code.get(str(row["cell"]))
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
            "outcomes",
        ],
        [_row(row, score) for row in findings.cells.to_dict("records")],
    )
    pretraining = ", `pretraining.csv` (each layer's loss in pre-training)" if findings.cells.extra_epochs.any() else ""
    reach = "".join(f", `{name}.csv`" for name in findings.reach.tables)
    yield Text(f"As tables, beside this page: `cells.csv`, `replicas.csv`, `curves.csv`{pretraining}{reach}.")


def _row(cell: Row, score: str) -> Sequence[str | Bar]:
    epochs = cell["epochs_to_learn_median"]
    return [
        f"`{cell['cell']}`",
        as_code(str(cell["changes"])) if cell["changes"] else "the reference",
        f"{cell['learned']} of {cell['replicas']}",
        f"{percent(float(cell['learned_low']))} to {percent(float(cell['learned_high']))}%",
        f"{cell[score]:.3f}",
        "" if pd.isna(epochs) else f"{epochs:.0f}",
        Bar({outcome: int(cell[outcome]) for outcome in outcome_names() if cell[outcome]}),
    ]


def _run(findings: StudyFindings) -> Iterator[Block]:
    widest = (findings.cells.learned_high - findings.cells.learned_low).max()
    yield Text(
        f"With {findings.cells.replicas.min()} replicas per cell the interval of a learned share is up to "
        f"{100 * widest:.0f} points wide. Shares have Wilson's 95% intervals, differences Newcombe's (unpaired). Each "
        "interval is for its cell alone: of twenty cells without any effect, about one will seem to have an effect."
    )
    parameters = ", ".join(as_code(f"{key}: {value}") for key, value in findings.training.items())
    has_own_rows = findings.cells.changes.str.contains(DATA_CONFIG, regex=False).any()
    own_rows = (
        f" Cells that change `{DATA_CONFIG}` are trained and judged on rows of their own." if has_own_rows else ""
    )
    yield Text(
        f"Shared by all cells unless a cell changes them: {parameters}. Data fingerprint `{findings.data}`.{own_rows}"
    )
