"""Evaluation: intervals as published, and every definition on hand-made histories."""

import json
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, chi2

from examples import (
    BINARY,
    THRESHOLDS,
    accuracy_above,
    evaluated,
    evaluations,
    history,
    parameters,
    recipes,
    with_recurrent_layer,
)
from pipeline.evaluation import (
    claims,
    comparison,
    effects,
    expectations,
    files,
    learned,
    ranking,
    replica_table,
    summary,
)
from pipeline.evaluation.intervals import newcombe, wilson
from pipeline.evaluation.variant import Spread, VariantMetrics
from pipeline.foundations.errors import UserError
from pipeline.history import record
from pipeline.params.tracking_params import TrackingParams
from pipeline.tracking import metric_values, payload


@pytest.mark.parametrize(
    # Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3 (Wilson's score).
    ("count", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(count: int, total: int, low: float, high: float) -> None:
    assert wilson(count, total) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    # Newcombe 1998, Statistics in Medicine 17:873-890, table II, method 10.
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((10, 10, 0, 20), 0.6791, 1.0000),
    ],
)
def test_newcombe_as_published(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    assert newcombe(*counts) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 400).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_holds_the_share_and_stays_inside(case: tuple[int, int]) -> None:
    count, total = case
    low, high = wilson(count, total)
    assert 0 <= low <= count / total <= high <= 1
    assert wilson(total - count, total) == pytest.approx((1 - high, 1 - low))


def test_epochs_to_learn_is_the_first_from_which_it_stays() -> None:
    stays = np.array([[0, 1, 0, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 1, 0], [0, 0, 0, 0, 1]], bool)
    np.testing.assert_array_equal(learned.epochs_to_learn(stays), [3, 0, np.nan, 4])


def test_outcomes_and_a_diverged_replica_stays_in_the_denominator() -> None:
    made = history([[0.5, 0.8], [0.5, 0.75], [0.9, 0.9]])
    made.train_loss[2, 1] = np.inf
    table = replica_table.evaluate(made, accuracy_above(), THRESHOLDS)
    assert table.outcome.tolist() == ["learned", "not_learned", "not_learned"]
    assert (table.cause[0], table.cause[2], table.diverged[2]) == ("none", "exploding", 1)
    metrics = summary.metrics(table, ["test_accuracy", "train_accuracy"])
    assert (metrics.replicas, metrics.learned.count, metrics.diverged) == (3, 1, 1)
    assert sum(metrics.outcomes.values()) == 3
    assert metrics.learned.rate == pytest.approx(1 / 3, abs=1e-6)
    assert table.epochs_to_learn.tolist()[0] == 1
    assert np.isnan(table.epochs_to_learn[2])


def test_the_threshold_decides() -> None:
    made = history([[0.5, 0.7], [0.5, 0.9]])
    counts = [evaluated(made, threshold).metrics.learned.count for threshold in (0.6, 0.75, 0.95)]
    assert counts == [2, 1, 0]
    assert evaluated(made, 0.95).metrics.epochs_to_learn == Spread(q25=None, median=None, q75=None)


def test_numbers_are_those_of_their_digits() -> None:
    made = history([[0.5, 0.84]])
    assert evaluated(made).metrics.scores["test_accuracy"].median == 0.84


