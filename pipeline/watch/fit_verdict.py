"""The verdict on one training, as text and as a report for machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from pipeline.diagnosis.rules.cause import Evidence
from pipeline.foundations.untyped import Attributes
from pipeline.watch.for_machines.report_models import (
    LayerReport,
    NoticeReport,
    Outcome,
    ReferenceReport,
    ScoreReport,
    VerdictReport,
)
from pipeline.watch.for_machines.verdict_parts import advice_report, evidence_report, has_abstained, is_tentative


@dataclass(frozen=True)
class Verdict:
    """The conclusion of `Diagnosis`; `print` shows it as text.

    outcome: `learned`, `not_learned`, or None if no rule applies.
    cause: the name of the cause, or None.
    evidence: the numbers behind the cause, by name.
    symptoms: the names of all conditions that hold, even if they are not the cause.
    headline: a sentence with outcome and score.
    says: sentences about the cause or the symptoms.
    tries: remedies to try, the most promising first.
    notes: sentences about what could not be watched.
    notices: sentences about what harms the training, whatever its outcome, by the notice's name.
    epochs: the number of epochs that were watched; None if nothing was recorded.
    score: the score at the end, or None.
    reference: the scores of quick models on the same rows, or None.
    layers: the layer table.
    """

    outcome: str | None
    cause: str | None
    evidence: Evidence
    symptoms: Sequence[str]
    headline: str
    says: str
    tries: Sequence[str]
    notes: Sequence[str]
    notices: Mapping[str, str] = field(default_factory=dict)
    epochs: int | None = None
    score: ScoreReport | None = None
    reference: ReferenceReport | None = None
    layers: tuple[LayerReport, ...] = ()

    def __str__(self) -> str:
        parts = [self.headline, self.says, *(f"Notice: {sentence}" for sentence in self.notices.values())]
        if self.tries:
            parts.append("What to try: " + "; ".join(self.tries) + ".")
        parts += [f"Note: {note.rstrip('.')}." for note in self.notes]
        return "\n".join(part for part in parts if part)

    @property
    def report(self) -> VerdictReport:
        """The verdict for machines, as in the report of `python3 -m pipeline.watch --json`."""
        advised = self.cause or (next(iter(self.symptoms), None) if self.outcome is None else None)
        return VerdictReport(
            outcome=cast(Outcome | None, self.outcome),
            cause=self.cause,
            abstained=has_abstained(self.outcome, self.cause),
            tentative=is_tentative(self.cause),
            headline=self.headline,
            explanation=self.says,
            epochs=self.epochs,
            score=self.score,
            reference=self.reference,
            symptoms=tuple(self.symptoms),
            notices=tuple(NoticeReport(name=name, sentence=says) for name, says in self.notices.items()),
            advice=advice_report(advised, self.tries),
            evidence=evidence_report(self.evidence),
            layers=self.layers,
            notes=tuple(self.notes),
        )

    def as_dict(self) -> Attributes:
        """Return the verdict as maps, lists, texts, numbers and None; docs/verdict.schema.json describes it."""
        return self.report.as_dict()


def unrecorded(why: str, notes: Sequence[str]) -> Verdict:
    """Return the verdict without a record.

    Args:
        why: why nothing is recorded; notes within this text are not listed again.
        notes: sentences about what could not be watched.
    """
    headline = f"{why[0].upper()}{why[1:]}."
    return Verdict(None, None, {}, (), headline, "", (), tuple(note for note in notes if note not in why))
