"""Test sources of sequences against their papers' definitions, own sequences, and cells with rows of their own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CUT, RECIPE, training

from pipeline.data import sources
from pipeline.data.profile import profile
from pipeline.data.raw_files import load_raw, save_raw
from pipeline.data.reference.reference import of_split
from pipeline.data.sequences import SEQUENCES
from pipeline.data.split import files
from pipeline.data.split.samples import RawData
from pipeline.data.splitting import split
from pipeline.foundations.errors import UserError
from pipeline.params import study_params
from pipeline.params.data_params import DataParams
from pipeline.params.study_params import Cell
from pipeline.params.variant_params import resolve
from pipeline.studies.cell_rows import CellRows, StudyRows, expect_rows
from pipeline.studies.work import cell_works
from pipeline.tracking.registered_model import registered_name

SEQUENCE_CUT = CUT.model_copy(update={"train": 0.5, "scale": CUT.scale.model_copy(update={"inputs": "none"})})


def params(source: str, **config: Any) -> DataParams:
    return DataParams(source=source, config={"steps": 40, "samples": 4000, "seed": 1, **config})


def drawn(source: str, **config: Any) -> tuple[np.ndarray, RawData]:
    """Return the sequences [sample, step, feature] of a source, and all its rows."""
    raw = sources.load(params(source, **config))
    assert isinstance(raw.features, np.ndarray)
    return raw.features, raw


def test_the_adding_problem_adds_one_marked_number_of_each_half() -> None:
    inputs, raw = drawn("adding_problem", steps=41)
    numbers, marks = inputs[..., 0], inputs[..., 1]
    assert set(np.unique(marks)) == {0, 1}
    assert (marks[:, :20].sum(axis=1) == 1).all()
    assert (marks[:, 20:].sum(axis=1) == 1).all()
    np.testing.assert_allclose(raw.targets[:, 0], (numbers * marks).sum(axis=1))
    assert raw.task.kind == "regression"
    # The papers' 0.167; the standard error of a variance over 4,000 rows of this distribution is some 0.003.
    assert raw.task.constant_loss(raw.targets) == pytest.approx(1 / 6, abs=0.01)
    assert (numbers.min(), numbers.max()) == pytest.approx((0, 1), abs=0.001)


def test_the_temporal_order_names_the_two_symbols_in_their_order() -> None:
    inputs, raw = drawn("temporal_order")
    assert (inputs.sum(axis=2) == 1).all()
    means_something = inputs[..., :2].any(axis=2)
    places = np.nonzero(means_something)[1].reshape(-1, 2)
    assert (means_something.sum(axis=1) == 2).all()
    assert (places.min(axis=0).tolist(), places.max(axis=0).tolist()) == ([4, 20], [7, 23])
    symbols = inputs[..., 1][means_something].astype(int).reshape(-1, 2)
    names = ["".join("XY"[each] for each in row) for row in symbols]
    assert [raw.task.names[label] for label in raw.targets] == names
    assert np.bincount(raw.targets) == pytest.approx([1000] * 4, rel=0.15)


def test_a_latch_holds_its_class_in_the_first_three_steps_alone() -> None:
    inputs, raw = drawn("latch")
    assert (np.array([-1, 1])[raw.targets][:, None] == inputs[:, :3, 0]).all()
    rest = inputs[:, 3:, 0]
    assert rest.var() == pytest.approx(0.2, rel=0.02)
    assert abs(np.corrcoef(rest.mean(axis=1), raw.targets)[0, 1]) < 0.06  # 4 standard errors
    assert raw.task.names == ("negative", "positive")


def test_copy_memory_asks_at_the_end_for_the_first_ten_symbols() -> None:
    inputs, raw = drawn("copy_memory")
    symbols = inputs.argmax(axis=2)
    assert (inputs.sum(axis=2) == 1).all()
    np.testing.assert_allclose(raw.targets, symbols[:, :10] / 7)
    assert set(np.unique(symbols[:, :10])) == set(range(8))
    assert (symbols[:, 10:-1] == 8).all()
    assert (symbols[:, -1] == 9).all()
    assert len(raw.task.names) == 10


@pytest.mark.parametrize("source", SEQUENCES)
def test_sequences_pass_all_stages_before_training(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shortest sequences of a source too; a sequence has no columns, so there is no reference."""
    monkeypatch.chdir(tmp_path)
    data = params(source, steps=SEQUENCES[source].fewest_steps, samples=200)
    raw = sources.load(data)
    assert np.array_equal(sources.load(data).features, raw.features)
    assert not np.array_equal(sources.load(params(source, **(data.config | {"seed": 2}))).features, raw.features)
    save_raw(raw)
    read = load_raw()
    assert np.array_equal(read.features, raw.features)
    assert np.array_equal(read.targets, raw.targets)
    parts, origin = split(read, data, SEQUENCE_CUT)
    files.save_split(parts, origin)
    assert np.array_equal(files.load_split().train.inputs, raw.features[:100].astype(np.float32))
    described = profile(read, parts, origin)
    assert described.inputs == data.config["steps"] * SEQUENCES[source].features
    assert not [warning for warning in described.warnings if "same inputs" not in warning]
    assert of_split(parts).skipped == "each row is a sequence, which has no columns"
    assert registered_name("auto", data, raw.task).startswith(f"{source}-")


