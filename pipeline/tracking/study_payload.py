"""What MLflow is to hold of a study, as plain values: a run for it, and a run for each cell below."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.diagnosis.causes import outcome_names
from pipeline.evaluation.cells_table import score_column
from pipeline.tracking import metric_keys as keys
from pipeline.tracking.metric_keys import Point
from pipeline.tracking.payload import Parameters, ReplicaPayload, VariantPayload, digest, flattened


def assemble_study(
    name: str,
    cells: pd.DataFrame,
    recipes: Mapping[str, Mapping[str, Any]],
    answer: str,
    data: Sequence[Path],
    artifacts: Mapping[str, Sequence[Path]],
) -> VariantPayload:
    """All of a study.

    Args:
        cells: its table. recipes: `variant` and `training` of each cell. answer: its page's first part (Markdown).
        data: both parts of the split. artifacts: what MLflow gets, by folder; `figures` stand side by side in the UI.
    """
    counts = {effect: int((cells.effect == effect).sum()) for effect in ("helps", "harms", "undecided")}
    return VariantPayload(
        variant=name,
        fingerprint=digest({"study": name, "cells": recipes}, data),
        evaluation_hash=digest({}, [path for paths in artifacts.values() for path in paths]),
        final=score_column(cells).removesuffix("_median"),
        chosen_by=score_column(cells).removesuffix("_median"),
        use="",
        parameters=Parameters({"study": name, "cells": str(len(cells))}, {}),
        description=answer,
        points=[Point(keys.CELLS.of(effect=effect), count) for effect, count in counts.items()],
        replicas=[_cell(row, score_column(cells), recipes[row["cell"]], name) for row in cells.to_dict("records")],
        artifacts={folder: list(paths) for folder, paths in artifacts.items()},
        images=list(artifacts["figures"]),
        models={},
    )


def _cell(row: Mapping[str, Any], score: str, recipe: Mapping[str, Any], study: str) -> ReplicaPayload:
    values = {name: float(row[name]) for name in (*(key.of() for key in keys.OF_CELL), score)}
    values |= {keys.OUTCOMES.of(outcome=outcome): float(row[outcome]) for outcome in outcome_names()}
    tags = {"effect": str(row["effect"]), "changes": "" if pd.isna(row["changes"]) else str(row["changes"])}
    return ReplicaPayload(
        name=str(row["cell"]),
        params={"study": study, "cell": str(row["cell"]), **flattened(recipe["variant"]), **_budget(recipe)},
        tags=tags,
        points=keys.finite(Point(key, value) for key, value in values.items()),
        final=float(row[score]),
        score=float(row[score]),
    )


def _budget(recipe: Mapping[str, Any]) -> dict[str, str]:
    return flattened({"training": recipe["training"]})
