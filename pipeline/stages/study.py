"""Stage `study@<name>`: every cell of a study, trained or found finished -> tables, figures and its page."""

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr

from pipeline.data.reference import load_reference
from pipeline.data.split import files as data
from pipeline.data.split.samples import Split
from pipeline.diagnosis import combined, theory
from pipeline.evaluation import study_files as studies
from pipeline.evaluation import summary, tried
from pipeline.evaluation.cells_table import cells_table, pretraining_table, stacked
from pipeline.evaluation.learned import Rule, rule_for
from pipeline.evaluation.replica_table import evaluate
from pipeline.evaluation.suggested import causes_of, result, suggestions
from pipeline.foundations.errors import UserError, one_argument, reported_in_one_line
from pipeline.history.training_progress import progress_file
from pipeline.params.params import Params, read
from pipeline.params.study_params import Cell, suggested
from pipeline.params.variant_params import VariantParams
from pipeline.report.figures import study_figures as plots
from pipeline.report.figures.files import save_figure
from pipeline.report.pages import html, markdown
from pipeline.report.study_page import StudyFindings, write
from pipeline.studies import cell_store
from pipeline.studies.work import Work, works
from pipeline.studies.workers import Workers
from pipeline.training.common.progress_bars import cells_bar
from pipeline.training.common.train_replicas import side_by_side
from pipeline.training.common.trainable import expect_rows_of_numbers, expect_trainable
from pipeline.training.common.trainer import Observers


def main(name: str) -> None:
    """Read `studies`, what its base inherits, and the split; train what is missing, judge and write."""
    params = read()
    study, found = params.study(name)
    split, fingerprint = data.load_split(), data.fingerprint()
    rule = rule_for(split.task, params.evaluation.learned, load_reference())
    not_tried: Mapping[str, str] = {}
    with Workers() as workers:
        if study.cells is None:
            found, not_tried = _suggested(name, found[0], params, rule, split, fingerprint, workers)
        tasks = _tasks(found, fingerprint)
        histories = _trained(name, tasks, found, split, workers)
    variants = {cell.name: cell.variant for cell in found}
    origin = data.load_origin()
    premises = {cell: theory.premises(variant, origin, split.train.inputs) for cell, variant in variants.items()}
    evaluations = {
        cell: summary.evaluate(cell, history, variants[cell], premises[cell], rule, params.diagnosis)
        for cell, history in histories.items()
    }
    extra = {cell: int(history.attrs.get("extra_epochs", 0)) for cell, history in histories.items()}
    table = cells_table(evaluations, variants, premises, {cell.name: cell.changes for cell in found}, extra)
    addresses = {}
    outcomes = {cell: each.metrics.outcomes for cell, each in evaluations.items()}
    for title, figure in plots.figures(plots.StudiedCells(study.base, table, found, outcomes)):
        save_figure(figure, studies.figure_path(name, title))
        addresses[title] = f"{title}.png"
    verdicts = {cell: each.diagnosis.verdict for cell, each in evaluations.items()}
    training = params.training
    shared = {"replicas": study.replicas or training.replicas, "seed": training.seed, "epochs": training.epochs}
    code = {cell: str(history.attrs["change"]) for cell, history in histories.items() if "change" in history.attrs}
    report = write(StudyFindings(name, study.base, table, verdicts, shared, fingerprint, addresses, not_tried, code))
    pictures = {address: (studies.folder(name) / address).read_bytes() for address in addresses.values()}
    tables = {
        "cells": table,
        "replicas": stacked({cell: each.replicas for cell, each in evaluations.items()}),
        "curves": stacked({cell: each.curves for cell, each in evaluations.items()}),
    }
    pretraining = {
        cell: [cell_store.load_pretraining(task.key) for task in own.values()] for cell, own in tasks.items()
    }
    before = {cell: history for cell, (history, *_) in pretraining.items() if history is not None}
    tables |= {"pretraining": pretraining_table(before)} if before else {}
    studies.save_study(name, tables, {cell.name: cell.recipe for cell in found})
    studies.save_tried_of(name, tried.of_study(study.base, found, table, fingerprint, rule))
    studies.save_page(name, html.render(report, pictures), markdown.render(report))
    print(f"study {name}: {len(found)} cells -> {studies.page(name)}")


def _suggested(
    name: str, base: Cell, params: Params, rule: Rule, split: Split, fingerprint: str, workers: Workers
) -> tuple[list[Cell], Mapping[str, str]]:
    """The base, the remedies against what it has, which is known when it is trained, and what is added to the most
    promising of them; and why others are no cells."""

    def judged(cells: Sequence[Cell]) -> list[pd.DataFrame]:
        histories = _trained(name, _tasks(cells, fingerprint), cells, split, workers)
        return [evaluate(histories[cell.name], rule, params.diagnosis) for cell in cells]

    found = [base]
    not_tried: dict[str, str] = {}
    follow, (replicas,) = base, judged([base])
    for _ in range(combined.ROUNDS):
        further = suggestions(follow, replicas, found)
        not_tried |= further.not_tried
        newest = []
        for cell in suggested(found, further.cells, name):
            try:
                if not _is_finished(works(cell, fingerprint)):
                    _expect_trainable(cell, split)
                newest.append(cell)
            except UserError as error:
                not_tried[cell.name] = str(error)
        if not newest:
            break
        found += newest
        results = judged(newest)
        place = combined.to_follow(causes_of(replicas), [result(each) for each in results])
        if place is None:
            break
        follow, replicas = newest[place], results[place]
    return found, not_tried


def _tasks(found: Sequence[Cell], fingerprint: str) -> dict[str, Mapping[str, Work]]:
    return {cell.name: works(cell, fingerprint) for cell in found}


def _trained(
    name: str, tasks: Mapping[str, Mapping[str, Work]], found: Sequence[Cell], split: Split, workers: Workers
) -> dict[str, xr.Dataset]:
    """The history of each cell, trained where the store does not have it."""
    for cell in found:
        if not _is_finished(tasks[cell.name]):
            _expect_trainable(cell, split)
    every = {each: task for own in tasks.values() for each, task in own.items()}
    with cells_bar(name, len(every)) as bar, progress_file(name, "study", 1, len(every), 1, []) as file:
        observer = Observers([file])

        def on_cell(cell: str) -> None:
            bar(cell)
            observer.trained([0], range(1, 2), {})  # to the file a cell is a replica of one epoch

        workers.run(every, split, on_cell)
    return {cell: side_by_side([cell_store.load(task.key) for task in own.values()]) for cell, own in tasks.items()}


def _is_finished(tasks: Mapping[str, Work]) -> bool:
    return all(cell_store.holds(task.key) for task in tasks.values())


def _expect_trainable(cell: Cell, split: Split) -> None:
    """Before the first cell is trained.

    Raises:
        UserError: it cannot be.
    """
    if isinstance(cell.variant, VariantParams):
        expect_rows_of_numbers(split)
        expect_trainable(cell.variant, split.inputs, split.task, cell.path)
        return
    from pipeline.training.networks.replica import (
        expect_trainable as expect_network,  # here, for TensorFlow takes seconds to import
    )

    expect_network(cell.base, cell.variant, split)


if __name__ == "__main__":
    with reported_in_one_line():
        main(one_argument("study"))
