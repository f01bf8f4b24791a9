"""Causes in the gradient through time: from profiles to evidence, and from evidence to causes and sentences."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from examples import THRESHOLDS, accuracy_above, history
from pipeline.diagnosis import causes, evidence
from pipeline.evaluation import replica_table
from pipeline.history.time_profiles import TIME_VALUES, RecurrentCall, with_time_profiles
from pipeline.watch.verdict import judge

STEPS = np.arange(1, 101)
Profile = Callable[[np.ndarray], np.ndarray]


def recurrent(*profiles: Profile, accuracy: float = 0.5, epochs: int = 3) -> xr.Dataset:
    """A history of one replica whose first hidden layers are recurrent, each with a profile."""
    made = history([[0.5] * (epochs - 1) + [accuracy]], layers=len(profiles) + 1)
    made["kind"] = ("layer", np.array(["LSTMCell"] * len(profiles) + ["Dense"]))
    norms = np.stack([np.asarray(each(STEPS), float) for each in profiles])
    calls = [RecurrentCall(str(made.path.values[place]), len(STEPS)) for place in range(len(profiles))]
    values = np.broadcast_to(norms, (1, epochs, *norms.shape))
    return with_time_profiles(made, calls, dict.fromkeys(TIME_VALUES, values))


def halves(steps: np.ndarray) -> np.ndarray:
    return 0.5 ** ((100 - steps) / 2.2)


def doubles(steps: np.ndarray) -> np.ndarray:
    return 2.0 ** ((100 - steps) / 5)


def stays(steps: np.ndarray) -> np.ndarray:
    return np.ones(len(steps))


def measured(made: xr.Dataset) -> pd.Series:
    return evidence.measure(made, THRESHOLDS).iloc[0]


def cause_of(made: xr.Dataset) -> tuple[str, str]:
    row = replica_table.evaluate(made, accuracy_above(), THRESHOLDS).iloc[0]
    return row.cause, row.symptom


def test_the_layer_whose_gradient_changes_most_gives_the_numbers() -> None:
    numbers = measured(recurrent(stays, halves))
    assert numbers.time_layer == 2
    assert numbers.time_steps == 100
    assert numbers.time_factor == pytest.approx(0.5 ** (1 / 2.2), rel=1e-4)
    assert numbers.time_decades == pytest.approx(99 / 2.2 * np.log10(2), rel=1e-4)
    assert numbers.time_reach == 22  # 2.2 * log2(1000) steps before the last one
    assert measured(recurrent(doubles)).time_decades == pytest.approx(-99 / 5 * np.log10(2), rel=1e-4)
    assert measured(recurrent(stays)).time_decades == 0
    without = measured(history([[0.5, 0.5]]))
    assert without[["time_layer", "time_decades", "time_factor", "time_reach", "time_steps"]].isna().all()


def test_most_of_the_training_counts_not_one_epoch() -> None:
    made = recurrent(halves, epochs=5)
    made.gradient_norm_by_time[0, -1] = 1.0
    assert measured(made).time_decades > 10
    made.gradient_norm_by_time[0, 1:] = 1.0
    assert measured(made).time_decades == 0
    made.gradient_norm_by_time[:] = np.nan  # as after a failure of the recorder
    assert np.isnan(measured(made).time_decades)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: recurrent(halves), ("vanishing_in_time", "none")),
        (lambda: recurrent(doubles), ("exploding_in_time", "none")),
        (lambda: recurrent(stays), ("unexplained", "none")),
        (lambda: recurrent(halves, accuracy=0.9), ("none", "none")),  # it learned
        # Another rule holds: the profile is its symptom.
        (lambda: with_loss(recurrent(halves), 1000), ("exploding", "none")),
        (lambda: with_loss(recurrent(halves), 0.1), ("unexplained", "none")),  # the rows are fitted all the same
        (lambda: with_targets_far_away(recurrent(halves)), ("unscaled_inputs", "vanishing_in_time")),
    ],
)
def test_a_profile_is_a_cause_only_if_nothing_else_holds(
    made: Callable[[], xr.Dataset], expected: tuple[str, str]
) -> None:
    assert cause_of(made()) == expected


@pytest.mark.parametrize(("profile", "cause"), [(halves, "vanishing_in_time"), (stays, "learning_rate_too_small")])
def test_a_plateau_is_no_small_step_where_the_gradient_vanishes_in_time(profile: Profile, cause: str) -> None:
    made = recurrent(profile, epochs=40)
    made.train_loss[0] = np.linspace(0.7, 0.69, made.sizes["epoch"])
    assert cause_of(made)[0] == cause


def with_loss(made: xr.Dataset, loss: float) -> xr.Dataset:
    return made.assign(train_loss=made.train_loss * 0 + loss)


def with_targets_far_away(made: xr.Dataset) -> xr.Dataset:
    """Inputs of a scale that comes first in the table of causes."""
    return made.assign(input_scale=("replica", np.array([1e4], np.float32)))


def test_the_threshold_is_a_parameter() -> None:
    made = recurrent(halves)
    strict = THRESHOLDS.model_copy(update={"time_decades": 15.0})
    assert replica_table.evaluate(made, accuracy_above(), strict).cause[0] == "unexplained"


def test_the_verdict_says_how_fast_how_far_and_that_it_may_be() -> None:
    verdict = judge(recurrent(halves), {"accuracy": 0.75}, THRESHOLDS, [])
    assert verdict.cause == "vanishing_in_time"
    assert verdict.says.startswith("The cause may be: vanishing in time. The gradient of layer hidden_01 halves every ")
    assert "2.2 steps on its way back through time: it falls by 14 powers of ten within 100 steps" in verdict.says
    assert "only the last 22 of the 100 steps get at least 0.1% of the greatest gradient" in verdict.says
    assert verdict.symptoms == ("vanishing_in_time",)
    assert verdict.evidence["time_layer"] == "hidden_01"
    says = judge(recurrent(doubles), {"accuracy": 0.75}, THRESHOLDS, []).says
    assert "doubles every 5 steps on its way back through time: it grows by 6 powers of ten within 100 steps" in says


def test_a_network_that_learned_is_not_blamed_and_others_are_not_asked_about_time() -> None:
    verdict = judge(recurrent(halves, accuracy=0.9), {"accuracy": 0.75}, THRESHOLDS, [])
    assert verdict.outcome == "learned"
    assert "time" not in verdict.says
    untrained = recurrent(stays).isel(epoch=[0], recorded_epoch=[0])
    assert "vanishing in time" in judge(untrained, None, THRESHOLDS, []).says  # looked for and not found
    other = history([[0.5, 0.5]]).isel(epoch=[0], recorded_epoch=[0])
    assert "in time" not in judge(other, None, THRESHOLDS, []).says


def test_a_profile_comes_last_before_unexplained() -> None:
    names = list(causes.cause_names())
    assert names[-3:] == ["exploding_in_time", "vanishing_in_time", "unexplained"]
    assert names.index("unmasked_padding") < names.index("vanishing_in_time")
