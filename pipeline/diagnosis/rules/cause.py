"""What a row of the table of causes holds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from pipeline.diagnosis.setting import Setting
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.remedies.recipe_changes import Against

Rule = Callable[[pd.DataFrame, DiagnosisParams], pd.Series]
# The evidence of one replica, by the columns of `diagnosis.evidence`: layers by their paths or numbers, None where a
# number does not exist.
Evidence = Mapping[str, float | str | None]
REFERENCE = "reference"  # in it: the name of the loss that others are compared with, where that is not the baseline
Family = Literal["data", "model", "inference", "optimisation", "signals", "rest"]


class Advice:
    """What to try in a network of one's own.

    words: of the change. remedies: the names of the remedies that make it; none where only the owner can.
    fits: takes inputs and layers; returns whether the advice can help there.
    """

    def __init__(self, words: str, *remedies: str, fits: Callable[[Setting], bool] = lambda setting: True) -> None:
        self.words = words
        self.remedies = remedies
        self.fits = fits


@dataclass(frozen=True)
class Cause:
    """All that is known of a cause; the reference pages are made of it.

    name: as tables, tags and metrics have it.
    family: those of `signals` are symptoms too, which a cause of another family may explain.
    rule: takes the evidence (one row per replica) and the thresholds; returns one bool per replica.
    colour: in every figure and page, and of MLflow's runs; no other outcome has it.
    sentence: takes the evidence of the replicas that have it and the highest share that theory allows to be born dead
        (None where theory does not apply); returns a part of a variant's verdict.
    says: takes the evidence of one replica; returns sentences on what was measured.
    means: what the cause is. measured: how it is measured, as sentences, where that needs explaining. condition: the
        rule in terms of evidence and thresholds. looks_like: what a user sees first. confused_with: causes that look
        alike, and what tells them apart. All for the pages, as Markdown.
    remedies: of a described variant, the most promising first; none where no parameter of a variant helps.
    advice: for a network of one's own, the most useful first where no benchmark says better.
    layer: the column of the evidence that names the layer in question.
    alarm: wrong in itself, also in a replica that learned in spite of it.
    at_start: can be found before the first step.
    reads: the columns of the evidence without which an alarm cannot be ruled out.
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


def number(evidence: Evidence, name: str) -> float:
    """Return a number of the evidence that exists, because the rule holds or the caller has checked."""
    value = evidence[name]
    assert value is not None, name
    return float(value)


def verb(rows: pd.DataFrame, one: str, many: str) -> str:
    """Return the verb's form for so many replicas."""
    return one if len(rows) == 1 else many


def reference(evidence: Evidence) -> str:
    """Name the loss that others are compared with; the baseline is the best constant prediction's."""
    return str(evidence.get(REFERENCE, "the baseline loss"))


def joined(parts: Iterable[str]) -> str:
    """Join the parts of a sentence that are not empty."""
    return "; ".join(part for part in parts if part)
