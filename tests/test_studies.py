"""Test studies: the cells of a grid, what their results depend on, and that it does not matter where they run."""

import importlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import CIRCLES, RECIPE, training, variant
from imports import EXEMPT, ROOT, module_file, project_modules, within
from matplotlib.figure import Figure
from three_epochs import ThreeEpochs

from examples import accuracy_above, evaluated, history
from pipeline.data.split.samples import Split
from pipeline.diagnosis.theory import Premises
from pipeline.evaluation import study_files as studies
from pipeline.evaluation import tried
from pipeline.evaluation.cells_table import cells_table, pretraining_table, ranked
from pipeline.evaluation.intervals import newcombe
from pipeline.evaluation.learned import Rule
from pipeline.foundations.errors import UserError
from pipeline.foundations.formats import pack_dataset
from pipeline.params import study_params
from pipeline.params.params import read
from pipeline.params.study_params import Cell, axes_of_lines, cells, numeric_axis, reference_of
from pipeline.params.variant_params import resolve
from pipeline.report.figures import study_figures as plots
from pipeline.report.pages import markdown
from pipeline.report.pages.document import Picture
from pipeline.report.study_page import StudyFindings, write
from pipeline.studies import cell_store, code_fingerprint, training_process
from pipeline.studies.work import VariantWork


def study_cells(**study: Any) -> list[Cell]:
    """Return the cells of a study of the variant `v`."""
    made = study_params.resolve({"s": {"base": "v", **study}})
    return cells(made["s"], "s", resolve(RECIPE, {"v": {}}), lambda name: training(), CIRCLES)


def test_a_grid_has_every_combination_by_dotted_paths() -> None:
    made = study_cells(grid={"units": [3, 4], "optimizer.config.learning_rate": [0.1, 0.2]})
    rate = "optimizer.config.learning_rate"
    names = [f"units={units}, {rate}={value}" for units in (3, 4) for value in (0.1, 0.2)]
    assert [cell.name for cell in made] == names
    assert [cell.variant.units for cell in made] == [3, 3, 4, 4]
    assert made[3].variant.optimizer.config == {"learning_rate": 0.2, "momentum": 0.9}
    assert made[3].place == {"units": 4, rate: 0.2}
    assert reference_of(made) is made[0]


def test_the_base_is_a_cell_if_no_other_cell_equals_it() -> None:
    made = study_cells(cells={"wide": {"units": 9}, "elu": {"activation": "elu"}})
    assert [cell.name for cell in made] == ["v", "wide", "elu"]
    assert reference_of(made).name == "v"
    assert made[1].changes == {"units": 9}
    assert [cell.name for cell in study_cells(cells={"same": {"units": 3}})] == ["same"]


def test_a_cell_may_change_its_budget_and_a_study_its_replicas() -> None:
    made = study_cells(replicas=9, cells={"long": {"epochs": 50}})
    assert [(cell.training.epochs, cell.training.replicas) for cell in made] == [(3, 9), (50, 9)]
    assert made[1].changes == {"epochs": 50}


def test_a_curve_is_drawn_along_the_one_axis_of_numbers() -> None:
    assert numeric_axis(study_cells(grid={"units": [3, 4], "activation": ["elu"]})) == "units"
    assert numeric_axis(study_cells(grid={"units": [3, 4], "hidden_layers": [1, 2]})) is None
    assert numeric_axis(study_cells(grid={"activation": ["elu", "relu"]})) is None
    assert numeric_axis(study_cells(cells={"wide": {"units": 9}})) is None


