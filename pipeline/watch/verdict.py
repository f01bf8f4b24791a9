"""Judge a watched training from its record, by the pipeline's rules: did it learn, why not, and what to try."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from pipeline.data.reference.yardstick import LEAST_SKILL
from pipeline.diagnosis import evidence
from pipeline.diagnosis.causes import LEARNED, NO_CAUSE, TABLE, UNEXPLAINED, alarms, closest, named, spelled, tries
from pipeline.diagnosis.fit_facts import FIT_TEXTS
from pipeline.diagnosis.notices import notices
from pipeline.diagnosis.rules.cause import REFERENCE, Cause, Evidence
from pipeline.diagnosis.rules.unexplained_rule import experiments
from pipeline.diagnosis.setting import Setting
from pipeline.evaluation.learned import (
    Rule,
    has_score,
    judged_outputs,
    outputs_in_words,
    reference_in_words,
    rule_of,
    score_curve,
)
from pipeline.evaluation.replica_table import evaluate
from pipeline.foundations.errors import UserError
from pipeline.history import record
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.evaluation_params import SCORES, SKILL, WORST_OUTPUT
from pipeline.watch.fit_verdict import Verdict
from pipeline.watch.for_machines.verdict_parts import layer_reports, reference_report, score_report

UNKNOWN_RULE: Final = Rule(SKILL, LEAST_SKILL)
LAYERS_IN_EVIDENCE: Final = (
    "dead_layer",
    "saturated_layer",
    "smallest_layer",
    "equal_layer",
    "frozen_layer",
    "time_layer",
)


def epochs_in_words(count: int) -> str:
    """Return "1 epoch", "2 epochs", ..."""
    return f"{count} epoch{'' if count == 1 else 's'}"


def judge(
    history: xr.Dataset, learned: Mapping[str, float] | None, params: DiagnosisParams, notes: Sequence[str]
) -> Verdict:
    """Return the verdict on a record.

    Args:
        history: the record.
        learned: see `evaluation.learned`; None for the task's usual rule.
        params: the thresholds.
        notes: sentences about what could not be watched.
    """
    rule, rule_notes = _rule(history, learned)
    return replace(
        _judged(history, rule, params, (*notes, *rule_notes)),
        epochs=int(history.epoch[-1]),
        score=score_report(history, rule),
        reference=reference_report(rule),
        layers=layer_reports(history, params.saturated_slope),
    )


def _judged(history: xr.Dataset, rule: Rule | None, params: DiagnosisParams, notes: Sequence[str]) -> Verdict:
    """Return the verdict without the parts that only machines read."""
    table = evidence.measure(history, params)
    numbers, symptoms, sentences = _symptoms(table, history, params)
    harms = _notices(table, history, params, has_learned=False)
    if int(history.epoch[-1]) == 0:
        headline = "Not trained: all measurements are from before the first step."
        return Verdict(None, None, numbers, symptoms, headline, sentences, (), notes, harms)
    if rule is None or not has_score(history, rule.score):
        # Whatever the score is, a network whose loss is NaN has not learned.
        has_diverged = record.is_loss_known(history) and bool(record.diverged(history)[0])
        rule = UNKNOWN_RULE if has_diverged else None
    if rule is None:
        reason = history.attrs.get(record.UNJUDGED)
        says = f"Cannot tell whether this model learned{f': {reason}' if reason else ''}. {sentences}"
        suggested = _tries(symptoms, Setting.of(history, numbers))
        return Verdict(None, None, numbers, symptoms, _neutral_headline(history), says, suggested, notes, harms)
    return _verdict(history, rule, params, notes, symptoms)


def _verdict(
    history: xr.Dataset, rule: Rule, params: DiagnosisParams, notes: Sequence[str], symptoms: Sequence[str]
) -> Verdict:
    """Return the verdict on a record that the rule can judge.

    Args:
        symptoms: the names of all conditions that hold.
    """
    table = evaluate(history, rule, params)
    row = table.iloc[0]
    numbers = with_paths(row[list(evidence.COLUMNS)].to_dict(), history)  # measured again, with the rule
    has_learned = row.outcome == LEARNED
    harms = _notices(table, history, params, has_learned=has_learned)
    if has_learned:
        symptoms = tuple(name for name in symptoms if not named(name).is_refuted(numbers))
        spite = f"It learned in spite of: {', '.join(map(spelled, symptoms))}." if symptoms else ""
        says = _joined(spite, _scores_in_words(rule))
        return Verdict(LEARNED, None, numbers, symptoms, _headline(history, rule, "Learned"), says, (), notes, harms)
    cause = None if row.cause == NO_CAUSE else str(row.cause)
    says = _joined(_on_cause(cause, numbers, params) if cause else "", _scores_in_words(rule))
    harms = {name: sentence for name, sentence in harms.items() if name != cause}  # which has the same sentence
    suggested = _tries([cause] if cause else [], Setting.of(history, numbers))[:4]
    headline = _headline(history, rule, "Did not learn")
    return Verdict(str(row.outcome), cause, numbers, symptoms, headline, says, suggested, notes, harms)


def may_have_early_notices(facts: Mapping[str, float], params: DiagnosisParams) -> bool:
    """Return whether the facts about what happens around the model allow any early notice, however well it is fitted.

    Making a record only to find none would load all of xarray, and Dask, in the first epoch.
    """
    worst = {"train_fit": np.inf, "train_gain": np.inf, "judged_fit": -np.inf, "judged_gain": -np.inf}
    table = pd.DataFrame([{**facts, **worst}], columns=list(evidence.COLUMNS), dtype=float)
    return bool(notices(table, params, is_early=True, has_learned=False))


def early_notices(history: xr.Dataset, params: DiagnosisParams) -> dict[str, str]:
    """Return sentences on what harms the training, by the notice's name, as far as known after the first epoch."""
    return _notices(evidence.measure(history, params), history, params, is_early=True, has_learned=False)


