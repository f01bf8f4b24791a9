"""What became of a watched training, why, and what to try: from its record alone, by the pipeline's own rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr

from pipeline.diagnosis import evidence
from pipeline.diagnosis.causes import LEARNED, NO_CAUSE, TABLE, alarms, named, spelled, tries
from pipeline.diagnosis.rules.cause import REFERENCE, Cause
from pipeline.diagnosis.setting import Setting
from pipeline.evaluation.learned import Rule, has_score, rule_for, score_curve
from pipeline.evaluation.replica_table import evaluate
from pipeline.foundations.errors import UserError
from pipeline.history import record
from pipeline.params.diagnosis_params import DiagnosisParams

LAYERS_IN_EVIDENCE: Final = ("dead_layer", "saturated_layer", "smallest_layer", "equal_layer", "frozen_layer")


@dataclass(frozen=True)
class Verdict:
    """outcome: `learned`, `not_learned` or None. cause: its name, or None. evidence: numbers by name, layers by path.

    symptoms: the conditions that hold, whether they are the cause or not. tries: what to try. notes: what was not
    watched.
    """

    outcome: str | None
    cause: str | None
    evidence: Mapping[str, Any]
    symptoms: Sequence[str]
    headline: str
    says: str
    tries: Sequence[str]
    notes: Sequence[str]

    def __str__(self) -> str:
        parts = [self.headline, self.says]
        if self.tries:
            parts.append("What to try: " + "; ".join(self.tries) + ".")
        parts += [f"Note: {note.rstrip('.')}." for note in self.notes]
        return "\n".join(part for part in parts if part)


def nothing(why: str, notes: Sequence[str]) -> Verdict:
    """Return the verdict where nothing is recorded.

    Args:
        why: in words; notes that it names already are not listed again.
    """
    headline = f"{why[0].upper()}{why[1:]}."
    return Verdict(None, None, {}, (), headline, "", (), tuple(note for note in notes if note not in why))


def judge(
    history: xr.Dataset, learned: Mapping[str, float] | None, params: DiagnosisParams, notes: Sequence[str]
) -> Verdict:
    """The verdict.

    Args:
        history: as the recorder gives it. learned: as `evaluation.learned`, or None for the task's usual rule.
        params: thresholds. notes: what was not watched.
    """
    rule, said = _rule(history, learned)
    found = evidence.measure(history, params)
    numbers = _plain(found.iloc[0].to_dict(), history)
    if not history.attrs.get("task_is_known"):
        numbers[REFERENCE] = "the loss at the start" if record.is_loss_known(history) else "1"
    holds = alarms(found, params).iloc[0]
    symptoms = tuple(name for name in holds.index if holds[name])
    listed = _listed(symptoms, numbers, evidence.is_measured(history, params).iloc[0])
    numbers.pop(REFERENCE, None)
    notes = (*notes, *said)
    if int(history.epoch[-1]) == 0:
        headline = "Not trained: what follows is of the state before the first step."
        return Verdict(None, None, numbers, symptoms, headline, listed, (), notes)
    if rule is None or not has_score(history, rule.score):
        says = f"Cannot tell whether this model learned. {listed}"
        setting = Setting.of(history, numbers)
        return Verdict(None, None, numbers, symptoms, _ended(history), says, _tries(symptoms, setting), notes)
    row = evaluate(history, rule, params).iloc[0]
    numbers = _plain(row[list(evidence.COLUMNS)].to_dict(), history)  # these know the rule
    if row.outcome == LEARNED:
        says = f"Wrong in itself all the same: {', '.join(map(spelled, symptoms))}." if symptoms else ""
        return Verdict(LEARNED, None, numbers, symptoms, _reached(history, rule, "Learned"), says, (), notes)
    cause = None if row.cause == NO_CAUSE else str(row.cause)
    says = f"Cause: {spelled(cause)}. {_says(cause, numbers)}".strip() if cause else ""
    headline = _reached(history, rule, "Did not learn")
    suggested = _tries([cause] if cause else [], Setting.of(history, numbers))[:4]
    return Verdict(str(row.outcome), cause, numbers, symptoms, headline, says, suggested, notes)


def _rule(history: xr.Dataset, learned: Mapping[str, float] | None) -> tuple[Rule | None, list[str]]:
    if not history.attrs.get("task_is_known"):
        return None, []
    try:
        return rule_for(record.task_of(history), learned), []
    except UserError as error:
        usual = rule_for(record.task_of(history), None)
        stated = str(error).removeprefix("evaluation.")
        return usual, [f"{stated}; judged by {usual.name} above {usual.threshold:g} instead"]


def _reached(history: xr.Dataset, rule: Rule, said: str) -> str:
    part = record.PARTS[record.judged_part(history)]
    score = float(score_curve(history, rule.score)[0, -1])
    shown = f"{score:.3f}" if np.isfinite(score) else "has no value"
    return (
        f"{said}: {part} {rule.name} {shown} after {int(history.epoch[-1])} epochs; learned is above "
        f"{rule.threshold:g}."
    )


def _ended(history: xr.Dataset) -> str:
    loss = float(history.train_loss[0, -1])
    ended = f"; training loss {loss:.4g}" if record.is_loss_known(history) else ""
    return f"Watched for {int(history.epoch[-1])} epochs{ended}."


def _plain(found: Mapping[str, Any], history: xr.Dataset) -> dict[str, Any]:
    """NaN as None; a layer by its path."""
    numbers: dict[str, Any] = {name: None if np.isnan(value) else float(value) for name, value in found.items()}
    paths = dict(zip(history.layer.values.tolist(), history.path.values.tolist(), strict=True))
    for name in LAYERS_IN_EVIDENCE:
        if numbers[name] is not None:
            numbers[name] = paths[int(numbers[name])]
    return numbers


def _says(cause: str, numbers: Mapping[str, Any]) -> str:
    return named(cause).says(numbers)


def _listed(symptoms: Sequence[str], numbers: Mapping[str, Any], is_measured: Mapping[str, bool]) -> str:
    """Return the symptoms; where there is none, what was looked for."""
    if not symptoms:
        looked_for = [each for each in TABLE if each.alarm and each.reads and all(map(is_measured.get, each.reads))]
        others = [each for each in TABLE if each.alarm and each not in looked_for]
        said = [f"Looked for and not found: {_names(looked_for)}."] if looked_for else []
        return " ".join([*said, *([f"Not measured: {_names(others)}."] if others else [])])
    return " ".join(f"Symptom: {spelled(name)}. {_says(name, numbers)}" for name in symptoms)


def _names(causes: Sequence[Cause]) -> str:
    return ", ".join(spelled(each.name) for each in causes)


def _tries(causes: Sequence[str], setting: Setting) -> tuple[str, ...]:
    return tuple(each for cause in causes[:1] for each in tries(cause, setting))
