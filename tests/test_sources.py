"""Test sources of scikit-learn: they give its functions' numbers, and a wrong argument is reported in one line."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from pipeline.data import sources
from pipeline.data.split.samples import RawData
from pipeline.foundations.errors import UserError
from pipeline.params.data_params import DataParams

SEEDED: dict[str, Any] = {"n_samples": 40, "random_state": 3}
CONFIGS: dict[str, dict[str, Any]] = {
    "make_circles": {**SEEDED, "noise": 0.1, "factor": 0.5},
    "make_moons": {**SEEDED, "noise": 0.1},
    "make_blobs": {**SEEDED, "centers": 4, "n_features": 3},
    "make_classification": {**SEEDED, "n_features": 6, "weights": [0.7]},
    "make_gaussian_quantiles": {**SEEDED, "n_classes": 3},
    "make_hastie_10_2": SEEDED,
    "make_regression": {**SEEDED, "n_features": 4, "n_targets": 2},
    "make_friedman1": SEEDED,
    "make_friedman2": SEEDED,
    "make_friedman3": SEEDED,
    "make_sparse_uncorrelated": SEEDED,
    "make_swiss_roll": SEEDED,
    "make_s_curve": SEEDED,
    **{name: {} for name in ("load_digits", "load_wine", "load_breast_cancer", "load_iris", "load_diabetes")},
}
# These functions of scikit-learn are no sources: they give several labels for a row, no target for each row, or files.
LEFT_OUT = {
    *("make_biclusters", "make_checkerboard", "make_low_rank_matrix", "make_multilabel_classification"),
    *("make_sparse_coded_signal", "make_sparse_spd_matrix", "make_spd_matrix"),
    *("load_files", "load_linnerud", "load_sample_image", "load_sample_images", "load_svmlight_file"),
    "load_svmlight_files",
}


def load(source: str, config: dict[str, Any] | None = None, **changes: Any) -> RawData:
    """Return the rows of a source."""
    return sources.load(DataParams(source=source, config=CONFIGS[source] if config is None else config, **changes))


def test_every_function_with_one_target_for_each_row_is_a_source() -> None:
    """If scikit-learn gets a new function, this test fails."""
    there = {name for name in dir(datasets) if name.startswith(("make_", "load_"))}
    assert there - LEFT_OUT == set(sources.SOURCES) == set(CONFIGS)


@pytest.mark.parametrize("name", sources.SOURCES)
def test_a_source_gives_what_the_function_gives(name: str) -> None:
    """Inputs, names, classes and targets equal those of scikit-learn, to the bit."""
    function, raw = getattr(datasets, name), load(name)
    if name.startswith("load_"):
        bunch = function()
        inputs, targets = bunch.data, bunch.target
        assert list(raw.kinds) == [str(each) for each in bunch.feature_names]
    else:
        inputs, targets = function(**CONFIGS[name])[:2]
        assert list(raw.kinds) == [f"x{place + 1}" for place in range(inputs.shape[1])]
    assert isinstance(raw.features, pd.DataFrame)
    assert (raw.features.to_numpy() == inputs).all()
    if raw.task.is_classification:
        classes, labels = np.unique(targets, return_inverse=True)
        assert (raw.targets == labels).all()
        names = bunch.target_names if name.startswith("load_") else classes.astype(int)
        assert raw.task.names == tuple(map(str, names))
        assert raw.task.kind == ("binary" if len(classes) == 2 else "multiclass")
    else:
        assert (raw.targets == np.reshape(targets, (len(targets), -1))).all()
        assert raw.task.names == (("target",) if np.ndim(targets) == 1 else ("target1", "target2"))
    assert sources.SOURCES[name].is_classification == raw.task.is_classification


def test_a_list_stands_for_a_tuple() -> None:
    """Some arguments must be tuples, which YAML does not have."""
    raw = load("make_circles", {"n_samples": [9, 31], "random_state": 1})
    assert np.bincount(raw.targets).tolist() == [9, 31]


def test_a_bundled_set_with_fewer_classes_has_only_their_names() -> None:
    """`n_class` of the digits removes rows, but scikit-learn still lists the names of all classes."""
    raw = load("load_digits", {"n_class": 5})
    assert raw.task.names == ("0", "1", "2", "3", "4")
    assert (raw.targets == datasets.load_digits(n_class=5).target).all()


@pytest.mark.parametrize(
    ("source", "task", "kind", "names"),
    [
        ("load_iris", "multiclass", "multiclass", ("setosa", "versicolor", "virginica")),
        ("load_iris", "regression", "regression", ("label",)),
        ("make_circles", "binary", "binary", ("0", "1")),
        ("make_circles", "multiclass", "multiclass", ("0", "1")),
        ("make_circles", "regression", "regression", ("label",)),
        ("load_diabetes", "regression", "regression", ("target",)),
    ],
)
def test_params_can_state_another_task(source: str, task: Any, kind: str, names: tuple[str, ...]) -> None:
    """Two classes may be trained with a softmax, and labels as the numbers of a regression."""
    actual = load(source, task=task).task
    assert (actual.kind, actual.names) == (kind, names)


def test_labels_as_numbers_are_the_labels() -> None:
    """A regression on the classes of iris has the targets 0, 1 and 2."""
    assert (load("load_iris", task="regression").targets[:, 0] == datasets.load_iris().target).all()


@pytest.mark.parametrize(
    ("source", "task", "line"),
    [
        ("load_iris", "binary", "data.task: binary: label has 3 classes: must be multiclass, regression or auto"),
        ("make_regression", "binary", "data.task: binary: 2 targets (target1, target2): must be regression"),
        ("make_friedman1", "multiclass", "column target: class 3.7009 has one row: must have at least two, to train"),
    ],
)
def test_a_task_that_does_not_fit_the_targets_is_rejected(source: str, task: Any, line: str) -> None:
    """The message names the target and the tasks that fit."""
    pattern = re.escape(line).replace(re.escape("3.7009"), r"[\d.]+")
    with pytest.raises(UserError, match=f"^{pattern}"):
        load(source, task=task)


@pytest.mark.parametrize(
    ("source", "config", "line"),
    [
        ("make_circles", {}, "data.config.random_state: missing: must be a whole number; without one every run would"),
        ("make_circles", {"random_state": None}, "data.config.random_state: missing: must be a whole number;"),
        (
            "make_circles",
            {"random_state": 1, "nois": 0.1},
            "data.config.nois: not an argument of make_circles: must be one of n_samples, shuffle, noise, "
            "random_state, factor: did you mean noise?",
        ),
        (
            "make_regression",
            {"random_state": 1, "coef": True},
            "data.config.coef: not an argument of make_regression: must be one of n_samples, n_features,",
        ),
        ("make_blobs", {"random_state": 1, "return_centers": True}, "data.config.return_centers: not an argument of"),
        ("load_iris", {"as_frame": True}, "data.config.as_frame: not an argument of load_iris: must be one of (none)"),
        ("load_iris", {"return_X_y": True}, "data.config.return_X_y: not an argument of load_iris: must be one of"),
        (
            "make_moons",
            {"n_samples": "many", "random_state": 1},
            "data.config: {'n_samples': 'many', 'random_state': 1}: must be arguments of scikit-learn's make_moons "
            "(The 'n_samples' parameter of make_moons must be ",
        ),
        ("make_moons", {"n_samples": -1, "random_state": 1}, "data.config: {'n_samples': -1, 'random_state': 1}: must"),
        ("make_moons", {"noise": 0.1, "random_state": 0.5}, "data.config: {'noise': 0.1, 'random_state': 0.5}: must"),
        ("make_circles", {"n_samples": 0, "random_state": 1}, "data.config: {'n_samples': 0, 'random_state': 1}: no r"),
        (
            "make_moons",
            {"n_samples": 2, "random_state": 1},
            "column label: class 0 has one row: must have at least two",
        ),
        ("make_moons", {"noise": 1e300, "random_state": 1}, "column x1: "),
        ("make_friedman1", {"n_samples": 1, "random_state": 1}, "column target: all values are "),
        (
            "make_circle",
            {},
            "data.source: make_circle: must be a source, or a file such as tables/mine.csv: did you mean make_circles?",
        ),
        ("mine", {}, "data.source: mine: must be one of make_circles, make_moons, make_blobs, "),
        ("mine.csv", {}, "data.source: mine.csv: must be in the folder tables/, such as tables/mine.csv"),
        ("tables/../x.csv", {}, "data.source: tables/../x.csv: must be in the folder tables/, such as tables/x.csv"),
        (
            "tables/x.csv",
            {"n_samples": 3},
            "data.config: {'n_samples': 3}: must be {} or left out, because the source is",
        ),
        ("tables/x.xlsx", {}, "data.source: tables/x.xlsx: must be one of make_circles, "),
    ],
)
def test_a_wrong_source_or_argument_is_reported_in_one_line(source: str, config: dict[str, Any], line: str) -> None:
    """The line names the parameter, the value, and what is allowed."""
    with pytest.raises(UserError, match=f"^{re.escape(line)}") as error:
        load(source, config)
    assert "\n" not in str(error.value)
    assert "must" in str(error.value) or "did you mean" in str(error.value)
