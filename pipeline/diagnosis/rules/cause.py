"""Define a row of the table of causes, and the helpers of its sentences."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from pipeline.diagnosis.setting import Setting
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.remedies.recipe_changes import Against

Rule = Callable[[pd.DataFrame, DiagnosisParams], pd.Series]
# The evidence of one replica, by the columns of `diagnosis.evidence`: a layer is its path or number, and a number that
# does not exist is None.
Evidence = Mapping[str, float | str | None]
REFERENCE = "reference"  # key of Evidence: the name of the loss that losses are compared with, if not the baseline loss
Family = Literal["data", "model", "fit", "inference", "optimisation", "signals", "rest"]


@dataclass(frozen=True)
class Limit:
    """A condition of a rule that compares one number of the evidence with one threshold.

    column: the number.
    threshold: the name of the threshold in `diagnosis` of params.yaml.
    is_upper: whether the condition holds above the threshold; otherwise it holds below.
    """

    column: str
    threshold: str
    is_upper: bool = True

    def nearness(self, evidence: Evidence, params: DiagnosisParams) -> float:
        """Return how near the number is to the threshold: 1 or more if the condition holds, 0 if it is unknown."""
        value, threshold = evidence.get(self.column), getattr(params, self.threshold)
        if value is None or float(value) <= 0:
            return 0.0
        return float(value) / threshold if self.is_upper else threshold / float(value)


class Advice:
    """Advice on a user's own network.

    words: what to change, in words.
    remedies: the names of the remedies that make this change; none if only the user can make it.
    fits: takes inputs and layers of a network; returns whether the advice can help it.
    """

    def __init__(self, words: str, *remedies: str, fits: Callable[[Setting], bool] = lambda setting: True) -> None:
        self.words = words
        self.remedies = remedies
        self.fits = fits


@dataclass(frozen=True)
class Cause:
    """All that the project knows about a cause; the reference pages are generated from it.

    name: the name in tables, tags and metrics.
    family: the kind of the cause. A cause of the family `signals` is also a symptom, which a cause of another family
        may explain.
    rule: takes the evidence (one row per replica) and the thresholds; returns one bool per replica.
    colour: the colour in all figures and pages and of MLflow's runs; every outcome has its own.
    sentence: takes the evidence of the replicas with this cause, and the highest share of born-dead replicas that
        theory allows (None if theory does not apply); returns a part of a variant's verdict.
    says: takes the evidence of one replica; returns sentences on what was measured.
    means: what the cause is. This and the next four texts are Markdown for the pages.
    condition: the rule in terms of evidence and thresholds.
    looks_like: what a user sees first.
    confused_with: similar causes, and how they differ.
    measured: how the cause is measured, in sentences; "" if `condition` is enough.
    remedies: remedies for a variant of params.yaml, the most promising first; none if no parameter helps.
    advice: advice on a user's own network, the most useful first; counts of the benchmark reorder it.
    layer: the column of the evidence that names the layer with the fault.
    alarm: whether it is reported even in a replica that learned.
    at_start: whether it can be found before the first step.
    reads: the columns of the evidence that are needed to rule out an alarm.
    limits: the conditions of the rule that have a threshold; an unexplained failure shows those that came nearest.
    needs_misfit: whether the cause is ruled out if the training loss fell well below the baseline loss (by
        `harmless_fit`), because such a scale or signal did no harm.
    is_recurrent: whether only networks with recurrent layers can have it.
    is_refuted: takes the evidence of a replica that learned; returns whether this proves an alarm false.
    is_tentative: whether the text says "may be", because the cause was seldom right on programs that no rule had seen.
    """

    name: str
    family: Family
    rule: Rule
    colour: str
    sentence: Callable[[pd.DataFrame, float | None], str]
    says: Callable[[Evidence], str]
    means: str
    condition: str
    looks_like: str
    confused_with: str
    advice: tuple[Advice, ...]
    remedies: tuple[Against, ...] = ()
    measured: str = ""
    layer: str | None = None
    alarm: bool = True
    at_start: bool = False
    reads: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    needs_misfit: bool = False
    is_tentative: bool = False
    is_recurrent: bool = False
    is_refuted: Callable[[Evidence], bool] = lambda evidence: False


def number(evidence: Evidence, name: str) -> float:
    """Return a number of the evidence; the rule or the caller must ensure that it exists."""
    value = evidence[name]
    assert value is not None, name
    return float(value)


def is_below(evidence: Evidence, name: str, limit: float) -> bool:
    """Return whether a number of the evidence is known and below a limit."""
    value = evidence.get(name)
    return value is not None and float(value) < limit


def is_misfit(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return True unless the training loss is known to be well below the baseline loss."""
    return ~(evidence.train_fit > params.harmless_fit)


def verb(rows: pd.DataFrame, singular: str, plural: str) -> str:
    """Return the form of a verb whose subject is the number of replicas."""
    return singular if len(rows) == 1 else plural


def reference(evidence: Evidence) -> str:
    """Return the name of the loss that losses are compared with: usually "the baseline loss"."""
    return str(evidence.get(REFERENCE, "the baseline loss"))


def join(parts: Iterable[str]) -> str:
    """Join the parts of a sentence that are not empty, with semicolons."""
    return "; ".join(part for part in parts if part)
