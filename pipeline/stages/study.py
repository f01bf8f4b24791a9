"""Stage `study@<name>`: every cell of a study, trained or found finished -> tables, figures and its page."""

from collections.abc import Iterator, Mapping

import pandas as pd
from matplotlib.figure import Figure

from pipeline.artifacts import cells as store
from pipeline.artifacts import splits, studies
from pipeline.artifacts.figures import save_figure
from pipeline.errors import one_argument, reported_in_one_line
from pipeline.evaluation import summary
from pipeline.evaluation.study import cells_table, ranked, stacked
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.params import file
from pipeline.params.diagnosis import DiagnosisParams
from pipeline.params.evaluation import EvaluationParams
from pipeline.params.studies import Cell, cells, numeric_axis, reference_of
from pipeline.params.training import TrainingParams
from pipeline.plots.comparison import outcome_bars
from pipeline.plots.study import differences, learned_along
from pipeline.progress import cells_bar
from pipeline.report import html, markdown
from pipeline.report.study import StudyFindings, write
from pipeline.studies import sources
from pipeline.studies.run import run
from pipeline.studies.work import Task


def main(name: str) -> None:
    """Read `studies`, what its base inherits, and the split; train what is missing, judge and write."""
    document = file.read()
    training = file.section(document, "training", TrainingParams)
    threshold = file.section(document, "evaluation", EvaluationParams).learned_accuracy
    thresholds = file.section(document, "diagnosis", DiagnosisParams)
    params, found = cells(document, name, training)
    split, data = splits.load_split(), splits.fingerprint()
    tasks = {cell.name: Task(*_plain(cell), data, sources.fingerprint()) for cell in found}
    with cells_bar(name, len(tasks)) as on_cell:
        run(tasks, split, on_cell)
    histories = {cell: store.load(task.key) for cell, task in tasks.items()}
    recipes = {cell: task.variant for cell, task in tasks.items()}
    evaluations = {
        cell: summary.evaluate(cell, history, recipes[cell], threshold, thresholds)
        for cell, history in histories.items()
    }
    extra = {cell: int(history.attrs.get("extra_epochs", 0)) for cell, history in histories.items()}
    table = cells_table(evaluations, recipes, {cell.name: cell.changes for cell in found}, extra)
    addresses = {}
    for title, figure in _figures(params.base, table, found, evaluations):
        save_figure(figure, studies.figure_path(name, title))
        addresses[title] = f"{title}.png"
    verdicts = {cell: each.metrics["verdict"] for cell, each in evaluations.items()}
    shared = {"replicas": params.replicas or training.replicas, "seed": training.seed, "epochs": training.epochs}
    report = write(StudyFindings(name, params.base, table, verdicts, shared, data, addresses))
    pictures = {address: (studies.folder(name) / address).read_bytes() for address in addresses.values()}
    tables = {
        "cells": table,
        "replicas": stacked({cell: each.replicas for cell, each in evaluations.items()}),
        "curves": stacked({cell: each.curves for cell, each in evaluations.items()}),
    }
    studies.save_study(name, tables, _recipes(tasks))
    studies.save_page(name, html.render(report, pictures), markdown.render(report))
    print(f"study {name}: {len(found)} cells -> {studies.page(name)}")


def _recipes(tasks: Mapping[str, Task]) -> dict[str, dict[str, object]]:
    """What each cell was trained with."""
    return {cell: {"variant": task.variant, "training": task.training} for cell, task in tasks.items()}


def _plain(cell: Cell) -> tuple[dict, dict]:
    """Variant and training as plain values."""
    return cell.variant.model_dump(mode="json"), cell.training.model_dump(mode="json")


def _figures(
    base: str, table: pd.DataFrame, found: list[Cell], evaluations: Mapping[str, VariantEvaluation]
) -> Iterator[tuple[str, Figure]]:
    reference = reference_of(found).name
    yield "differences", differences(ranked(table), reference)
    outcomes = {cell: each.metrics["outcomes"] for cell, each in evaluations.items()}
    yield "outcomes", outcome_bars(table.rename(columns={"cell": "variant"}), outcomes)
    axis = numeric_axis(found)
    if axis is not None:
        rows = sorted((row for row, cell in enumerate(found) if cell.place), key=lambda row: found[row].place[axis])
        values = [found[row].place[axis] for row in rows]
        yield "along", learned_along(table.iloc[rows], values, axis, f"{base}: what becomes of its replicas")


if __name__ == "__main__":
    with reported_in_one_line():
        main(one_argument("study"))
