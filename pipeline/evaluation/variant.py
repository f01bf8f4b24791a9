"""The record of a variant's evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.diagnosis.remedies import Remedy
from pipeline.evaluation.expectations import Expectation


@dataclass(frozen=True)
class Diagnosis:
    """What a variant suffers from, in words.

    cause: of most replicas that did not learn, if any. remedies: for it, the most promising first. theory: numbers
    known of such networks, beside the measured ones.
    """

    verdict: str
    cause: str | None
    remedies: Sequence[Remedy]
    theory: Sequence[Expectation]


@dataclass(frozen=True)
class VariantEvaluation:
    """All numbers of a variant, and what they say.

    metrics: what the metrics file holds, numbers alone, see `summary.metrics`.
    replicas: a row a replica; curves: a row an epoch; layers: a row a recorded epoch and layer.
    """

    metrics: dict[str, Any]
    diagnosis: Diagnosis
    replicas: pd.DataFrame
    curves: pd.DataFrame
    layers: pd.DataFrame