def test_lines_are_drawn_along_numbers_for_each_value_of_the_other_axis() -> None:
    activations = ["elu", "relu"]
    assert axes_of_lines(study_cells(grid={"units": [3, 4], "activation": activations})) == ("units", "activation")
    assert axes_of_lines(study_cells(grid={"activation": activations, "units": [3, 4]})) == ("units", "activation")
    assert axes_of_lines(study_cells(grid={"units": [3, 4], "hidden_layers": [1, 2]})) is None
    assert axes_of_lines(study_cells(grid={"units": [3, 4]})) is None


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ({"base": "w", "grid": {"units": [1]}}, "studies.s.base: w: must be one of the variants v"),
        ({}, "studies.s: neither grid nor cells: must have at least one"),
        ({"grid": {"units": []}}, "studies.s.grid.units: []"),
        ({"cells": {"c": {"units": 0}}}, "studies.s.cells.c.units: 0: must be at least 1"),
        ({"cells": {"c": {"seed": 1}}}, "studies.s.cells.c.seed: unknown key: must be one of hidden_layers, units"),
        ({"cells": {"c": {"epochs": -1}}}, "studies.s.cells.c.epochs: -1: must be at least 0"),
        ({"grid": {"units": ["x"]}}, "studies.s.grid.units: x: must be a whole number"),
        ({"cells": {"v": {"units": 9}}}, "studies.s: two cells are named v: names must differ"),
        ({"replicas": 0, "grid": {"units": [1]}}, "studies.s.replicas: 0: must be at least 1"),
        ({"cels": {}}, "studies.s.cels: unknown key: did you mean cells?"),
    ],
)
def test_a_mistake_is_reported_in_one_line(study: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        study_cells(**study)
    assert str(error.value).startswith(message)


def task(cell: Cell, data: str = "d", code: str = "c") -> VariantWork:
    return VariantWork(cell.variant, cell.training, data, code)


def test_the_key_of_a_cell_depends_on_everything_that_its_result_depends_on_and_on_no_name() -> None:
    first, again = study_cells(cells={"a": {"units": 9}})[1], study_cells(cells={"b": {"units": 9}})[1]
    assert task(first).key == task(again).key
    others = [
        task(study_cells(cells={"a": {"units": 8}})[1]),
        task(study_cells(cells={"a": {"units": 9, "epochs": 2}})[1]),
        task(study_cells(replicas=9, cells={"a": {"units": 9}})[1]),
        task(first, data="e"),
        task(first, code="d"),
    ]
    assert len({each.key for each in [task(first), *others]}) == 6


@pytest.mark.parametrize(
    ("trained_by", "packages"),
    [
        ("pipeline.training.common.train_replicas", code_fingerprint.OF_VARIANTS),
        ("pipeline.training.networks.replica", code_fingerprint.OF_REMEDIES),
    ],
)
def test_the_sources_are_the_imports_of_training_except_files_without_effect(
    trained_by: str, packages: tuple[str, ...]
) -> None:
    modules = {module_file(name).relative_to(ROOT) for name in project_modules(trained_by)}
    counted = [file for file in modules if not any(within(place, file) for place in EXEMPT)]
    imported = {file.relative_to("pipeline") for file in counted}
    files = set(code_fingerprint.files(packages))
    assert imported <= files
    assert not {path for path in files - imported if (code_fingerprint.PACKAGE / path).stat().st_size}


def test_a_changed_remedy_trains_only_networks_with_a_remedy_again() -> None:
    remedies = {path for path in code_fingerprint.files(code_fingerprint.OF_REMEDIES) if path.parts[0] == "remedies"}
    assert remedies
    assert not remedies & set(code_fingerprint.files(code_fingerprint.OF_NETWORKS))


def test_a_worker_with_other_sources_rejects_a_cell(circles: Any) -> None:
    with pytest.raises(UserError, match="runs other source code than the study"):
        task(study_cells(cells={"a": {"units": 9}})[0], code="other").run(circles)


def test_a_damaged_cell_counts_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    whole = pack_dataset(history([[0.5, 0.9]]))
    for content, is_whole in ((whole, True), (whole.replace(b"test_loss", b"tesu_loss"), False)):
        cell_store.save("key", {}, {cell_store.HISTORY: content})
        assert cell_store.holds("key") is is_whole


@pytest.mark.slow
def test_a_cell_keeps_the_history_of_its_pretraining(
    circles: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    made = study_cells(cells={"pretrained": {"pretraining": "autoencoder"}, "plain": {"units": 4}})[1:]
    tasks = {cell.name: task(cell, code=code_fingerprint.fingerprint()) for cell in made}
    for each in tasks.values():
        cell_store.save(each.key, {}, each.run(circles))
    assert cell_store.load_pretraining(tasks["plain"].key) is None
    kept = cell_store.load_pretraining(tasks["pretrained"].key)
    assert cell_store.load(tasks["pretrained"].key).attrs["extra_epochs"] == kept.attrs["extra_epochs"] == 4
    table = pretraining_table({"pretrained": kept})
    assert list(table.columns) == ["cell", "layer", "pretraining_epoch", "loss_q25", "loss_median", "loss_q75"]
    assert len(table) == 2 * 3
    first = table[(table.layer == 2) & (table.pretraining_epoch == 1)].iloc[0]
    assert first.loss_median == pytest.approx(float(kept.loss.sel(layer=2, pretraining_epoch=1).median()), rel=1e-6)


def test_the_table_and_the_page_rank_what_helps_and_what_does_not() -> None:
    learns, fails = [0.5, 0.9], [0.5, 0.5]
    made = {
        "v": evaluated(history([learns] * 5 + [fails] * 5)),
        "good": evaluated(history([learns] * 10)),
        "bad": evaluated(history([fails] * 10)),
        "same": evaluated(history([learns] * 6 + [fails] * 4)),
    }
    recipes = dict.fromkeys(made, variant())
    changes = {"v": {}, "good": {"units": 9}, "bad": {"units": 1}, "same": {"activation": {"class_name": "elu"}}}
    premises = dict.fromkeys(made, Premises(born_dead=True))
    table = cells_table(made, recipes, premises, changes, {**dict.fromkeys(made, 0), "good": 40})
    assert table.effect.tolist() == ["reference", "helps", "harms", "undecided"]
    assert ranked(table).cell.tolist() == ["good", "same", "v", "bad"]
    assert table.alive_bound.tolist() == pytest.approx([1 - 2**-3] * 4)
    page = markdown.render(write(StudyFindings("s", "v", table, {"v": "v: 5 of 10 learn. So."}, {}, "abc", {}, {}, {})))
    message = "`good`: 10 of 10 learn, after 40 extra epochs of pre-training; difference from `v`: +50 points [12, 76]"
    assert message in page
    order = [page.index(text) for text in ("**Helps:**", "`good`", "**Harms:**", "`bad`", "**Undecided", "`same`")]
    assert order == sorted(order)
    assert isinstance(table, pd.DataFrame)


def test_a_new_figure_of_a_study_is_shown_on_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    dot = plots.StudyFigure("dot", "A dot, which says nothing", lambda studied: Figure())
    monkeypatch.setattr(plots, "FIGURES", (*plots.FIGURES, dot))
    cells_of = study_cells(cells={"wide": {"units": 9}})
    made = {cell.name: evaluated(history([[0.5, 0.9]] * 3)) for cell in cells_of}
    premises, none = dict.fromkeys(made, Premises()), dict.fromkeys(made, 0)
    recipes = {cell.name: cell.variant for cell in cells_of}
    changes = {cell.name: cell.changes for cell in cells_of}
    table = cells_table(made, recipes, premises, changes, none)
    pictures = {name: f"{name}.png" for name, _ in plots.figures(plots.StudiedCells("v", table, cells_of))}
    assert list(pictures) == ["differences", "outcomes", "dot"]  # no axis of numbers
    page = write(StudyFindings("s", "v", table, {"v": "v: 3 of 3 learn. So."}, {}, "abc", pictures, {}, {}))
    shown = [block.address for block in page.blocks if isinstance(block, Picture)]
    assert shown == list(pictures.values())
    assert "![A dot, which says nothing](dot.png)" in markdown.render(page)


def tried_study(*learned: int, data: str = "d", replicas: int = 10, **study: Any) -> tried.TriedStudy:
    """Return a study of `v`, by the number of replicas that learned in each cell; the reference comes first."""
    cells_of = study_cells(**study)
    made = {
        cell.name: evaluated(history([[0.5, 0.9]] * count + [[0.5, 0.5]] * (replicas - count)))
        for cell, count in zip(cells_of, learned, strict=True)
    }
    variants = {cell.name: cell.variant for cell in cells_of}
    table = cells_table(
        made,
        variants,
        dict.fromkeys(made, Premises()),
        {cell.name: cell.changes for cell in cells_of},
        dict.fromkeys(made, 0),
    )
    return tried.of_study("v", cells_of, table, data, accuracy_above())


CELLS = {
    "wide": {"units": 9},
    "wide_elu": {"units": 9, "activation": "elu"},
    "small_steps": {"optimizer": {"config": {"learning_rate": 0.01}}},
    "long": {"epochs": 50},
}
TRIED = tried_study(5, 10, 9, 8, 7, cells=CELLS)


def under(**changes: Any) -> tried.Conditions:
    values = {"variant": variant(), "training": training(), "data": "d", "rule": accuracy_above()}
    return tried.conditions(**{**values, **changes})


def name_of(overrides: dict[str, Any], conditions: tried.Conditions, **studies: tried.TriedStudy) -> str | None:
    cell = tried.result(overrides, conditions, studies or {"s": TRIED})
    return cell and cell.name


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ({"units": 9}, "wide"),
        ({"activation": "elu", "units": 9}, "wide_elu"),
        ({"activation": "elu"}, None),  # a cell that changes more does not count
        ({"units": 8}, None),
        ({"optimizer.config.learning_rate": 0.01}, "small_steps"),
        ({"optimizer.config.learning_rate": 0.02}, None),
        ({"optimizer.config.clipvalue": 0.01}, None),
        ({"training.epochs": 50}, "long"),
        ({"training.epochs": 50, "units": 9}, None),
        ({"units": 3}, None),  # the reference changes nothing, so it is not a tried remedy
    ],
)
def test_a_remedy_was_tried_if_a_cell_changes_exactly_the_same(overrides: dict[str, Any], name: str | None) -> None:
    assert name_of(overrides, under()) == name


