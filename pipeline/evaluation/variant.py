"""The record of a variant's evaluation."""

from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class VariantEvaluation:
    """All numbers of a variant.

    metrics: what the metrics file holds, see `summary.metrics`.
    replicas: a row a replica; curves: a row an epoch; layers: a row a recorded epoch and layer.
    """

    metrics: dict[str, Any]
    replicas: pd.DataFrame
    curves: pd.DataFrame
    layers: pd.DataFrame
