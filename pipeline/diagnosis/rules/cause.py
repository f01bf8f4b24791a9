"""What a row of the table of causes is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from pipeline.diagnosis.setting import Setting
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.variant_params import VariantParams
from pipeline.remedies.recipe_remedies import Remedies

Rule = Callable[[pd.DataFrame, DiagnosisParams], pd.Series]
# Of `diagnosis.evidence`, for one replica: layers by their paths, None where a number does not exist. A sentence names
# only what is there.
Evidence = Mapping[str, Any]
REFERENCE = "reference"  # in it: the name of the loss that others are compared with, where that is not the baseline
Family = Literal["data", "model", "inference", "optimisation", "signals", "rest"]


class Try:
    """What to try in a network of one's own.

    says: in words. remedies: the names by which `remedies.keras_remedies` does it; none where only its owner can.
    fits: whether it can help with these inputs and layers.
    """

    def __init__(self, says: str, *remedies: str, fits: Callable[[Setting], bool] = lambda setting: True) -> None:
        self.says = says
        self.remedies = remedies
        self.fits = fits


@dataclass(frozen=True)
class Cause:
    """All that is known of a cause.

    name: as tables, tags and metrics have it.
    rule: takes the evidence (one row per replica) and the thresholds; returns one bool per replica.
    colour: in every figure and page, and of MLflow's runs; no other outcome's.
    sentence: takes the evidence of the replicas that have it and the highest share that theory allows to be born dead
        (None where it says nothing); returns a part of the verdict.
    remedies: takes the resolved variant and its epochs; returns remedies, the most promising first. None where no
        parameter of a variant is one.
    instead: why this is not mainly a vanishing gradient, which everybody suspects first; None for that one itself.
    family: of `signals` are symptoms too: what the signals do, which a cause of another family may explain.
    says: takes the evidence of one replica; what was seen, as sentences.
    tries: what to try in a network of one's own, the most useful first where `diagnosis.measured` does not know better.
    layer: the column of the evidence that names the layer in question.
    alarm: wrong in itself, also in a replica that learned in spite of it.
    at_start: can be told before the first step.
    reads: the columns of the evidence without which an alarm cannot be ruled out.
    """

    name: str
    rule: Rule
    colour: str
    sentence: Callable[[pd.DataFrame, float | None], str]
    remedies: Callable[[VariantParams, int], Remedies]
    instead: str | None
    family: Family = "rest"
    says: Callable[[Evidence], str] = lambda found: ""
    tries: tuple[Try, ...] = ()
    layer: str | None = None
    alarm: bool = True
    at_start: bool = False
    reads: tuple[str, ...] = ()


def verb(rows: pd.DataFrame, one: str, many: str) -> str:
    """is / are."""
    return one if len(rows) == 1 else many


def reference(found: Evidence) -> str:
    """Name the loss that others are compared with; the baseline is a constant prediction's."""
    return str(found.get(REFERENCE, "the baseline loss"))


def joined(parts: Iterable[str]) -> str:
    """Join the parts of a sentence that there are."""
    return "; ".join(part for part in parts if part)


def no_parameter(recipe: VariantParams, epochs: int) -> Remedies:
    """Of a cause that no parameter of a variant can change."""
    return ()
