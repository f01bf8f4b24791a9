"""How far back the gradient of untrained recurrent layers reaches, and how well that predicts which replicas learn."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from pipeline.diagnosis.time_evidence import time_columns
from pipeline.evaluation.association import association
from pipeline.evaluation.summary import QUARTILES
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.params.study_params import Cell, axes_of_lines
from pipeline.params.variant_params import shown

ALL: Final = "all cells"
UNTRAINED: Final = {"time_reach": "reach", "time_steps": "steps", "time_decades": "decades"}


@dataclass(frozen=True)
class UntrainedReach:
    """The gradient through time of a study's cells at epoch 0. Both tables are empty without a recurrent layer.

    cells: one row per cell with a recurrent layer. `reach_*` are the quartiles over replicas of the number of last
        steps that get at least a thousandth of the greatest gradient; `steps` is the number of all steps; and
        `decades_median` is by how many powers of ten the gradient falls on its way back.
    associations: one row per value of the grid's other axis, then a row for ALL: Spearman's rank correlation of
        -decades, the share of the gradient that is left at the first step, with the final score, over replicas.
        `within_*` compares replicas of the same cell only, so lengths count for nothing; `overall_*` compares all.
    """

    cells: pd.DataFrame = field(default_factory=pd.DataFrame)
    associations: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by the names of their files; none without a recurrent layer."""
        return {"reach": self.cells, "association": self.associations} if len(self.cells) else {}


def untrained_reach(
    cells: Sequence[Cell], histories: Mapping[str, xr.Dataset], evaluations: Mapping[str, VariantEvaluation]
) -> UntrainedReach:
    """Return how far back the gradient reaches before training, and its association with the final score.

    Args:
        histories: the training history of each cell, by cell name.
        evaluations: the evaluation of each cell, by cell name.
    """
    axes = axes_of_lines(cells)
    parts = []
    for cell in cells:
        columns = time_columns(histories[cell.name].isel(recorded_epoch=[0]))
        if columns:
            evaluation = evaluations[cell.name]
            line = shown(cell.place[axes[1]]) if axes is not None and cell.place else ""
            part = pd.DataFrame({name: columns[column] for column, name in UNTRAINED.items()})
            score = (
                evaluation.replicas[evaluation.final].fillna(-np.inf).to_numpy()
            )  # of a diverged replica: the lowest
            parts.append(part.assign(cell=cell.name, line=line, score=score))
    if not parts:
        return UntrainedReach()
    replicas = pd.concat(parts, ignore_index=True).dropna(subset=["decades"])
    return UntrainedReach(_by_cell(replicas), _associations(replicas))


def _by_cell(replicas: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for cell, part in replicas.groupby("cell", sort=False):
        quartiles = {f"reach_{name}": part.reach.quantile(share) for name, share in QUARTILES.items()}
        fixed = {"cell": cell, "replicas": len(part), "steps": int(part.steps.max())}
        rows.append({**fixed, **quartiles, "decades_median": round(float(part.decades.median()), 4)})
    return pd.DataFrame(rows)


def _associations(replicas: pd.DataFrame) -> pd.DataFrame:
    lines = {str(line): part for line, part in replicas.groupby("line", sort=False) if line}
    rows = []
    for line, part in {**lines, ALL: replicas}.items():
        left, score = -part.decades.to_numpy(), part.score.to_numpy()
        kinds = {"within": association(left, score, part.cell.to_numpy()), "overall": association(left, score)}
        values = {f"{kind}_{key}": value for kind, each in kinds.items() for key, value in asdict(each).items()}
        counts = {"line": line, "replicas": len(part)}
        numbers = {key: round(value, 4) for key, value in values.items() if not key.endswith("_replicas")}
        rows.append({**counts, **numbers})
    return pd.DataFrame(rows)
