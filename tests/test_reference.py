"""The reference: quick models on rows that they were not fitted on, and the bar that follows from them."""

from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

from pipeline.data.reference import guessing, quick_models, reference
from pipeline.data.reference.ranking_scores import mean_auc, top_k_accuracy
from pipeline.data.reference.reference import Reference
from pipeline.data.reference.yardstick import LEAST_SKILL, Yardstick
from pipeline.data.split.samples import Samples, Split
from pipeline.data.split.tasks import Task
from pipeline.evaluation.learned import reference_in_words, rule_for
from pipeline.foundations.errors import UserError
from pipeline.params.evaluation_params import AUC, SKILL, TOP_K

BINARY = Task("binary", ("no", "yes"))
TEN = Task("multiclass", tuple("0123456789"))
VALUE = Task("regression", ("value",))


def halves(inputs: np.ndarray, targets: np.ndarray) -> tuple[Samples, Samples]:
    """Return two halves of the rows, drawn in a fixed random order."""
    order = np.random.default_rng(0).permutation(len(inputs))
    first, second = np.array_split(order, 2)
    return Samples(inputs[first], targets[first]), Samples(inputs[second], targets[second])


def fitted(task: Task, inputs: np.ndarray, targets: np.ndarray, kind: reference.Inputs = "columns") -> Reference:
    train, judge = halves(inputs, targets)
    return reference.fit(task, train, judge, "test", kind)


@pytest.fixture(scope="module")
def circles() -> Reference:
    return fitted(BINARY, *datasets.make_circles(1000, noise=0.1, random_state=1))


def test_a_linear_model_guesses_on_two_circles_and_trees_do_not(circles: Reference) -> None:
    """On the tutorial's circles, trees score 0.80 to 0.82, and the linear model 0.48."""
    assert circles.scores["linear"]["balanced_accuracy"] == pytest.approx(0.5, abs=0.05)
    assert circles.scores["trees"]["balanced_accuracy"] == pytest.approx(0.81, abs=0.04)
    assert circles.best("balanced_accuracy") == ("trees", circles.scores["trees"]["balanced_accuracy"])
    assert (circles.fitted, circles.judged, circles.part, circles.skipped) == (500, 500, "test", "")


def test_the_bar_is_halfway_from_guessing_to_the_better_model(circles: Reference) -> None:
    expected = (0.5 + circles.scores["trees"]["balanced_accuracy"]) / 2
    assert circles.bar("balanced_accuracy", 0.5, 0.75) == round(expected, 3)
    assert circles.bar("balanced_accuracy", 0.5, 0.6) == 0.6  # never above the usual one


def test_a_table_with_much_noise_gets_a_lower_bar() -> None:
    """A ridge regression reaches an R² of 0.4 to 0.5 on the diabetes rows, so half of that is no failure."""
    diabetes = datasets.load_diabetes()
    result = fitted(VALUE, diabetes.data, diabetes.target[:, None])
    assert 0.35 < result.scores["linear"]["r2"] < 0.55
    assert result.scores["linear"][SKILL] == pytest.approx(result.scores["linear"]["r2"])
    assert 0.15 < result.bar("r2", 0.0, 0.5) < 0.3


@pytest.mark.parametrize("judge", ["rows kept apart", "folds"])
def test_no_model_is_scored_on_rows_that_it_was_fitted_on(judge: str) -> None:
    """Trees fit random labels perfectly, and score like a guess on others."""
    random = np.random.default_rng(1)
    train, test = halves(random.normal(size=(1200, 10)), random.integers(0, 2, 1200))
    result = reference.fit(BINARY, train, test if judge == "rows kept apart" else None, "test", "columns")
    assert result.part == ("test" if judge == "rows kept apart" else "folds")
    for scores in result.scores.values():
        assert scores["balanced_accuracy"] == pytest.approx(0.5, abs=0.05)
    bound = result.bound["balanced_accuracy"]
    assert result.bar("balanced_accuracy", 0.5, 0.75) == pytest.approx(bound, abs=0.02)
    assert 0.5 < bound < 0.55


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.95, 0.05], [0.1] * 10, [0.6, 0.3, 0.05, 0.05]])
@pytest.mark.parametrize("score", ["balanced_accuracy", "accuracy"])
def test_guesses_exceed_the_bound_in_at_most_one_case_of_twenty(shares: list[float], score: str) -> None:
    """Whatever shares of the classes they predict: all alike, as they occur, or the two rarest alone."""
    random, classes = np.random.default_rng(2), len(shares)
    task = Task("multiclass", tuple(map(str, range(classes)))) if classes > 2 else BINARY
    targets = np.repeat(np.arange(classes), np.round(400 * np.array(shares)).astype(int))
    bound = guessing.guessing_bound(task, score, targets)
    rarest = np.where(np.arange(classes) >= classes - 2, 0.5, 0.0)
    for predicted in (np.full(classes, 1 / classes), np.array(shares), rarest):
        drawn = random.choice(classes, size=(2000, len(targets)), p=predicted)
        exceeded = [task.scores(targets, one_hot(task, labels))[score] > bound for labels in drawn]
        assert np.mean(exceeded) <= 0.05