def test_a_result_keeps_its_numbers() -> None:
    cell = tried.result({"units": 9}, under(), {"s": TRIED})
    assert (cell.learned, cell.replicas, cell.difference, cell.effect) == (10, 10, 0.5, "helps")
    assert (cell.low, cell.high) == pytest.approx(newcombe(10, 10, 5, 10), abs=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"variant": variant(activation="tanh")},
        {"training": training(epochs=4)},
        {"training": training(batch_size=8)},
        {"training": training(seed=8)},
        {"data": "e"},
        {"rule": accuracy_above(0.8)},
        {"rule": Rule("balanced_accuracy", 0.75)},
    ],
)
def test_a_result_under_other_conditions_does_not_count(changes: dict[str, Any]) -> None:
    assert name_of({"units": 9}, under(**changes)) is None
    assert name_of({"units": 9}, under(training=training(replicas=99, chunk=1))) == "wide"


def test_of_two_results_the_one_with_more_replicas_counts() -> None:
    more = tried_study(5, 12, replicas=20, cells={"broad": {"units": 9}})
    assert name_of({"units": 9}, under(), a=TRIED, b=more) == "broad"
    assert name_of({"units": 9}, under(), a=more, b=TRIED) == "broad"


def test_each_study_renews_its_own_part_of_the_tried_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    other = tried_study(5, 9, cells={"other": {"units": 8}})
    for name in ("b", "a", "gone"):
        studies.save_tried_of(name, TRIED)
        studies.renew_tried(name)
    before = studies.TRIED.read_bytes()
    assert list(studies.load_tried()) == ["a", "b", "gone"]
    assert studies.load_tried() == {"a": TRIED, "b": TRIED, "gone": TRIED}
    studies.renew_tried("b")
    assert studies.TRIED.read_bytes() == before  # in any order
    studies.save_tried_of("b", other)
    studies.renew_tried("b")
    studies.forget_tried({"a", "b"})
    assert studies.load_tried() == {"a": TRIED, "b": other}