def _notices(
    table: pd.DataFrame, history: xr.Dataset, params: DiagnosisParams, is_early: bool = False, *, has_learned: bool
) -> dict[str, str]:
    numbers = with_paths(table.iloc[0][list(evidence.COLUMNS)].to_dict(), history)
    return {each.name: each.says(numbers) for each in notices(table, params, is_early, has_learned)}


def _on_cause(cause: str, numbers: Evidence, params: DiagnosisParams) -> str:
    """Return sentences on the cause; on an unexplained failure, what was ruled out, what is close, and what to test."""
    sentence = named(cause).says(numbers)
    if cause == UNEXPLAINED:
        return _joined("Cause unknown.", sentence, closest(numbers, params), experiments(numbers))
    opening = "The cause may be" if named(cause).is_tentative else "Cause"
    return f"{opening}: {spelled(cause)}. {sentence}".strip()


def _rule(history: xr.Dataset, learned: Mapping[str, float] | None) -> tuple[Rule | None, list[str]]:
    """Return the rule (None for an unknown task), and a note if the user's score does not fit the task."""
    try:
        return rule_of(history, learned), []
    except UserError as error:
        usual = rule_of(history, None)
        reason = str(error).removeprefix("evaluation.")
        return usual, [f"{reason}; judged by {usual.name} above {usual.threshold:g} instead"] if usual else []


def _symptoms(
    table: pd.DataFrame, history: xr.Dataset, params: DiagnosisParams
) -> tuple[Evidence, tuple[str, ...], str]:
    """Return the evidence, the names of the symptoms, and sentences about them; without any, what was ruled out."""
    numbers = with_paths(table.iloc[0].to_dict(), history)
    holds = alarms(table, params).iloc[0]
    symptoms = tuple(name for name in holds.index if holds[name])
    if not symptoms:
        is_recurrent = numbers["is_recurrent"] == 1
        return numbers, symptoms, _ruled_out(evidence.is_measured(history, params).iloc[0], is_recurrent)
    baseline = "the loss at the start" if record.is_loss_known(history) else "1"
    shown = numbers if record.is_baseline_known(history) else {**numbers, REFERENCE: baseline}
    return numbers, symptoms, " ".join(f"Symptom: {spelled(name)}. {named(name).says(shown)}" for name in symptoms)


def _ruled_out(is_measured: Mapping[str, bool], is_recurrent: bool) -> str:
    """Return sentences about which symptoms were ruled out, and which could not be measured."""
    possible = [each for each in TABLE if each.alarm and is_recurrent >= each.is_recurrent]
    ruled_out = [each for each in possible if each.reads and all(map(is_measured.get, each.reads))]
    others = [each for each in possible if each not in ruled_out]
    sentences = [f"Looked for and not found: {_names(ruled_out)}."] if ruled_out else []
    return " ".join([*sentences, *([f"Not measured: {_names(others)}."] if others else [])])


def _scores_in_words(rule: Rule) -> str:
    """Return what the score means, if that is not common, and the scores of the reference."""
    meaning = f"Skill is {SCORES[SKILL]}." if rule.score == SKILL else ""
    return _joined(meaning, reference_in_words(rule))


def _joined(*sentences: str) -> str:
    return " ".join(each for each in sentences if each)


def _headline(history: xr.Dataset, rule: Rule, outcome: str) -> str:
    part = record.PARTS[record.judged_part(history)]
    outputs = judged_outputs(history)
    if outputs and rule.score == WORST_OUTPUT:
        epochs = epochs_in_words(int(history.epoch[-1]))
        return f"{outcome}: after {epochs}, on {part} data: {outputs_in_words(outputs)}."
    score = float(score_curve(history, rule.score)[0, -1])
    shown = f"{score:.3f}" if np.isfinite(score) else "is NaN"
    return (
        f"{outcome}: {rule.name} {shown} on {part} data after {epochs_in_words(int(history.epoch[-1]))} "
        f"(learned means above {rule.threshold:g})."
    )


def _neutral_headline(history: xr.Dataset) -> str:
    loss = f"; training loss {float(history.train_loss[0, -1]):.4g}" if record.is_loss_known(history) else ""
    return f"Watched for {epochs_in_words(int(history.epoch[-1]))}{loss}."


def with_paths(numbers: Mapping[str, float], history: xr.Dataset) -> Evidence:
    """Return the evidence of one replica with layers by path, NaN as None, and the facts that are words."""
    plain: dict[str, float | str | None] = {
        name: None if np.isnan(value) else float(value) for name, value in numbers.items()
    }
    paths = dict(zip(history.layer.values.tolist(), history.path.values.tolist(), strict=True))
    for name in LAYERS_IN_EVIDENCE:
        if plain[name] is not None:
            plain[name] = paths[int(numbers[name])]
    return plain | {name: str(history.attrs[name]) for name in FIT_TEXTS if history.attrs.get(name)}


def _names(causes: Sequence[Cause]) -> str:
    return ", ".join(spelled(each.name) for each in causes)


def _tries(causes: Sequence[str], setting: Setting) -> tuple[str, ...]:
    """Return what to try against the first cause."""
    return tuple(each for cause in causes[:1] for each in tries(cause, setting))