def test_the_rule_may_be_of_any_score_of_the_task_or_of_its_loss() -> None:
    made = history([[0.5, 0.9], [0.5, 0.6]])
    made.test_balanced_accuracy[:, -1] = [0.5, 0.9]
    made.test_loss[:, -1] = [np.log(2) / 4, np.log(2)]
    for stated, count in (
        ({"accuracy": 0.75}, [True, False]),
        ({"score": 0.75}, [True, False]),
        ({"balanced_accuracy": 0.75}, [False, True]),
        ({"skill": 0.7}, [True, False]),
        ({"skill": 0.8}, [False, False]),
        (None, [False, True]),  # balanced accuracy above 0.75
    ):
        rule = learned.rule_for(BINARY, stated)
        assert learned.learned_at(made, rule)[:, -1].values.tolist() == count, stated
    assert learned.score_curve(made, "skill")[0, -1] == pytest.approx(0.75)
    with pytest.raises(UserError, match=r"^evaluation.learned: r2: must be one of accuracy, balanced_accuracy, skill "):
        learned.rule_for(BINARY, {"r2": 0.5})


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_of_one_class_alone_nobody_learns_by_skill(loss: float) -> None:
    """A constant makes no mistake there, so there is nothing to be better than."""
    made = history([[0.5, 0.9]])
    made.attrs["test_constant_loss"] = BINARY.constant_loss(np.ones(4, np.int64))
    made.test_loss[:] = loss
    assert not learned.learned_at(made, learned.Rule("skill", 0.5)).any()


def test_the_part_that_decides_is_the_test_set_where_there_is_one() -> None:
    made = history([[0.5, 0.9]])
    made["train_accuracy"][:] = 0.6
    validated = made.rename({name: name.replace("test", "validation") for name in made if str(name).startswith("test")})
    validated.attrs["validation_constant_loss"] = np.log(2)
    alone = made.drop_vars([name for name in made if str(name).startswith("test")])
    for each, part, score in ((made, "test", 0.9), (validated, "validation", 0.9), (alone, "train", 0.6)):
        assert record.judged_part(each) == part
        assert learned.score_curve(each, "accuracy")[0, -1] == pytest.approx(score)
        table = replica_table.evaluate(each, accuracy_above(), THRESHOLDS)
        assert (table.outcome[0] == "learned") == (score > 0.75)
        assert list(evaluated(each).metrics.scores) == [f"{name}_accuracy" for name in reversed(record.parts_of(each))]


def test_metrics_come_back_from_their_file() -> None:
    metrics = evaluated(history([[0.5, 0.8]] * 2 + [[0.5, 0.5]])).metrics
    assert VariantMetrics.of(json.loads(json.dumps(metrics.plain))) == metrics
    assert list(metrics.plain)[:4] == ["replicas", "learned", "test_accuracy", "train_accuracy"]


def test_a_score_that_is_not_finite_is_in_no_quartile() -> None:
    """R² of a replica that diverged is minus infinity, or not a number."""
    values = pd.Series([0.1, np.nan, 0.3, -np.inf, 0.2])
    assert summary.quartiles(values) == Spread(q25=0.15, median=0.2, q75=0.25)
    assert summary.quartiles(pd.Series([-np.inf, np.nan])) == Spread(q25=None, median=None, q75=None)


def test_the_median_replica_is_the_lower_median_and_ties_go_to_the_lowest_index() -> None:
    assert ranking.median_replica(history([[0.9], [0.5], [0.7], [0.6]]), "accuracy") == 3
    assert ranking.median_replica(history([[0.5], [0.9], [0.5], [0.5]]), "accuracy") == 0
    assert ranking.best_replica(history([[0.5], [0.9], [0.9]]), "accuracy") == 1


SCORES = st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 0.7, np.inf, np.nan]) | st.floats(width=32), min_size=1)


def better(first: float, second: float) -> bool:
    """The rule in words: any number is better than NaN, a higher one than a lower one."""
    return not np.isnan(first) and (np.isnan(second) or first > second)