@pytest.mark.parametrize(
    ("source", "config", "message"),
    [
        ("latch", {"steps": 3}, "data.config.steps: 3: must be at least 4 for latch"),
        ("copy_memory", {"steps": 11}, "data.config.steps: 11: must be at least 12 for copy_memory"),
        ("latch", {"steps": "x"}, "data.config.steps: x: must be a whole number"),
        ("latch", {"step": 9}, "data.config.step: unknown key: did you mean steps?"),
        ("latch", {"samples": 10_000_000}, "data.config.samples: 10000000: 400,000,000 numbers in all: must be at mo"),
        (
            "latches",
            {},
            "data.source: latches: must be a source, or a file such as tables/mine.csv: did you mean latch?",
        ),
        ("tables/t.npz", {}, "data.config.samples: unknown key: must be one of steps, crop"),
    ],
)
def test_a_wrong_argument_is_reported_in_one_line(source: str, config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        sources.expect_source(params(source, **config))
    assert str(error.value).startswith(message)


def test_a_missing_argument_is_reported_in_one_line() -> None:
    with pytest.raises(UserError, match=r"^data.config.seed: missing: must be given$"):
        sources.expect_source(DataParams(source="latch", config={"steps": 9, "samples": 9}))


@pytest.fixture
def own_sequences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Write tables/t.npz with 20 sequences of 9 steps, and return them."""
    monkeypatch.chdir(tmp_path)
    Path("tables").mkdir()
    values = np.random.default_rng(1).normal(size=(20, 9, 2))
    np.savez("tables/t.npz", x=values, y=np.arange(20) % 2)
    np.savez("tables/rows.npz", x=values[:, 0], y=np.arange(20) % 2)
    return values


def own(source: str = "tables/t.npz", **config: Any) -> RawData:
    data = DataParams(source=source, config=config)
    sources.expect_source(data)
    return sources.load(data)


def test_own_sequences_are_shortened_at_the_end_that_the_user_names(own_sequences: np.ndarray) -> None:
    assert np.array_equal(own().features, own_sequences)
    assert np.array_equal(own(crop="end").features, own_sequences)
    assert np.array_equal(own(steps=4, crop="end").features, own_sequences[:, :4])
    assert np.array_equal(own(steps=4, crop="start").features, own_sequences[:, 5:])


@pytest.mark.parametrize(
    ("source", "config", "message"),
    [
        ("tables/t.npz", {"steps": 4}, "data.config.crop: missing: must be start or end, the end of the sequences"),
        ("tables/t.npz", {"steps": 4, "crop": "both"}, "data.config.crop: both: must be 'start' or 'end'"),
        ("tables/t.npz", {"steps": 10, "crop": "end"}, "data.config.steps: 10: must be at most 9, the steps of tables"),
        (
            "tables/rows.npz",
            {"crop": "end"},
            "data.config.crop: end: must be left out, because x of tables/rows.npz is",
        ),
    ],
)
@pytest.mark.usefixtures("own_sequences")
def test_own_sequences_are_never_shortened_by_guess(source: str, config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        own(source, **config)
    assert str(error.value).startswith(message)


def study_cells(data: DataParams, **study: Any) -> list[Cell]:
    """Return the cells of a study of the variant `v`."""
    made = study_params.resolve({"s": {"base": "v", **study}})
    return study_params.cells(made["s"], "s", resolve(RECIPE, {"v": {}}), lambda name: training(), data)


def rows_of(data: DataParams) -> StudyRows:
    parts, origin = split(sources.load(data), data, SEQUENCE_CUT)
    return StudyRows(CellRows(parts, origin, "of the base"))


def test_a_grid_may_change_the_length_of_the_sequences() -> None:
    data = params("latch", samples=60)
    cells = study_cells(data, grid={"data.config.steps": [20, 40], "units": [3, 4]})
    assert [cell.changes for cell in cells] == [
        {"data.config.steps": 20},
        {"data.config.steps": 20, "units": 4},
        {},
        {"units": 4},
    ]
    assert cells[1].recipe["data"] == {"config": {"steps": 20, "samples": 60, "seed": 1}}
    assert "data" not in cells[3].recipe  # files of studies without other rows stay the same
    rows = rows_of(data)
    assert rows.of(cells[0]) is rows.of(cells[1])  # drawn once
    assert rows.of(cells[2]) is rows.of(cells[3]) is rows.base
    assert [rows.of(cell).split.shape for cell in cells[1:3]] == [(20, 1), (40, 1)]
    assert rows.of(cells[0]).origin.data == cells[0].data
    keys = {work.key for cell in cells for work in cell_works(cell, rows.of(cell).fingerprint).values()}
    assert len(keys) == 4


def test_equal_rows_have_equal_fingerprints() -> None:
    data = params("latch", samples=60)
    (base, other, seeded) = study_cells(
        data, cells={"a": {"data": {"config": {"steps": 20}}}, "b": {"data": {"config": {"steps": 20, "seed": 2}}}}
    )
    fingerprints = [rows_of(data).of(cell).fingerprint for cell in (base, other, other, seeded)]
    assert fingerprints[1] == fingerprints[2]
    assert len(set(fingerprints)) == 3


def test_a_grid_shortens_own_sequences(own_sequences: np.ndarray) -> None:
    data = DataParams(source="tables/t.npz", config={"crop": "start"})
    cells = study_cells(data, grid={"data.config.steps": [4, 9]})
    expect_rows(cells)
    inputs = rows_of(data).of(cells[1]).split.train.inputs
    np.testing.assert_allclose(inputs, own_sequences[:10, 5:], rtol=1e-6)


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ({"grid": {"data.config.steps": [3]}}, "studies.s.grid.data.config.steps: 3: must be at least 4 for latch"),
        ({"grid": {"data.config.step": [9]}}, "studies.s.grid.data.config.step: unknown key: did you mean steps?"),
        ({"grid": {"data.source": ["x"]}}, "studies.s.grid.data.source: unknown key: must be one of config"),
        ({"grid": {"data": [3]}}, "studies.s.grid.data: 3: must be a map"),
        ({"cells": {"c": {"data": {"config": 3}}}}, "studies.s.cells.c.data.config: 3: must be a map"),
    ],
)
def test_a_mistake_in_a_cells_rows_is_reported_before_any_is_drawn(study: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        expect_rows(study_cells(params("latch"), **study))
    assert str(error.value).startswith(message)


def test_a_cell_has_the_task_of_the_base() -> None:
    data = DataParams(source="make_blobs", config={"n_samples": 60, "centers": 2, "random_state": 1})
    cells = study_cells(data, grid={"data.config.centers": [3]})
    with pytest.raises(
        UserError, match=r"^studies.s.grid.data.config: the task is 3 classes \(0, 1, 2\): must be 2 cl"
    ):
        rows_of(data).of(cells[1])
