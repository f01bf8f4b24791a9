"""Train the cells of a study, and read their histories from the cell store."""

from collections.abc import Sequence

import xarray as xr

from pipeline.history.training_progress import progress_file
from pipeline.params.study_params import Cell
from pipeline.params.variant_params import VariantParams
from pipeline.studies import cell_store
from pipeline.studies.cell_rows import CellRows, StudyRows
from pipeline.studies.work import cell_works
from pipeline.studies.workers import Workers
from pipeline.training.common.progress_bars import cells_bar
from pipeline.training.common.train_replicas import join_records
from pipeline.training.common.trainable import expect_rows_of_numbers, expect_trainable
from pipeline.training.common.trainer import Observers


def histories(study: str, cells: Sequence[Cell], rows: StudyRows, workers: Workers) -> dict[str, xr.Dataset]:
    """Return the history of each cell by cell name; train the cells that the store does not hold.

    Raises:
        UserError: a cell cannot be trained; raised before the first cell is trained.
    """
    rows_by_cell = {cell.name: rows.of(cell) for cell in cells}
    tasks = {cell.name: cell_works(cell, rows_by_cell[cell.name].fingerprint) for cell in cells}
    for cell in cells:
        expect_cell(cell, rows_by_cell[cell.name])
    splits = {each.fingerprint: each.split for each in rows_by_cell.values()}
    all_tasks = {name: task for cell_tasks in tasks.values() for name, task in cell_tasks.items()}
    with cells_bar(study, len(all_tasks)) as bar, progress_file(study, "study", 1, len(all_tasks), 1, []) as file:
        observer = Observers([file])

        def on_cell(cell: str) -> None:
            bar(cell)
            observer.on_epochs([0], range(1, 2), {})  # the progress file counts a cell as a replica of one epoch

        workers.run(all_tasks, splits, on_cell)
    return {
        name: join_records([cell_store.load(task.key) for task in cell_tasks.values()])
        for name, cell_tasks in tasks.items()
    }


def expect_cell(cell: Cell, rows: CellRows) -> None:
    """Check that the store holds a cell, or that it can be trained.

    Raises:
        UserError: the store does not hold the cell, and it cannot be trained.
    """
    if all(cell_store.holds(task.key) for task in cell_works(cell, rows.fingerprint).values()):
        return
    split = rows.split
    if isinstance(cell.variant, VariantParams):
        expect_rows_of_numbers(split)
        expect_trainable(cell.variant, split.inputs, split.task, cell.path)
        return
    # Imported late: TensorFlow takes seconds.
    from pipeline.training.networks.replica import expect_trainable as expect_network

    expect_network(cell.base, cell.variant, split)


def pretraining(cells: Sequence[Cell], rows: StudyRows) -> dict[str, xr.Dataset]:
    """Return the history of the pre-training of each pre-trained cell, by cell name."""
    tasks = {cell.name: next(iter(cell_works(cell, rows.of(cell).fingerprint).values())) for cell in cells}
    loaded = {name: cell_store.load_pretraining(task.key) for name, task in tasks.items()}
    return {name: history for name, history in loaded.items() if history is not None}