@given(SCORES)
def test_best_and_median_of_any_scores_are_those_of_a_slow_oracle(scores: list[float]) -> None:
    """NaN never wins while there is a number, and of equals the first is chosen."""
    order: list[int] = []  # from worst to best, equals in their order: by insertion, one comparison at a time
    for place, score in enumerate(scores):
        order.insert(sum(not better(scores[other], score) for other in order), place)

    def first_equal(place: int) -> int:
        score = scores[place]
        return next(n for n, each in enumerate(scores) if not better(each, score) and not better(score, each))

    assert ranking.best(scores) == first_equal(order[-1])
    assert ranking.median(scores) == first_equal(order[(len(order) - 1) // 2])
    for percent in (0, 10, 50, 90, 100):
        assert ranking.percentile(scores, percent) == order[(len(order) - 1) * percent // 100]
    if not np.isnan(scores).all():
        assert not np.isnan(scores[ranking.best(scores)])
        assert scores[ranking.best(scores)] == np.nanmax(scores)


def test_a_replica_whose_score_is_nan_is_never_the_best() -> None:
    made = history([[np.nan], [0.5], [0.7], [np.nan]])
    assert ranking.best_replica(made, "accuracy") == 2
    assert ranking.median_replica(made, "accuracy") == 0
    assert ranking.at_percentiles(made, "accuracy", (0, 50, 100))[0] == [0, 3, 2]
    assert ranking.best_replica(history([[np.nan]] * 3), "accuracy") == 0


def test_gradients_are_over_the_living_alone_with_their_number() -> None:
    made = history([[0.5, 0.5]] * 3, dead=[[0, 0], [0, 1], [1, 1]])
    made.probe_gradient_mean_abs[:, :, 0] = [[1.0, 10.0], [2.0, 20.0], [400.0, 400.0]]
    table = summary.layers(made, slope=0.06)
    first = table[table.layer == 1].set_index("epoch")
    assert first.living.tolist() == [2, 1]
    assert first.probe_gradient_mean_abs_median.tolist() == [1.5, 10.0]
    assert summary.curves(made, accuracy_above()).alive_share.tolist() == pytest.approx([2 / 3, 1 / 3])


def test_where_none_is_living_there_is_no_median() -> None:
    table = summary.layers(history([[0.5, 0.5]], dead=[[0, 1]]), slope=0.06)
    assert table[table.epoch == 1].gradient_norm_median.isna().all()
    assert table[table.epoch == 0].gradient_norm_median.notna().all()


def test_shares_over_the_epochs() -> None:
    made = history([[0.5, 0.8, 0.8], [0.5, 0.5, 0.8]])
    assert summary.curves(made, accuracy_above()).learned_share.tolist() == [0, 0.5, 1]


def test_percentiles_pick_replicas_by_rank() -> None:
    made = history([[accuracy / 100] for accuracy in range(60, 90)][::-1])
    positions, accuracies = ranking.at_percentiles(made, "accuracy", (10, 50, 90))
    assert positions == [27, 15, 3]
    assert accuracies == pytest.approx([0.62, 0.74, 0.86])


def test_the_difference_of_any_two_has_an_interval() -> None:
    row = comparison.differences(evaluations()).iloc[0]
    assert (row["first"], row["second"], row.difference) == ("a", "b", 0.9)
    assert (row.low, row.high) == pytest.approx(newcombe(9, 10, 0, 10), abs=1e-6)
    assert comparison.differences({"a": evaluations()["a"]}).empty


def test_claims_stand_beside_what_is_measured() -> None:
    table = claims.table(parameters(["a", "b"]), evaluations()).set_index("about")
    assert table.loc["a learns", "measured"] == "9 of 10 replicas learn (60 to 98%)"
    assert table.loc["a learns", "reading"].endswith("1 of 10 single runs would have shown the tutorial's result")
    assert "outside the range" in table.loc["a: test accuracy", "reading"]
    assert table.loc["a converges", "reading"].startswith("9 of the 9 replicas that learned stayed above the threshold")
    assert not any("gone" in about for about in table.index)


def test_an_effect_is_of_two_variants_that_differ_in_one_respect() -> None:
    made = evaluations()
    (row,) = effects.table(made, recipes(units=9)).itertuples()
    assert (row.worse, row.better, row.respect, row.change) == ("b", "a", "width", "units: 9 -> 3")
    assert (row.learned_worse, row.learned_better, row.difference) == ("0 of 10", "9 of 10", 0.9)
    assert (row.low, row.high) == pytest.approx(newcombe(9, 10, 0, 10), abs=1e-6)
    both_initialisers = {"kernel_initializer": "ones", "output_kernel_initializer": "ones"}
    assert effects.table(made, recipes(**both_initialisers)).respect.tolist() == ["initialisation"]
    assert effects.table(made, recipes(units=9, activation="elu")).empty
    assert effects.table(made, recipes()).empty


def test_an_optimizer_is_shown_with_its_settings() -> None:
    adam = {"optimizer": {"class_name": "Adam", "config": {"learning_rate": 0.5}}}
    (change,) = effects.table(evaluations(), recipes(**adam)).change
    assert change == "optimizer: Adam(learning_rate=0.5) -> SGD(learning_rate=0.1, momentum=0.9)"


def test_the_long_table_has_a_row_a_variant_and_epoch() -> None:
    table = comparison.curves_table(evaluations())
    assert table.columns.tolist() == ["variant", "epoch", *comparison.CURVES]
    assert table.groupby("variant").size().to_dict() == {"a": 2, "b": 2}
    assert isinstance(table, pd.DataFrame)


@pytest.mark.parametrize("count", [0, 1, 7, 29, 30])
def test_wilson_is_scipys(count: int) -> None:
    expected = binomtest(count, 30).proportion_ci(0.95, method="wilson")
    assert wilson(count, 30) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("count", [1, 2, 5, 6, 30, 31, 300])
def test_the_median_lies_between_scipys_order_statistics(count: int) -> None:
    rank = int(binom.ppf(0.025, count, 0.5))
    expected = (max(0, rank - 1), min(count - 1, count - rank))
    assert expectations.median_interval(np.arange(count)) == expected


def test_the_spread_of_deviations_is_scipys() -> None:
    low, high = expectations._deviation_factors(12)
    assert (low, high) == pytest.approx(tuple(np.sqrt(11 / chi2.ppf([0.975, 0.025], 11))))


def test_quartiles_are_numpys_of_what_is_finite() -> None:
    values = np.random.default_rng(1).normal(size=(9, 4, 3)).astype(np.float32)
    values[:, 0, 0] = np.nan
    values[1:, 1, 1] = np.inf
    values[::2, 2, :] = np.nan
    found = summary._quartiles(values)
    finite = np.where(np.isfinite(values), values, np.nan).astype(float)
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        expected = np.nanquantile(finite, [0.25, 0.5, 0.75], axis=0)
    np.testing.assert_allclose(np.stack(list(found.values())), expected, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of numbers that are out of every range
@pytest.mark.parametrize("name", ["replicas.csv", "curves.csv", "layers.csv", "times.csv", "diagnosis.json", "metrics"])
def test_a_damaged_file_of_an_evaluation_is_named_or_can_be_published(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another byte at each of 60 places, ASCII characters so that most still are of the format."""
    monkeypatch.chdir(tmp_path)
    made = evaluated(with_recurrent_layer(history([[0.5, 0.8, 0.9], [0.5, 0.6, 0.7]])))
    files.save_evaluation("v", made)
    assert files.load_evaluation("v").metrics.replicas == 2
    pd.testing.assert_frame_equal(files.load_evaluation("v").times, made.times, check_dtype=False)
    path = files.metrics_path("v") if name == "metrics" else files.folder("v") / name
    content, random = path.read_bytes(), Random(name)
    tracking = TrackingParams(experiment="e", registered_model="m", layer_epochs=3, profile_epochs=2)
    messages: list[str] = []
    for _ in range(60):
        place = random.randrange(len(content))
        path.write_bytes(content[:place] + bytes([random.randrange(32, 127)]) + content[place + 1 :])
        try:
            found = files.load_evaluation("v")
        except UserError as error:
            messages.append(str(error))
            continue
        payload.description("v", found)
        metric_values.variant_points(found, tracking)
        for row in found.replicas.to_dict("records"):
            payload.replica_payload(row, found, {})
        comparison.compare({"v": found}, recipes(), parameters(["v", "w"]).without_claims())
    assert messages
    assert all(each.startswith(str(path)) or "replicas.csv" in each for each in messages)