def one_hot(task: Task, labels: np.ndarray) -> np.ndarray:
    shares = np.eye(len(task.names))[labels]
    return shares[:, 1:] if task.kind == "binary" else shares


def test_values_without_any_relation_exceed_the_bound_of_r2_in_at_most_one_case_of_twenty() -> None:
    """Of every size, the best one for these rows among them."""
    random = np.random.default_rng(3)
    exceeded = []
    for _ in range(1000):
        targets, guess = random.normal(size=(2, 200, 1))
        bound = guessing.guessing_bound(VALUE, "r2", targets)
        centred = guess - guess.mean()
        best = (centred * targets).sum() / (centred**2).sum()
        exceeded.append(VALUE.scores(targets, targets.mean() + best * centred)["r2"] > bound)
    assert np.mean(exceeded) <= 0.06  # 5% are expected of the best size on these rows, and fewer of any other


@pytest.mark.parametrize("kind", ["array", "ids"])
def test_inputs_that_are_no_columns_never_lower_the_bar(kind: reference.Inputs) -> None:
    """There weak models prove nothing: a bar anywhere in a picture defeats both."""
    random = np.random.default_rng(4)
    result = fitted(BINARY, random.integers(0, 50, (400, 12)), random.integers(0, 2, 400), kind)
    assert result.best("balanced_accuracy") is not None
    assert result.bar("balanced_accuracy", 0.5, 0.75) == 0.75


def test_ids_are_counted() -> None:
    """Whether one of few ids occurs is linear in the counts, and nothing like it in the ids' numbers."""
    random = np.random.default_rng(5)
    ids = random.integers(0, 200, (1600, 20))
    labels = (ids < 7).any(axis=1).astype(int)
    counted, plain = (fitted(BINARY, ids, labels, kind).scores["linear"] for kind in ("ids", "columns"))
    assert counted["balanced_accuracy"] > 0.85
    assert plain["balanced_accuracy"] < 0.65


def test_each_id_has_its_own_count() -> None:
    counts = quick_models.id_counts(np.array([[3, 3, 9], [1, 2, 9]]), np.array([1, 3, 9]))
    assert counts.tolist() == [[0, 2, 1], [1, 0, 1]]


def test_a_sample_of_many_rows_keeps_the_shares_of_the_classes() -> None:
    labels = np.repeat([0, 1, 2], [9000, 900, 100])
    drawn = reference.sample(Task("multiclass", ("a", "b", "c")), Samples(np.arange(10000)[:, None], labels))
    assert len(drawn) == reference.ROWS
    assert np.bincount(drawn.targets).tolist() == pytest.approx([1800, 180, 20], abs=1)
    assert (labels[drawn.inputs[:, 0]] == drawn.targets).all()


def test_the_same_rows_give_the_same_numbers() -> None:
    rows = datasets.make_classification(300, 8, random_state=6)
    assert fitted(BINARY, *rows) == fitted(BINARY, *rows)


def test_classes_that_the_fitted_rows_lack_are_never_predicted() -> None:
    digits = datasets.load_digits()
    known = digits.target != 7
    train = Samples(digits.data[known][:500], digits.target[known][:500])
    result = reference.fit(TEN, train, Samples(digits.data[:400], digits.target[:400]), "test", "columns")
    assert 0.75 < result.scores["trees"]["balanced_accuracy"] <= 0.9


@pytest.mark.parametrize(
    ("inputs", "targets", "kind", "reason"),
    [
        (np.zeros((10, 2)), np.tile([0, 1], 5), "columns", "fewer than 20 rows"),
        (np.full((60, 2), np.nan), np.tile([0, 1], 30), "columns", "NaN or infinite values"),
        (np.zeros((60, 2)), np.zeros(60, int), "columns", "the training rows have one class"),
        (np.full((60, 2), -1), np.tile([0, 1], 30), "ids", "negative ids"),
        (np.zeros((60, 90_000)), np.tile([0, 1], 30), "array", "30 rows of 90,000 columns take too long"),
    ],
)
def test_a_skipped_reference_has_a_reason(
    inputs: np.ndarray, targets: np.ndarray, kind: reference.Inputs, reason: str
) -> None:
    result = fitted(BINARY, inputs, targets, kind)
    assert (result.skipped, result.scores) == (reason, {})
    assert result.best("accuracy") is None
    assert result.bar("balanced_accuracy", 0.5, 0.75) == 0.75


