"""Evaluate a study's cells, and collect the results in tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import xarray as xr

from pipeline.diagnosis import theory
from pipeline.evaluation import summary
from pipeline.evaluation.cells_table import cells_table, pretraining_table, stacked
from pipeline.evaluation.study_rules import StudyRules
from pipeline.evaluation.untrained_reach import UntrainedReach, untrained_reach
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.study_params import Cell
from pipeline.studies.cell_rows import StudyRows


@dataclass(frozen=True)
class EvaluatedCells:
    """The results of a study.

    evaluations: the evaluation of each cell, by cell name.
    table: one row per cell, see `cells_table`.
    reach: how far back the gradient of recurrent layers reaches before training.
    """

    evaluations: Mapping[str, VariantEvaluation]
    table: pd.DataFrame
    reach: UntrainedReach

    def tables(self, pretraining: Mapping[str, xr.Dataset]) -> dict[str, pd.DataFrame]:
        """Return all tables of the study by name.

        Args:
            pretraining: the pre-training history of each pre-trained cell, by cell name.
        """
        evaluations = self.evaluations.items()
        tables = {
            "cells": self.table,
            "replicas": stacked({cell: each.replicas for cell, each in evaluations}),
            "curves": stacked({cell: each.curves for cell, each in evaluations}),
            **self.reach.tables,
        }
        return tables | ({"pretraining": pretraining_table(pretraining)} if pretraining else {})


def evaluate_cells(
    cells: Sequence[Cell],
    histories: Mapping[str, xr.Dataset],
    rows: StudyRows,
    rules: StudyRules,
    params: DiagnosisParams,
) -> EvaluatedCells:
    """Return the results of all cells of a study.

    Args:
        histories: the training history of each cell, by cell name.
        rows: the rows of the cells.
        rules: the rules by which replicas of the cells have learned.
    """
    variants = {cell.name: cell.variant for cell in cells}
    rule_by_cell = {cell.name: rules.of(cell) for cell in cells}
    premises = {
        cell.name: theory.premises(cell.variant, rows.of(cell).origin, rows.of(cell).split.train.inputs)
        for cell in cells
    }
    evaluations = {
        name: summary.evaluate(name, history, variants[name], premises[name], rule_by_cell[name], params)
        for name, history in histories.items()
    }
    extra_epochs = {name: int(history.attrs.get("extra_epochs", 0)) for name, history in histories.items()}
    changes = {cell.name: cell.changes for cell in cells}
    table = cells_table(evaluations, variants, premises, changes, extra_epochs)
    return EvaluatedCells(evaluations, table, untrained_reach(cells, histories, evaluations))