def test_no_result_is_lost_if_studies_finish_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = [f"s{number}" for number in range(8)]
    for name in names:
        studies.save_tried_of(name, TRIED)
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: studies.renew_tried(name), names))
    assert list(studies.load_tried()) == names


@pytest.mark.parametrize("content", ["{", "[]", '{"s": {"base": "v"}}'])
def test_a_damaged_file_of_tried_remedies_is_reported_in_one_line(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert studies.load_tried() == {}
    studies.save_tried_of("s", TRIED)
    studies.TRIED.write_text(content)
    for call in (studies.load_tried, lambda: studies.renew_tried("s")):
        with pytest.raises(UserError, match=r"^studies/tried.json: damaged \(.*\): must be as `make studies`"):
            call()
    with pytest.raises(UserError, match=r"^studies/t/tried.json: no results of t: run `make studies`$"):
        studies.renew_tried("t")


def test_the_tried_remedies_in_the_repository_are_complete_and_of_its_own_studies() -> None:
    kept = studies.load_tried(ROOT / studies.TRIED)
    assert set(kept) <= set(read(ROOT / "params.yaml").studies)
    assert all(sum(not cell.changes for cell in each.cells) == 1 for each in kept.values())


def test_a_cluster_without_stated_certificates_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.studies.workers import ADDRESS, _client

    monkeypatch.setenv(ADDRESS, "tls://127.0.0.1:9")
    message = r"^DASK_SCHEDULER_ADDRESS: tls://127.0.0.1:9: TLS expects .*: must fit distributed.comm.tls in Dask's"
    with pytest.raises(UserError, match=message), _client(1):
        pass


@pytest.mark.parametrize("address", ["tcp://10.255.255.1:8786", "10.255.255.1:8786", "ws://[2001:db8::1]:8786"])
def test_a_cluster_on_another_machine_needs_tls_or_a_stated_exception(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask

    from pipeline.studies import workers

    monkeypatch.setenv(workers.ADDRESS, address)
    with pytest.raises(
        UserError, match=r"^DASK_SCHEDULER_ADDRESS: .*: must be tls://, or set scheduler-insecure: true"
    ):
        workers._client(1).__enter__()
    for safe in ("tls://10.255.255.1:1", "tcp://127.0.0.1:1", "localhost:1", "tcp://[::1]:1"):
        workers._expect_private(safe)
    with dask.config.set({workers.INSECURE: True}):
        workers._expect_private(address)


@pytest.mark.parametrize("error", [UserError("stop"), RuntimeError("stop"), OSError("stop"), BrokenPipeError("stop")])
def test_after_an_error_of_on_epoch_the_next_task_reads_only_its_own_messages(error: Exception, circles: Split) -> None:
    def fail(epoch: int, curves: Mapping[str, float]) -> None:
        raise error

    with pytest.raises(type(error), match="stop"):
        training_process.train(ThreeEpochs("first"), circles, fail)
    curves: list[str] = []
    files = training_process.train(ThreeEpochs("second"), circles, lambda epoch, values: curves.extend(values))
    assert (list(files), curves) == (["second"], ["second"] * 3)


class NotImportable:
    """Its pickle names a module that does not exist."""

    def __reduce__(self) -> tuple:
        return importlib.import_module, ("there_is_no_such_module",)


def test_a_task_that_the_process_cannot_read_ends_it_with_an_error(circles: Split) -> None:
    with pytest.raises(RuntimeError, match=r"the training process died \(exit code 1\)"):
        training_process.train(NotImportable(), circles, lambda epoch, curves: None)
    assert list(training_process.train(ThreeEpochs("next"), circles, lambda epoch, curves: None)) == ["next"]
