"""Tasks: every number is scikit-learn's, whatever the arrays."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, mean_squared_error, r2_score
from sklearn.preprocessing import label_binarize

from pipeline.data.split.tasks import KINDS, Task
from pipeline.params.evaluation_params import SCORES, SKILL

CLASSES = "abcdefgh"
values = st.floats(-1e3, 1e3, width=32)


def classification(classes: int) -> Task:
    return Task("binary" if classes == 2 else "multiclass", tuple(CLASSES[:classes]))


def regression(targets: int) -> Task:
    return Task("regression", tuple(f"y{number}" for number in range(targets)))


@st.composite
def classified(draw: st.DrawFn) -> tuple[Task, np.ndarray, np.ndarray]:
    """A task, labels of which some may not occur, and probabilities, among which there are ties."""
    task = classification(draw(st.integers(2, 5)))
    rows = draw(st.integers(1, 30))
    labels = draw(arrays(np.int64, rows, elements=st.integers(0, len(task.names) - 1)))
    shares = draw(arrays(np.float32, (rows, task.outputs), elements=st.sampled_from([0.0, 0.125, 0.5, 0.75, 1.0])))
    return task, labels, shares


@st.composite
def regressed(draw: st.DrawFn) -> tuple[Task, np.ndarray, np.ndarray]:
    """A task, targets none of which is constant, and predictions."""
    task = regression(draw(st.integers(1, 3)))
    shape = (draw(st.integers(2, 30)), task.outputs)
    targets = draw(arrays(np.float64, shape, elements=values))
    targets[0] = targets[1] + draw(st.floats(1, 1e3))
    return task, targets, draw(arrays(np.float32, shape, elements=values))


@pytest.mark.slow
@given(classified())
def test_accuracies_are_scikit_learns(case: tuple[Task, np.ndarray, np.ndarray]) -> None:
    task, labels, predictions = case
    predicted = predictions[:, 0] > 0.5 if task.kind == "binary" else predictions.argmax(axis=1)
    np.testing.assert_array_equal(task.predicted_labels(predictions), predicted)
    found = task.scores(labels, predictions)
    with warnings.catch_warnings():
        # That a class is predicted which does not occur, and that one label alone does, is meant.
        warnings.simplefilter("ignore", UserWarning)
        expected = {
            "accuracy": accuracy_score(labels, predicted),
            "balanced_accuracy": balanced_accuracy_score(labels, predicted),
        }
    assert found == pytest.approx(expected)
    assert list(found) == list(task.of_kind.scores)


@pytest.mark.slow
@given(classified())
def test_the_loss_of_the_best_constant_is_the_log_loss_of_the_shares(case: tuple[Task, np.ndarray, np.ndarray]) -> None:
    task, labels, _ = case
    every = np.arange(len(task.names))
    shares = np.mean(labels[:, None] == every, axis=0)
    expected = log_loss(labels, np.tile(shares, (len(labels), 1)), labels=every)
    found = task.constant_loss(labels)
    assert found == pytest.approx(expected, abs=1e-12)
    assert 0 <= found <= np.log(len(task.names)) + 1e-12


@given(regressed())
def test_r2_and_the_loss_of_the_mean_are_scikit_learns(case: tuple[Task, np.ndarray, np.ndarray]) -> None:
    task, targets, predictions = case
    assert task.scores(targets, predictions) == {"r2": pytest.approx(r2_score(targets, predictions), rel=1e-6)}
    means = np.broadcast_to(targets.mean(axis=0), targets.shape)
    assert task.constant_loss(targets) == pytest.approx(mean_squared_error(targets, means))
    assert task.scores(targets, means)["r2"] == pytest.approx(task.guessing("r2"), abs=1e-9)
    assert task.scores(targets, targets)["r2"] == 1


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_of_a_constant_target_there_is_no_r2(shift: float) -> None:
    targets = np.ones((4, 1))
    found = regression(1).scores(targets, targets + shift)["r2"]
    assert not np.isfinite(found)
    with np.errstate(divide="ignore", invalid="ignore"):
        np.testing.assert_equal(found, r2_score(targets, targets + shift, force_finite=False))
    assert regression(1).constant_loss(targets) == 0


@given(classified())
def test_labels_become_a_column_or_one_hot(case: tuple[Task, np.ndarray, np.ndarray]) -> None:
    task, labels, _ = case
    found = task.target_matrix(labels)
    assert (found.dtype, found.shape) == (np.float32, (len(labels), task.outputs))
    np.testing.assert_array_equal(found, label_binarize(labels, classes=np.arange(len(task.names))))


@given(regressed())
def test_targets_stay_what_they_are(case: tuple[Task, np.ndarray, np.ndarray]) -> None:
    task, targets, _ = case
    found = task.target_matrix(targets)
    assert (found.dtype, found.shape) == (np.float32, targets.shape)
    np.testing.assert_array_equal(found, targets.astype(np.float32))
    np.testing.assert_array_equal(regression(1).target_matrix(targets[:, 0]), found[:, :1])


def test_what_is_not_a_number_predicts_the_first_class_and_so_does_an_even_chance() -> None:
    assert classification(2).predicted_labels(np.array([[0.5], [np.nan], [0.51]])).tolist() == [0, 0, 1]
    shares = np.array([[0.2, 0.4, 0.4], [np.nan] * 3, [1 / 3] * 3, [0.1, 0.2, 0.7]])
    assert classification(3).predicted_labels(shares).tolist() == [1, 0, 0, 2]
    assert classification(3).predicted_labels(shares[None]).shape == (1, 4)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_guessing_reaches_the_share_of_one_class(classes: int) -> None:
    """Of labels at random as many times as there are rows: within four standard errors."""
    task, generator = classification(classes), np.random.default_rng(classes)
    labels = generator.choice(classes, 20_000, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    guesses = generator.integers(0, classes, len(labels))
    predictions = np.eye(classes)[guesses] if classes > 2 else guesses[:, None].astype(float)
    for score, found in task.scores(labels, predictions).items():
        assert found == pytest.approx(task.guessing(score), abs=4 * 0.5 / np.sqrt(len(labels) / classes**2))
    assert task.guessing(SKILL) == 0


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_by_the_usual_threshold_the_most_frequent_class_is_not_learned(classes: int) -> None:
    task = classification(classes)
    labels = np.array([*range(classes), *[1] * 95])
    always = task.target_matrix(np.ones(len(labels), np.int64))
    found, (score, threshold) = task.scores(labels, always), task.usual_threshold
    assert found["accuracy"] > 0.9
    assert found[score] == pytest.approx(1 / classes)
    assert found[score] < threshold < task.scores(labels, task.target_matrix(labels))[score] == 1
    assert threshold == pytest.approx({2: 0.75, 3: 2 / 3, 5: 0.6}[classes])


def test_the_usual_threshold_of_a_regression_is_half_of_the_variance() -> None:
    assert regression(2).usual_threshold == ("r2", 0.5)
    assert regression(2).guessing("r2") == 0


@pytest.mark.parametrize("task", [classification(2), classification(4), regression(1), regression(3)], ids=str)
def test_a_task_comes_back_from_plain_values(task: Task) -> None:
    assert Task.of(task.plain) == task
    assert task.plain == {"kind": task.kind, "names": list(task.names)}
    assert all(name in task.says() for name in task.names[1:] or task.names)
    assert task.score == task.of_kind.scores[0]
    assert task.curves == ("loss", *task.of_kind.scores)
    assert task.is_classification == (task.kind != "regression")


def test_an_unknown_kind_is_none() -> None:
    with pytest.raises(KeyError, match="ranking"):
        Task.of({"kind": "ranking", "names": []})


def test_every_score_is_that_of_some_task() -> None:
    assert {score for kind in KINDS.values() for score in kind.scores} | {SKILL} == set(SCORES)