def test_a_rule_uses_the_bar_unless_the_user_states_a_threshold(circles: Reference) -> None:
    usual = rule_for(BINARY, None, circles)
    assert (usual.score, usual.threshold) == ("balanced_accuracy", circles.bar("balanced_accuracy", 0.5, 0.75))
    assert usual.threshold < 0.75
    assert rule_for(BINARY, {"accuracy": 0.75}, circles).threshold == 0.75
    assert rule_for(BINARY, None).threshold == 0.75


def test_the_reference_is_described_in_one_sentence(circles: Reference) -> None:
    linear, trees = (circles.scores[name]["accuracy"] for name in ("linear", "trees"))
    assert reference_in_words(rule_for(BINARY, {"accuracy": 0.75}, circles)) == (
        f"For comparison, a linear model reaches {linear:.2f} and a forest of 100 random trees reaches {trees:.2f} "
        "(accuracy on the test rows)."
    )
    skipped = reference.Reference(skipped="fewer than 20 rows")
    assert reference_in_words(rule_for(BINARY, None, skipped)) == "No reference was fitted: fewer than 20 rows."
    assert reference_in_words(rule_for(BINARY, None)) == ""


def test_a_reference_is_saved_and_loaded(circles: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    reference.save_reference(circles)
    assert reference.load_reference() == circles
    reference.REFERENCE.write_text('{"scores": {"linear": {"accuracy": "high"}}}')
    with pytest.raises(UserError, match=r"^data/reference/reference\.json: "):
        reference.load_reference()


def test_the_rows_that_judge_networks_judge_the_reference_of_a_split() -> None:
    inputs, labels = datasets.make_circles(300, noise=0.1, random_state=1)
    train, validation, test = (Samples(inputs[i::3], labels[i::3]) for i in range(3))
    assert reference.of_split(Split(BINARY, train, test)).part == "test"
    assert reference.of_split(Split(BINARY, train, test, validation)).part == "validation"
    pictures = [Samples(each.inputs[:, :, None], each.targets) for each in (train, test)]
    assert reference.of_split(Split(BINARY, *pictures)).inputs == "array"


def test_the_area_under_the_curve_equals_scikit_learns() -> None:
    """Ties count one half; a class without rows is left out."""
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(7)
    labels, scores = random.integers(0, 3, 90), random.integers(0, 5, (90, 4)).astype(float)
    expected = [roc_auc_score(labels == each, scores[:, each]) for each in range(3)]
    assert mean_auc(labels[:, None] == np.arange(4), scores) == pytest.approx(np.mean(expected))
    assert np.isnan(mean_auc(np.ones((5, 1), bool), np.zeros((5, 1))))
    assert np.isnan(mean_auc(np.array([[True], [False]]), np.array([[np.nan], [0.0]])))


def test_top_k_accuracy_counts_the_k_most_probable_classes() -> None:
    scores = np.array([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6], [0.1, 0.3, 0.6]])
    assert top_k_accuracy(np.array([1, 1, 0]), scores, 2) == pytest.approx(2 / 3)
    assert top_k_accuracy(np.array([1, 1, 0]), scores, 3) == 1


IMBALANCED_ROWS = datasets.make_classification(1500, 6, weights=[0.9], class_sep=0.7, flip_y=0.02, random_state=8)


def test_class_weights_move_the_bar_only_if_the_network_has_them() -> None:
    train, judge = halves(*IMBALANCED_ROWS)
    plain, weighted = (
        reference.fit(BINARY, train, judge, "test", "columns", has_class_weights=has) for has in (False, True)
    )
    with_weights = plain.scores["weighted_linear"]
    assert set(with_weights) == {"balanced_accuracy"}
    assert with_weights["balanced_accuracy"] > plain.scores["linear"]["balanced_accuracy"] + 0.05
    assert plain.best("balanced_accuracy")[0] != "weighted_linear"
    assert plain.greatest("balanced_accuracy") == with_weights["balanced_accuracy"]
    assert weighted.best("balanced_accuracy")[0] == "weighted_linear"
    assert plain.bar("balanced_accuracy", 0.5, 0.75) < weighted.bar("balanced_accuracy", 0.5, 0.75)
    assert "weighted_linear" not in fitted(BINARY, *datasets.make_circles(300, random_state=1)).scores


@pytest.mark.parametrize("inputs", ["array", "ids"])
@pytest.mark.parametrize("score", ["balanced_accuracy", "r2", AUC, TOP_K, SKILL])
@pytest.mark.parametrize("value", [-1.0, 0.0, 0.2, 0.5, 0.9, 1.0])
def test_a_reference_never_moves_the_bar_of_pictures_nor_of_sequences_with_one_target(
    inputs: reference.Inputs, score: str, value: float
) -> None:
    yardstick = Yardstick(score=score, guess=0.0, usual=0.5)
    weak = Reference(scores={"linear": {score: value}}, inputs=inputs, bound={score: 0.1}, part="validation")
    assert yardstick.bar(weak) == yardstick.bar(None) == 0.5


