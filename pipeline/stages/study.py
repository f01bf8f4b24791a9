"""Stage `study@<name>`: all cells of a study, trained unless already finished -> tables, figures and a page."""

from collections.abc import Sequence

import pandas as pd

from pipeline.evaluation import study_files as studies
from pipeline.evaluation import tried
from pipeline.evaluation.evaluated_cells import evaluate_cells
from pipeline.evaluation.length_experiment import on_lengths
from pipeline.evaluation.replica_table import evaluate
from pipeline.evaluation.study_rules import StudyRules
from pipeline.evaluation.suggested import with_suggestions
from pipeline.foundations.errors import one_argument, reported_in_one_line
from pipeline.params.params import read
from pipeline.params.study_params import Cell, reference_of
from pipeline.remedies.remedy_registry import expect_known
from pipeline.report.figures import study_figures
from pipeline.report.figures.files import save_figures
from pipeline.report.pages import html, markdown
from pipeline.report.study_page import StudyFindings, write
from pipeline.studies import train_cells
from pipeline.studies.cell_rows import CellRows, StudyRows, expect_rows
from pipeline.studies.workers import Workers


def main(name: str) -> None:
    """Read the study, its base and the split; train the missing cells; write tables, figures and the page."""
    params = read()
    study, cells = params.study(name)
    expect_known(cells)
    expect_rows(cells)
    rows = StudyRows(CellRows.of_base())
    rules = StudyRules(rows, params.evaluation.learned)
    not_tried: dict[str, str] = {}
    with Workers() as workers:

        def evaluate_each(cells: Sequence[Cell]) -> list[pd.DataFrame]:
            histories = train_cells.histories(name, cells, rows, workers)
            return [evaluate(histories[cell.name], rules.of(cell), params.diagnosis) for cell in cells]

        if study.cells is None:
            cells, not_tried = with_suggestions(
                name, cells[0], evaluate_each, lambda cell: train_cells.expect_cell(cell, rows.of(cell))
            )
        histories = train_cells.histories(name, cells, rows, workers)
    evaluated = evaluate_cells(cells, histories, rows, rules, params.diagnosis)
    studied = study_figures.StudiedCells(study.base, evaluated.table, cells, evaluated.reach.cells)
    drawings = dict(study_figures.figures(studied))
    save_figures({studies.figure_path(name, title): drawing for title, drawing in drawings.items()})
    pictures = {title: f"{title}.png" for title in drawings}
    training = params.training
    shared = {"replicas": study.replicas or training.replicas, "seed": training.seed, "epochs": training.epochs}
    code = {cell: str(history.attrs["change"]) for cell, history in histories.items() if "change" in history.attrs}
    verdicts = {cell: each.diagnosis.verdict for cell, each in evaluated.evaluations.items()}
    lengths = on_lengths(cells, evaluated.table, evaluated.reach.cells)
    findings = StudyFindings(
        name,
        study.base,
        evaluated.table,
        verdicts,
        shared,
        rows.base.fingerprint,
        pictures,
        not_tried,
        code,
        lengths,
        evaluated.reach,
    )
    report = write(findings)
    tables = evaluated.tables(train_cells.pretraining(cells, rows))
    studies.save_study(name, tables, {cell.name: cell.recipe for cell in cells})
    rule = rules.of(reference_of(cells))
    studies.save_tried_of(name, tried.of_study(study.base, cells, evaluated.table, rows.base.fingerprint, rule))
    studies.save_page(name, html.render(report, studies.pictures(name, pictures.values())), markdown.render(report))
    print(f"study {name}: {len(cells)} cells -> {studies.page(name)}")


if __name__ == "__main__":
    with reported_in_one_line():
        main(one_argument("study"))
