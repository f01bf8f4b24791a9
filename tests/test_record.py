"""The record of trainings: whatever layers, parts and values it has, it comes back from its file and is diagnosed."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from conftest import training, variant

import pipeline
from examples import BINARY, THRESHOLDS, accuracy_above, classified, evaluated, history, layer_table
from pipeline.data.split.tasks import Task
from pipeline.evaluation import replica_table
from pipeline.foundations.errors import UserError
from pipeline.foundations.formats import packed
from pipeline.history import files as runs
from pipeline.history import record
from pipeline.history.record import HIDDEN, OUTPUT, Layer
from pipeline.training.common.train_replicas import train

MIXED = (
    Layer("encoder/conv", "Conv2D", HIDDEN, 16, bypassed=True),
    Layer("memory", "LSTM", HIDDEN, 8, has_activation=False),
    Layer("frozen_features", "Dense", HIDDEN, 300, trainable=False),
    Layer("output", "Dense", OUTPUT, 3, has_activation=False),
)
CLASSES = Task("multiclass", ("a", "b", "c"))


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def back(made: xr.Dataset) -> xr.Dataset:
    """Out of its file."""
    runs.history_path("v").parent.mkdir(parents=True, exist_ok=True)
    runs.history_path("v").write_bytes(packed(made))
    return runs.load_history("v")


def mixed(task: Task = CLASSES, parts: tuple[str, ...] = ("train", "validation", "test")) -> xr.Dataset:
    """Two replicas, three epochs of which two are recorded, layers of all kinds."""
    generator = np.random.default_rng(0)
    curves = {f"{part}_{what}": generator.random((2, 3), np.float32) for part in parts for what in task.curves}
    shape = (2, 2, len(MIXED))
    values = {name: generator.random(shape, np.float32) for name in record.LAYER_VALUES}
    values |= {"dead": np.zeros(shape), "saturated_share": np.zeros((*shape, len(record.SLOPE_FRACTIONS)))}
    values["saturated_share"][:, :, -1] = np.nan
    values |= {name: np.ones((*shape, len(edges) + 1), np.int16) for name, (_, edges, _) in record.HISTOGRAMS.items()}
    return record.assemble([3, 5], [0, 2], curves, values, MIXED, task, dict.fromkeys(parts, 1.0))


def few(made: xr.Dataset) -> xr.Dataset:
    """What a trainer without probes can measure: curves, the gradients of the epochs, and the weights."""
    curves = [f"{part}_{what}" for part in record.parts_of(made) for what in record.task_of(made).curves]
    return made[[*curves, "gradient_mean_abs", "weight_l1", *record.LAYER_TABLE]]


def test_a_history_comes_back_with_its_layer_table() -> None:
    made = mixed()
    loaded = back(made)
    xr.testing.assert_identical(loaded, made)
    xr.testing.assert_identical(back(loaded), made)
    columns = [loaded[name].values.tolist() for name in record.LAYER_TABLE]
    assert [Layer(*row) for row in zip(*columns, strict=True)] == list(MIXED)
    assert record.task_of(loaded) == CLASSES
    assert record.parts_of(loaded) == ["train", "validation", "test"]
    assert {f"{part}_constant_loss" for part in record.parts_of(loaded)} < set(loaded.attrs)
    assert all(loaded[name].attrs["long_name"] for name in loaded)


def test_a_trained_history_comes_back_and_says_what_its_layers_are() -> None:
    made = train(variant(), "v", classified(3, validation=9), training(epochs=1)).history
    loaded = back(made)
    xr.testing.assert_identical(loaded, made)
    assert loaded.path.values.tolist() == ["hidden_01", "hidden_02", "output"]
    assert loaded.role.values.tolist() == ["hidden", "hidden", "output"]
    assert set(loaded.kind.values) == {"Dense"}
    assert loaded.has_activation.values.tolist() == [1, 1, 0]


def test_curves_are_described_by_the_task_and_its_parts() -> None:
    loss = record.curve_text("validation_loss", CLASSES)
    assert loss == "categorical cross-entropy (nat); on the whole validation set, inference mode"
    assert record.curve_text("train_balanced_accuracy", CLASSES).startswith("mean over classes of the share of its")
    made = history([[0.5, 0.9]])
    assert made.test_loss.long_name == "binary cross-entropy (nat); on the whole test set, inference mode"


def test_a_history_without_probes_is_loaded_and_diagnosed() -> None:
    made = few(history([[0.5, 0.9], [0.5, 0.5], [0.5, 0.5]]))
    made.weight_l1[1, 1] = np.inf
    loaded = back(made)
    xr.testing.assert_identical(loaded, made)
    assert not {"dead", "saturated_share", "probe_gradient_mean_abs"} & set(loaded)
    table = replica_table.evaluate(loaded, accuracy_above(), THRESHOLDS)
    assert table.cause.tolist() == ["none", "exploding", "unexplained"]
    assert table.nonfinite_epoch[1] == 1
    assert table[["dead_layer", "saturated_share", "gradient_ratio"]].isna().all(axis=None)
    whole = evaluated(loaded)  # tables, verdict and all
    assert whole.metrics.living.at_end == 3
    assert {"gradient_mean_abs_median", "weight_l1_median"} < set(whole.layers)
    assert "saturated_share_median" not in whole.layers
    assert pipeline.diagnose(pipeline.read_history(runs.history_path("v")), learned=0.75).equals(table)


def test_a_score_that_was_not_recorded_is_left_out() -> None:
    made = few(history([[0.5, 0.9], [0.5, 0.5]]))
    without = made.drop_vars([name for name in made if str(name).endswith("balanced_accuracy")])
    table, known = (replica_table.evaluate(each, accuracy_above(), THRESHOLDS) for each in (without, made))
    left_out = ["train_balanced_accuracy", "test_balanced_accuracy"]
    of_these = ["train_gain", "judged_gain", "score_gap"]
    assert table[of_these].isna().all(axis=None)
    assert table.drop(columns=of_these).equals(known.drop(columns=[*left_out, *of_these]))
    assert evaluated(without).metrics == evaluated(made).metrics


def test_layers_that_no_table_of_kinds_holds_are_diagnosed() -> None:
    """Unequal, not dense, one of them frozen, one without an activation, one with a path around it."""
    made = mixed()
    made.train_loss[:] = 1  # the baseline loss: a loss far below it would rule out a dead layer as the cause
    made.dead[0, :, 0] = 1  # a path leads around it
    made.dead[1, :, 2] = 1
    made.weight_change_l1[:] = 0.1 * made.weight_l1.values
    table = replica_table.evaluate(back(made), accuracy_above(0.999), THRESHOLDS)
    assert table.cause[1] == "born_dead"
    assert table.dead_layer[1] == 3
    assert np.isnan(table.dead_layer[0])


def test_values_through_time_come_back() -> None:
    """Of recurrent layers; over more dimensions than anything here needs."""
    made = few(mixed())
    through = np.random.default_rng(1).random((2, 2, len(MIXED), 5), np.float32)
    through[:, :, 0] = np.nan  # no recurrent one
    described = {"long_name": "mean |gradient| of the loss by the state at each step"}
    made["state_gradient_mean_abs"] = (("replica", "recorded_epoch", "layer", "time"), through, described)
    made = made.assign_coords(time=np.arange(5, dtype=np.int32))
    loaded = back(made)
    xr.testing.assert_identical(loaded, made)
    known = replica_table.evaluate(few(mixed()), accuracy_above(), THRESHOLDS)
    assert replica_table.evaluate(loaded, accuracy_above(), THRESHOLDS).equals(known)


def test_replicas_of_a_file_and_more_of_them_join() -> None:
    made = mixed()
    joined = xr.concat([back(made).isel(replica=[0]), made.isel(replica=[1])], "replica", data_vars="minimal")
    xr.testing.assert_identical(joined, made)


def test_a_history_of_the_first_edition_is_refused_with_what_renews_it() -> None:
    """It had units and bypassed of each layer, and one constant loss."""
    old = few(history([[0.5, 0.9]])).drop_vars(["path", "kind", "role", "trainable", "has_activation"])
    old = old.drop_vars([name for name in old if str(name).endswith("balanced_accuracy")])
    old.attrs = {"constant_loss": float(np.log(2))}
    with pytest.raises(UserError) as caught:
        back(old)
    assert (
        str(caught.value) == "runs/v/history.nc: no variable path: must have this variable; `dvc repro` makes it again"
    )
    with pytest.raises(UserError, match=r"^runs/v/history.nc: no variable path: must have this variable$"):
        pipeline.read_history(runs.history_path("v"))


def test_living_and_blocking_go_by_role_and_path_around() -> None:
    made = history([[0.5], [0.5]], dead=[[1], [0]], layers=3)
    made.dead[1, 0, 2] = 1  # the output
    assert record.living(made).values.tolist() == [[False], [True]]
    made.bypassed[0] = 1
    assert record.living(made).values.tolist() == [[True], [True]]
    assert record.hidden(made).layer.values.tolist() == [1, 2]
    assert record.output(made).layer.values.tolist() == [3]
    swapped = made.assign(role=("layer", ["output", "hidden", "hidden"]))
    assert record.output(swapped).layer.values.tolist() == [1]


def test_a_loss_that_is_not_finite_on_any_part_is_a_divergence() -> None:
    for part in ("train", "validation", "test"):
        made = mixed()
        made[f"{part}_loss"][1, 1] = np.nan
        assert record.diverged(made).values.tolist() == [False, True]
        assert record.finite_losses(made).values.tolist() == [[True] * 3, [True, False, True]]


def test_the_table_of_the_example_is_that_of_its_layers() -> None:
    assert [layer.units for layer in layer_table(4, 5, outputs=2)] == [4, 5, 2]
    assert record.task_of(history([[0.5]])) == BINARY