@pytest.mark.parametrize(("value", "bar"), [(-1.0, 0.02), (0.02, 0.02), (0.3, 0.15), (0.9, 0.45), (1.2, 0.5)])
def test_the_bar_of_a_skill_is_low_until_a_reference_raises_it(value: float, bar: float) -> None:
    yardstick = Yardstick(score=SKILL, usual=LEAST_SKILL)
    known = Reference(scores={"linear": {SKILL: value}}, bound={SKILL: 0.02}, part="validation")
    assert yardstick.bar(None) == LEAST_SKILL
    assert yardstick.bar(known) == bar


def _guesses(task: Task, targets: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Predictions without information, of the form of the task: of every size, and of every share of the classes."""
    if task.kind == "regression":
        return targets.mean() + random.normal(0, random.choice([0.01, 0.1, 1.0]) * targets.std(), targets.shape)
    shares = random.dirichlet(np.full(len(task.names), random.choice([0.5, 5.0])), len(targets))
    return shares[:, 1:] if task.kind == "binary" else shares


@pytest.mark.parametrize(
    ("task", "score", "guess", "shares"),
    [
        (BINARY, "balanced_accuracy", 0.5, [0.5, 0.5]),
        (BINARY, "balanced_accuracy", 0.5, [0.94, 0.06]),
        (TEN, "balanced_accuracy", 0.1, [0.1] * 10),
        (VALUE, "r2", 0.0, None),
        (VALUE, SKILL, 0.0, None),
        (BINARY, AUC, 0.5, [0.5, 0.5]),
        (BINARY, AUC, 0.5, [0.94, 0.06]),
        (TEN, AUC, 0.5, [0.1] * 10),
        (TEN, TOP_K, 0.3, [0.1] * 10),
    ],
)
def test_a_guessing_network_learns_random_labels_in_at_most_one_case_of_twenty(
    task: Task, score: str, guess: float, shares: list[float] | None
) -> None:
    """Whatever the quick models reach by luck on the same rows: the bar is never below the bound of guessing."""
    random = np.random.default_rng(9)
    scores_of = {**reference.ranking_scores(task, 3), SKILL: lambda y, p: reference._skill(task, y, p)}
    learned = []
    for _ in range(600):
        targets = random.normal(size=(300, 1)) if shares is None else random.choice(len(shares), 300, p=shares)
        of_network, *of_models = (
            {
                **task.scores(targets, each),
                **{name: scores_of[name](targets, each) for name in scores_of if name == score},
            }
            for each in (_guesses(task, targets, random) for _ in range(3))
        )
        bound = {score: guessing.guessing_bound(task, score, targets, top_k=3)}
        models = dict(zip(("linear", "trees"), of_models, strict=True))
        known = Reference(scores=models, bound=bound, part="validation")
        learned.append(of_network[score] > Yardstick(score=score, guess=guess, usual=(1 + guess) / 2).bar(known))
    assert np.mean(learned) <= 0.05


@pytest.mark.parametrize("seed", range(3))
def test_guesses_seldom_pass_the_bar_of_random_labels(seed: int) -> None:
    random = np.random.default_rng(seed)
    train, judge = halves(random.normal(size=(600, 5)), random.integers(0, 2, 600))
    scores = reference.ranking_scores(BINARY, 1)
    known = reference.fit(BINARY, train, judge, "validation", "columns", further={AUC: scores[AUC]})
    bar = Yardstick(score=AUC, guess=0.5, usual=0.75).bar(known)
    assert np.mean([scores[AUC](judge.targets, random.random((300, 1))) > bar for _ in range(300)]) <= 0.05


@pytest.mark.parametrize("score", ["accuracy", "balanced_accuracy", AUC, TOP_K])
def test_no_score_on_rows_of_one_class_exceeds_the_bound(score: str) -> None:
    assert guessing.guessing_bound(BINARY, score, np.zeros(50, int)) == 1.0


def test_validation_rows_of_one_class_leave_the_usual_bar() -> None:
    """A split of sorted rows leaves such validation rows."""
    inputs, labels = datasets.make_classification(400, 6, random_state=10)
    order = np.argsort(labels, kind="stable")
    train, judge = (Samples(inputs[rows], labels[rows]) for rows in (order[:340], order[340:]))
    known = reference.fit(BINARY, train, judge, "validation", "columns")
    assert known.bar("balanced_accuracy", 0.5, 0.75) == 0.75
