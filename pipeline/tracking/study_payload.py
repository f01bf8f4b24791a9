"""Assemble the content of a study's runs in MLflow: a run for the study, and a child run for each cell."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline.diagnosis.causes import outcome_names
from pipeline.evaluation.effects import HARMS, HELPS, UNDECIDED
from pipeline.evaluation.learned import score_column
from pipeline.tracking import metric_keys as keys
from pipeline.tracking.metric_keys import Point
from pipeline.tracking.payload import ReplicaPayload, VariantPayload, digest
from pipeline.tracking.run_parameters import Parameters, Sections, flattened


def assemble_study(
    name: str,
    cells: pd.DataFrame,
    recipes: Mapping[str, Sections],
    answer: str,
    data: Sequence[Path],
    artifacts: Mapping[str, Sequence[Path]],
) -> VariantPayload:
    """Return the content of a study's runs.

    Args:
        name: the study's name.
        cells: the study's table.
        recipes: the sections `variant` and `training` of each cell, by its name; and `data`, if its rows differ.
        answer: the first part of the study's page (Markdown).
        data: the files of all parts of the split.
        artifacts: the files that MLflow gets, by folder; the UI can show those of `figures` side by side.
    """
    score = score_column(cells)
    counts = {effect: int((cells.effect == effect).sum()) for effect in (HELPS, HARMS, UNDECIDED)}
    return VariantPayload(
        variant=name,
        fingerprint=digest({"study": name, "cells": recipes}, data),
        evaluation_hash=digest({}, [path for paths in artifacts.values() for path in paths]),
        final=score.removesuffix("_median"),
        chosen_by=score.removesuffix("_median"),
        use="",
        parameters=Parameters({"study": name, "cells": str(len(cells))}, {}),
        description=answer,
        points=[Point(keys.CELLS.of(effect=effect), count) for effect, count in counts.items()],
        replicas=[_cell(row, score, recipes[row["cell"]], name) for row in cells.to_dict("records")],
        artifacts={folder: list(paths) for folder, paths in artifacts.items()},
        images=list(artifacts["figures"]),
        models={},
    )


def _cell(row: Mapping[Hashable, str | float], score: str, recipe: Sections, study: str) -> ReplicaPayload:
    values = {name: float(row[name]) for name in (*(key.of() for key in keys.OF_CELL), score)}
    values |= {keys.OUTCOMES.of(outcome=outcome): float(row[outcome]) for outcome in outcome_names()}
    tags = {"effect": str(row["effect"]), "changes": "" if pd.isna(row["changes"]) else str(row["changes"])}
    return ReplicaPayload(
        name=str(row["cell"]),
        params={
            **{"study": study, "cell": str(row["cell"])},
            **flattened(recipe["variant"]),
            **flattened({key: value for key, value in recipe.items() if key != "variant"}),
        },
        tags=tags,
        points=keys.finite(Point(key, value) for key, value in values.items()),
        final=float(row[score]),
        score=float(row[score]),
    )
