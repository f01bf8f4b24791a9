"""Make the parts of a verdict's report for machines: evidence, score, reference, advice and layers."""

from collections.abc import Sequence
from typing import Final, cast

import numpy as np
import xarray as xr

from pipeline.diagnosis.causes import UNEXPLAINED, named, suggestions
from pipeline.diagnosis.evidence_units import MEANINGS, UNITS
from pipeline.diagnosis.layer_evidence import saturated_at
from pipeline.diagnosis.rules.cause import Evidence
from pipeline.evaluation.learned import Rule, has_score, judged_outputs, score_curve
from pipeline.history import record
from pipeline.remedies import measured
from pipeline.remedies.remedy_registry import REMEDIES
from pipeline.watch.for_machines.report_models import (
    AdviceReport,
    EvidenceReport,
    LayerReport,
    Number,
    OutputScoreReport,
    PartOfData,
    ReferenceReport,
    RemedyReport,
    Role,
    ScoreReport,
    number,
)

MISFIT: Final = "output_misfit"  # a place in MISFITS, whose words machines get
PLACE: Final = ", by its place in MISFITS"


def evidence_report(evidence: Evidence) -> dict[str, EvidenceReport]:
    """Return the known numbers of the evidence, each with unit and meaning."""
    known = {name: value for name, value in evidence.items() if value is not None and value == value}
    return {name: _measured_number(name, value) for name, value in known.items()}


def has_abstained(outcome: str | None, cause: str | None) -> bool:
    """Return whether the diagnosis names no cause of a possible failure."""
    return outcome is None or cause == UNEXPLAINED


def is_tentative(cause: str | None) -> bool:
    """Return whether a verdict says "may be" of the cause."""
    return cause is not None and named(cause).is_tentative


def advice_report(cause: str | None, words: Sequence[str]) -> tuple[AdviceReport, ...]:
    """Return the advice against a cause, with the remedies that make the change.

    Args:
        words: the advice that fits the network, as `causes.tries` returns it.
    """
    fitting = [each for each in suggestions(cause) if each.words in words] if cause else []
    return tuple(
        AdviceReport(words=each.words, remedies=tuple(_remedy(str(cause), name) for name in each.remedies))
        for each in fitting
    )


def score_report(history: xr.Dataset, rule: Rule | None) -> ScoreReport | None:
    """Return the score at the end; None without a rule, before the first step, and if the record lacks the score."""
    if rule is None or int(history.epoch[-1]) == 0 or not has_score(history, rule.score):
        return None
    return ScoreReport(
        name=rule.score,
        value=number(float(score_curve(history, rule.score)[0, -1])),
        threshold=number(rule.threshold),
        part=cast(PartOfData, record.judged_part(history)),
        guess=number(rule.guess),
        outputs=tuple(
            OutputScoreReport(
                output=each.yardstick.name,
                name=each.yardstick.score,
                value=number(each.value),
                threshold=number(each.bar),
            )
            for each in judged_outputs(history)
        ),
    )


def reference_report(rule: Rule | None) -> ReferenceReport | None:
    """Return the scores of the quick models; None if no quick model was requested."""
    if rule is None or rule.reference is None:
        return None
    return ReferenceReport(
        score=rule.score,
        models={name: number(score) for name, score in rule.references.items()},
        part=rule.reference.part,
        rows=rule.reference.judged,
        skipped=rule.reference.skipped or None,
    )


def layer_reports(history: xr.Dataset, slope: float) -> tuple[LayerReport, ...]:
    """Return the layer table, with numbers at the last recorded epoch.

    Args:
        slope: the limit of a saturated unit's slope, as a fraction of the activation's greatest slope.
    """
    last = history.isel(replica=0, recorded_epoch=-1)
    saturated = saturated_at(history, slope)[0, -1] if record.SATURATED in history else None
    return tuple(
        LayerReport(
            path=str(layer.path.item()),
            kind=str(layer.kind.item()),
            role=cast(Role, layer.role.item()),
            units=int(layer.units),
            is_trainable=bool(layer.trainable),
            is_bypassed=bool(layer.bypassed),
            gradient=_measured(layer, "gradient_mean_abs"),
            probe_gradient=_measured(layer, "probe_gradient_mean_abs"),
            dead_share=_share(layer, layer.dead_unit_share) if "dead_unit_share" in layer else None,
            saturated_share=None if saturated is None else _share(layer, saturated[place]),
        )
        for place, layer in ((place, last.isel(layer=place)) for place in range(history.sizes["layer"]))
    )


def _measured_number(name: str, value: float | str) -> EvidenceReport:
    # Several replicas share no layer's path, so a layer of theirs is a number.
    unit = "layer, from 1" if UNITS[name] == "path" and not isinstance(value, str) else UNITS[name]
    meaning = MEANINGS[name].removesuffix(PLACE)
    if isinstance(value, str):
        return EvidenceReport(value=value, unit=unit, meaning=meaning)
    shown = record.MISFITS[int(value)] if name == MISFIT else number(value)
    return EvidenceReport(value=shown, unit=unit, meaning=meaning)


def _remedy(cause: str, name: str) -> RemedyReport:
    remedy, counts = REMEDIES[name], measured.counts(cause, name)
    return RemedyReport(
        name=name, change=remedy.changes, is_in_place=remedy.in_place, fixed=counts.learned, runs=counts.runs
    )


def _measured(layer: xr.Dataset, name: str) -> Number | None:
    """Return a layer's value; None if it was not measured, which the record shows as NaN."""
    return None if name not in layer or np.isnan(layer[name]) else number(float(layer[name]))


def _share(layer: xr.Dataset, share: float | xr.DataArray) -> float | None:
    """Return a share of the layer's units; None without an activation that was measured."""
    is_known = bool(layer.has_activation) and bool(np.isfinite(share))
    return min(1.0, float(share)) if is_known else None
