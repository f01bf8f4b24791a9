"""The diagnosis on hand-made histories: NumPy alone, any history, every cause and every threshold."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import RECIPE as VARIANT
from conftest import variant
from hypothesis import given
from hypothesis import strategies as st
from imports import ROOT
from scipy.stats import linregress

from examples import BINARY, layer_table
from pipeline.data.split.tasks import Task
from pipeline.diagnosis import causes, evidence, layer_evidence, loss_evidence, theory, variant_verdict
from pipeline.diagnosis.setting import Setting
from pipeline.history import record
from pipeline.history.record import MISFITS
from pipeline.history.time_profiles import TIME_VALUES, RecurrentCall, with_time_profiles
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.file import check
from pipeline.params.shipped import shipped
from pipeline.params.variant_params import VariantParams, resolve
from pipeline.remedies import recipe_changes

PARAMS = check(shipped()["diagnosis"], "diagnosis", DiagnosisParams)
RECIPE = variant(
    hidden_layers=3,
    units=5,
    optimizer={"class_name": "SGD", "config": {"learning_rate": 0.01, "momentum": 0.9}},
    pretraining_epochs=50,
)
EPOCHS, LAYERS = 200, 4


def changed_recipe(**changes: object) -> VariantParams:
    return VariantParams.model_validate(RECIPE.model_dump(mode="json") | changes)


def healthy(replicas: int = 1, every: int = 10, layers: int = LAYERS) -> xr.Dataset:
    """A history in which nothing is wrong: the loss falls a little and is flat at the end, gradients are alike.

    It stays near the baseline loss, because a loss far below it rules out causes of scales and signals.
    """
    recorded = list(range(0, EPOCHS + 1, every))
    loss = 0.6 + 0.1 * np.exp(-np.arange(EPOCHS + 1) / 10)
    loss = loss + 1e-3 * np.random.default_rng(0).normal(size=EPOCHS + 1)
    names = [f"{part}_{what}" for part in ("train", "test") for what in BINARY.curves]
    curves = dict.fromkeys(names, np.repeat(loss[None], replicas, axis=0))
    shape = (replicas, len(recorded), layers)
    values = {name: np.full(shape, 0.05) for name in record.LAYER_VALUES} | {"dead": np.zeros(shape)}
    values["saturated_share"] = np.zeros((*shape, len(record.SLOPE_FRACTIONS)))
    table, constant = layer_table(*[5] * (layers - 1)), dict.fromkeys(("train", "test"), np.log(2))
    return record.assemble(range(replicas), recorded, curves, values, table, BINARY, constant)


def changed(change: Callable[[xr.Dataset], None], **arguments: int) -> xr.Dataset:
    made = healthy(**arguments)
    change(made)
    return made


def judged_as(made: xr.Dataset, params: DiagnosisParams = PARAMS) -> pd.Series:
    """Of the first replica, which did not learn: its cause and the symptom that it explains."""
    gain = made.attrs.get("reference_gain")
    against = None if gain is None else {"reference_gain": np.full(made.sizes["replica"], gain)}
    found = evidence.measure(made, params, made.train_accuracy.values[:, -1] > 0.75, against)
    return causes.diagnose(np.zeros(len(found), bool), found, params).iloc[0]


def cause_of(made: xr.Dataset, params: DiagnosisParams = PARAMS) -> str:
    return judged_as(made, params).cause


def evidence_of(made: xr.Dataset) -> pd.Series:
    return evidence.measure(made, PARAMS).iloc[0]


def dead(epochs: slice, layer: int = 1) -> Callable[[xr.Dataset], None]:
    def change(made: xr.Dataset) -> None:
        made.dead[0, epochs, layer] = 1
        made.probe_gradient_mean_abs[0, epochs, : layer + 1] = 0

    return change


def not_finite(made: xr.Dataset) -> None:
    made.train_loss[0, 7:] = np.nan


def grown(made: xr.Dataset) -> None:
    made.train_loss[0, 7] = 200 * np.log(2)


def weights_not_finite(made: xr.Dataset) -> None:
    made.weight_l1[0, 3:] = np.inf


def no_better_than_a_guess(made: xr.Dataset) -> None:
    made.train_loss[:] = np.log(2)


def saturated(made: xr.Dataset) -> None:
    made.saturated_share[0, :, 2, 4:] = 0.8


def vanishing_in_a_layer(made: xr.Dataset) -> None:
    made.probe_gradient_mean_abs[0, :, 1] = 1e-6


def vanishing_everywhere(made: xr.Dataset) -> None:
    made.probe_gradient_mean_abs[0] = 1e-6


def falling(made: xr.Dataset) -> None:
    made.train_loss[0] = np.linspace(0.7, 0.5, EPOCHS + 1)


def nothing(made: xr.Dataset) -> None:
    pass


def side(name: str, value: float) -> Callable[[xr.Dataset], None]:
    """What a network of the user's own is given, or can give."""

    def change(made: xr.Dataset) -> None:
        made[name] = ("replica", np.full(made.sizes["replica"], value))

    return change


def fact(**facts: float) -> Callable[[xr.Dataset], None]:
    """Facts of the fit, beside those that the record has."""

    def change(made: xr.Dataset) -> None:
        all_facts = record.fit_facts(made) | {
            name: np.full(made.sizes["replica"], each) for name, each in facts.items()
        }
        for name in {"fit_fact", "fact"} & {*made.variables}:
            del made[name]
        renewed = record.with_fit_facts(made, all_facts)
        made["fact"], made["fit_fact"] = renewed["fact"], renewed["fit_fact"]

    return change


def starved(made: xr.Dataset) -> None:
    made["gradient_mean_abs"] = 1e-5 * made.probe_gradient_mean_abs
    fact(uses_batch_statistics=0)(made)


def blocked(made: xr.Dataset) -> None:
    made["gradient_mean_abs"] = 0 * made.probe_gradient_mean_abs
    fact(uses_batch_statistics=1, batch_rows=8)(made)


def shifted(**facts: float) -> Callable[[xr.Dataset], None]:
    def change(made: xr.Dataset) -> None:
        overfitted(made)
        fact(**facts)(made)

    return change


def drowned_in_noise(made: xr.Dataset) -> None:
    made["log_loss"] = made.train_loss.copy(data=np.full(made.train_loss.shape, 2.0))
    side("has_modes", 1)(made)
    side("logged_alike", 1)(made)


def through_time(factor: float) -> Callable[[xr.Dataset], None]:
    """A recurrent layer of 100 steps whose gradient changes by the factor at each step on its way back."""

    def change(made: xr.Dataset) -> None:
        norms = factor ** np.arange(99.0, -1, -1)
        shape = (made.sizes["replica"], made.sizes["recorded_epoch"], 1, 100)
        profiles = dict.fromkeys(TIME_VALUES, np.broadcast_to(norms, shape))
        made.update(with_time_profiles(made, [RecurrentCall(str(made.path.values[0]), 100)], profiles))

    return change


def padded(made: xr.Dataset) -> None:
    made["kind"] = made.kind.astype("U9")
    made.kind[0] = "LSTMCell"
    fact(padding_share=0.9, masks_padding=0)(made)


def stopped(**facts: float) -> Callable[[xr.Dataset], None]:
    return fact(stopped_by_callback=1, epochs_asked=60, epochs_run=7, **facts)


def without_signal(made: xr.Dataset) -> None:
    made.test_balanced_accuracy[:] = 0.5
    made.attrs["reference_gain"] = 0.03


def shrinking_in_every_layer(made: xr.Dataset) -> None:
    """As in a deep stack of sigmoids, whose smallest gradient is not a thousandth of the output's."""
    made.probe_gradient_mean_abs[0] = [2e-4, 1e-3, 1e-2, 0.05]


def equal_units(made: xr.Dataset) -> None:
    made[record.UNIT_SPREAD] = made.weight_l1.copy(data=np.ones(made.weight_l1.shape))
    made[record.UNIT_SPREAD][0, :, 1] = 1e-7


def lagging_statistics(made: xr.Dataset) -> None:
    made.train_loss[0, -1] = 0.69
    made["log_loss"] = made.train_loss.copy(data=np.full(made.train_loss.shape, 0.05))
    side("has_modes", 1)(made)
    side("logged_alike", 1)(made)


def targets_unscaled(made: xr.Dataset) -> None:
    made.attrs["task"] = json.dumps(Task("regression", ("price",)).plain)
    side("target_scale", 2e5)(made)


def imbalanced(made: xr.Dataset) -> None:
    made.train_accuracy[0], made.train_balanced_accuracy[0] = 0.9, 0.5


def overfitted(made: xr.Dataset) -> None:
    made.train_accuracy[0] = made.train_balanced_accuracy[0] = 0.99
    made.test_balanced_accuracy[0] = 0.7


def frozen(made: xr.Dataset) -> None:
    made.weight_change_l1[0, :, 2] = 0


def unrelated(made: xr.Dataset) -> None:
    made.train_accuracy[0] = made.train_balanced_accuracy[0] = 0.9
    made.test_balanced_accuracy[0], made.test_loss[0, -1] = 0.51, 1.4
    made.train_loss[0, -2:] = 0.3


def as_shuffled(made: xr.Dataset) -> None:
    no_better_than_a_guess(made)
    made.test_balanced_accuracy[:] = 0.5
    side("targets_told", 0.4)(made)


def augmented_alone(made: xr.Dataset) -> None:
    made.test_balanced_accuracy[:] = 0.5
    side("targets_told", 20)(made)
    fact(fed_told=0.3)(made)


def vectors_not_trained(made: xr.Dataset) -> None:
    """An embedding's table with the small gradient of one whose words are seldom named."""
    made["kind"] = made.kind.astype("U9")
    made["role"] = made.role.astype("U6")
    made.kind[0], made.role[0], made.trainable[0] = "Embedding", "beside", 0
    made.weight_change_l1[0, :, 0], made.probe_gradient_mean_abs[0, :, 0] = 0, 1e-6


def large_steps(made: xr.Dataset) -> None:
    made.weight_change_l1[0, 1, 3] = 30 * made.weight_l1[0, 0, 3]


def dead_output(made: xr.Dataset) -> None:
    made.dead[0, -1, -1] = 1


def creeping(made: xr.Dataset) -> None:
    made.train_loss[0] = np.linspace(0.7, 0.69, EPOCHS + 1)


CASES = {
    "non_finite_data": [side("nonfinite_share", 0.01)],
    "output_mismatch": [side("output_misfit", 1), side("targets_beyond", 0.2)],
    "symmetric": [equal_units],
    "lost_updates": [fact(updates_applied=0.1), fact(row_weight=1e-6), starved, fact(idle_outputs=1)],
    "untracked_weights": [fact(untracked_share=0.4)],
    "batch_statistics": [lagging_statistics, fact(uses_batch_statistics=1, batch_rows=1), blocked],
    "unscaled_targets": [targets_unscaled],
    "outlier_rows": [fact(largest_row=2000, long_rows=0.001)],
    "unscaled_inputs": [
        side("input_scale", 120),
        side("input_scale", 1e-4),
        side("input_decades", 3),
        fact(entering_spread=0),
    ],
    "shifted_validation": [
        shifted(validation_new_classes=0.5),
        shifted(validation_spread=-2),
        shifted(validation_shift=4),
    ],
    "overfitting": [overfitted],
    "frozen": [frozen, vectors_not_trained],
    "unrelated_labels": [augmented_alone, unrelated, as_shuffled],
    "ordered_batches": [fact(batch_order=0.95)],
    "over_regularised": [fact(penalty_share=0.9), fact(weight_shrink=0.01), drowned_in_noise, fact(activity_share=0.4)],
    "unmasked_padding": [padded],
    "shuffled_state": [fact(shuffles_state=1)],
    "learning_rate_too_large": [large_steps],
    "dead_output": [dead_output],
    "exploding": [grown, not_finite, weights_not_finite],
    "born_dead": [dead(slice(None))],
    "died_in_training": [dead(slice(5, None))],
    "saturated": [saturated],
    "vanishing": [vanishing_in_a_layer, vanishing_everywhere, shrinking_in_every_layer],
    "learning_rate_ended": [fact(rate_end=1e-6, rate_ended_share=0.8)],
    "stopped_early": [stopped(stop_patience=0)],
    "learning_rate_too_small": [creeping],
    "too_few_epochs": [falling],
    "imbalanced": [imbalanced],
    "no_signal": [without_signal],
    "exploding_in_time": [through_time(2.0)],
    "vanishing_in_time": [through_time(0.5)],
    "unexplained": [nothing],
}


@pytest.mark.parametrize(("cause", "change"), [(cause, change) for cause, all_ in CASES.items() for change in all_])
def test_each_cause_is_found(cause: str, change: Callable[[xr.Dataset], None]) -> None:
    assert cause_of(changed(change)) == cause


@pytest.mark.parametrize("first", range(len(causes.cause_names())))
def test_what_comes_first_explains_what_comes_later(first: int) -> None:
    """All conditions from `first` on hold together: the cause is the first."""
    made = healthy()
    name = causes.cause_names()[first]
    for cause in reversed(causes.cause_names()[first:]):
        if (name, cause) != ("imbalanced", "no_signal"):  # a quick model that learns nothing rules out the former
            CASES[cause][0](made)
    assert cause_of(made) == causes.cause_names()[first]


def test_the_last_row_holds_where_nothing_else_does_and_no_name_or_colour_comes_twice() -> None:
    found = evidence.measure(healthy(2), PARAMS)
    holds = {cause.name: bool(cause.rule(found, PARAMS).any()) for cause in causes.TABLE}
    assert [name for name, each in holds.items() if each] == [causes.TABLE[-1].name]
    assert len({cause.name for cause in causes.TABLE}) == len(set(causes.outcome_colours().values())) - 1 == len(holds)


@pytest.mark.parametrize("change", [side("output_misfit", 1), targets_unscaled, frozen, large_steps])
def test_a_cause_that_is_no_symptom_names_the_one_that_it_explains(change: Callable[[xr.Dataset], None]) -> None:
    made = changed(change)
    assert judged_as(made).symptom == causes.NO_CAUSE
    grown(made)
    assert judged_as(made).symptom == "exploding"
    assert judged_as(changed(grown)).symptom == causes.NO_CAUSE  # it is the cause itself


def test_the_evidence_names_layer_and_epochs() -> None:
    found = evidence_of(changed(dead(slice(5, None), layer=2)))
    assert (found.dead_layer, found.died_after, found.died_by) == (3, 40, 50)
    found = evidence_of(changed(dead(slice(None))))
    assert (found.dead_layer, found.born_dead, found.died_by) == (2, 1, 0)
    assert np.isnan(found.died_after)
    assert evidence_of(changed(not_finite)).nonfinite_epoch == 7
    assert evidence_of(changed(weights_not_finite)).nonfinite_epoch == 30
    assert evidence_of(changed(grown)).loss_growth == pytest.approx(200)
    found = evidence_of(changed(saturated))
    assert (found.saturated_layer, round(found.saturated_share, 6)) == (3, 0.8)
    found = evidence_of(changed(vanishing_in_a_layer))
    assert (found.smallest_layer, found.gradient_ratio) == (2, pytest.approx(1e-6 / 0.05))


def test_a_layer_that_momentum_revives_died_at_its_last_death() -> None:
    def change(made: xr.Dataset) -> None:
        made.dead[0, 2:4, 1] = 1
        made.dead[0, 9:, 1] = 1

    found = evidence_of(changed(change))
    assert (found.died_after, found.died_by, found.born_dead) == (80, 90, 0)
    revived = changed(lambda made: dead(slice(2, 4))(made))
    assert cause_of(revived) == "unexplained"


def test_a_layer_dead_at_first_and_another_at_the_end_died_in_training() -> None:
    def change(made: xr.Dataset) -> None:
        made.dead[0, :2, 0] = 1
        made.dead[0, 9:, 2] = 1

    assert cause_of(changed(change)) == "died_in_training"


def bypassed(made: xr.Dataset) -> None:
    """A path around every hidden layer but the first, as residual connections are."""
    made.bypassed[1:-1] = 1


@pytest.mark.parametrize(("layer", "cause"), [(0, "born_dead"), (1, "unexplained"), (2, "unexplained")])
def test_a_dead_layer_is_a_cause_only_where_no_path_bypasses_it(layer: int, cause: str) -> None:
    made = changed(bypassed)
    made.dead[0, :, layer] = 1
    made.probe_gradient_mean_abs[0, :, layer] = 0
    assert cause_of(made) == cause
    assert record.living(made).values.all() == (cause == "unexplained")
    assert np.isnan(evidence_of(made).dead_layer) == (cause == "unexplained")


def test_a_gradient_vanishes_only_where_no_path_bypasses_the_layer() -> None:
    made = changed(bypassed)
    vanishing_in_a_layer(made)
    assert cause_of(made) == "unexplained"
    assert evidence_of(made).smallest_layer == 1
    vanishing_everywhere(made)
    assert cause_of(made) == "vanishing"


def test_a_certain_output_is_not_a_dead_layer() -> None:
    assert cause_of(changed(dead(slice(None), layer=LAYERS - 1))) != "born_dead"


def test_sparse_but_living_units_raise_no_alarm() -> None:
    """Nine of ten entries zero, nine of ten units dead, most pairs off: the layer lives, and so does the network."""

    def sparse(made: xr.Dataset) -> None:
        no_better_than_a_guess(made)
        made.gradient_zero_share[:] = 0.9
        made.dead_unit_share[:] = 0.9

    found = evidence.measure(changed(sparse), PARAMS)
    assert not causes.alarms(found, PARAMS).to_numpy().any()


@pytest.mark.parametrize("symptom", [saturated, vanishing_in_a_layer, vanishing_everywhere, dead(slice(None)), grown])
def test_a_symptom_is_an_alarm_only_where_the_loss_has_not_fallen(symptom: Callable) -> None:
    def unharmed(made: xr.Dataset) -> None:
        symptom(made)
        made.train_loss[0, -1] = 0.3

    def harmed(made: xr.Dataset) -> None:
        no_better_than_a_guess(made)
        symptom(made)

    raised = [causes.alarms(evidence.measure(changed(change), PARAMS), PARAMS) for change in (unharmed, harmed)]
    assert [int(each.to_numpy().sum()) for each in raised] == [0, 1]


def test_labels_are_unrelated_only_where_the_training_score_is_fitted() -> None:
    """A loss somewhat below a constant guess's, with a score by chance, was not learned by heart."""

    def lower_loss_alone(made: xr.Dataset) -> None:
        unrelated(made)
        made.train_accuracy[:] = made.train_balanced_accuracy[:] = 0.5

    assert cause_of(changed(unrelated)) == "unrelated_labels"
    assert cause_of(changed(lower_loss_alone)) != "unrelated_labels"


@pytest.mark.parametrize("name", ["has_modes", "logged_alike"])
def test_batch_statistics_need_a_layer_with_modes_and_a_logged_loss_of_the_same_rows(name: str) -> None:
    """An earlier record, which does not say so, has no such cause either."""
    assert cause_of(changed(lagging_statistics)) == "batch_statistics"
    without = changed(lagging_statistics)
    side(name, 0)(without)
    assert cause_of(without) != "batch_statistics"
    assert cause_of(without.drop_vars(name)) != "batch_statistics"


def test_a_healthy_network_raises_no_alarm_and_has_no_cause() -> None:
    found = evidence.measure(healthy(3), PARAMS)
    assert not causes.alarms(found, PARAMS).to_numpy().any()
    judged = causes.diagnose(np.ones(3, bool), found, PARAMS)
    assert judged.outcome.tolist() == ["learned"] * 3
    assert judged.cause.tolist() == ["none"] * 3


def test_labels_that_tell_of_other_rows_are_not_unrelated_whatever_rows_are_like() -> None:
    """As a parity of many columns, which no likeness of rows tells."""

    def told(made: xr.Dataset) -> None:
        as_shuffled(made)
        made.test_balanced_accuracy[:] = 0.7

    assert cause_of(changed(told)) != "unrelated_labels"


@pytest.mark.parametrize("epochs", [1, 2, 3, 6])
def test_a_few_epochs_are_too_few_where_the_loss_fell_in_each(epochs: int) -> None:
    """No slope of so few is significant."""
    made = healthy(every=1).isel(epoch=slice(epochs + 1), recorded_epoch=slice(epochs + 1))
    made["train_loss"] = ("replica", "epoch"), 0.69 - 0.3 * np.linspace(0, 1, epochs + 1)[None] ** 0.5
    assert cause_of(made) == "too_few_epochs"
    made.train_loss[0, 1] = made.train_loss[0, 0]
    assert cause_of(made) != "too_few_epochs"


def test_a_loss_that_falls_within_its_noise_is_not_slow() -> None:
    def noisy(made: xr.Dataset) -> None:
        made.train_loss[0] = 0.69 + 0.05 * np.random.default_rng(1).normal(size=EPOCHS + 1)

    assert cause_of(changed(noisy)) == "unexplained"


@pytest.mark.parametrize(
    ("threshold", "change", "cause", "moved"),
    [
        ({"explosion_growth": 300}, grown, "exploding", "unexplained"),
        ({"saturated_share": 0.9}, saturated, "saturated", "unexplained"),
        ({"saturated_slope": 0.001}, saturated, "saturated", "unexplained"),
        ({"vanishing_ratio": 1e-6}, vanishing_in_a_layer, "vanishing", "unexplained"),
        ({"vanishing_scale": 1e-7}, vanishing_everywhere, "vanishing", "unexplained"),
        ({"slow_fall": 0.5}, falling, "too_few_epochs", "unexplained"),
        ({"plateau_fall": 0.005}, creeping, "learning_rate_too_small", "unexplained"),
        ({"targets_beyond": 0.3}, side("targets_beyond", 0.2), "output_mismatch", "unexplained"),
        ({"unscaled": 200}, side("input_scale", 120), "unscaled_inputs", "unexplained"),
        ({"unscaled_decades": 4}, side("input_decades", 3), "unscaled_inputs", "unexplained"),
        ({"imbalance_gap": 0.5}, imbalanced, "imbalanced", "unexplained"),
        ({"mode_gap": 0.95}, lagging_statistics, "batch_statistics", "unexplained"),
        ({"chance_margin": 0.01}, unrelated, "unrelated_labels", "overfitting"),
        ({"chance_margin": 0.5}, overfitted, "overfitting", "unexplained"),
        ({"fitted": 0.9}, unrelated, "unrelated_labels", "unexplained"),
        ({"shuffled": 0.1}, as_shuffled, "unrelated_labels", "unexplained"),
        ({"large_change": 40}, large_steps, "learning_rate_too_large", "unexplained"),
        ({"large_gradient": 0.01}, large_steps, "learning_rate_too_large", "unexplained"),
        ({"vanishing_profile": 0.05}, shrinking_in_every_layer, "vanishing", "unexplained"),
        ({"harmless_fit": 0.1}, saturated, "saturated", "unexplained"),
        ({"ordered_share": 0.97}, fact(batch_order=0.95), "ordered_batches", "unexplained"),
        ({"lost_share": 0.05}, fact(updates_applied=0.1), "lost_updates", "unexplained"),
        ({"lost_scale": 1e-7}, starved, "lost_updates", "unexplained"),
        ({"untracked_share": 0.5}, fact(untracked_share=0.4), "untracked_weights", "unexplained"),
        ({"small_batch": 1}, fact(uses_batch_statistics=1, batch_rows=1), "batch_statistics", "unexplained"),
        ({"penalty_share": 0.95}, fact(penalty_share=0.9), "over_regularised", "unexplained"),
        ({"shrunk": 0.001}, fact(weight_shrink=0.01), "over_regularised", "unexplained"),
        ({"ended_rate": 1e-7}, fact(rate_end=1e-6, rate_ended_share=0.8), "learning_rate_ended", "unexplained"),
        ({"ended_share": 0.9}, fact(rate_end=1e-6, rate_ended_share=0.8), "learning_rate_ended", "unexplained"),
        ({"stopped_share": 0.1}, stopped(stop_patience=0), "stopped_early", "unexplained"),
        ({"new_classes": 0.6}, shifted(validation_new_classes=0.5), "shifted_validation", "overfitting"),
        ({"shifted_decades": 3}, shifted(validation_spread=-2), "shifted_validation", "overfitting"),
        ({"shifted_means": 5}, shifted(validation_shift=4), "shifted_validation", "overfitting"),
        ({"outlier_norm": 3000}, fact(largest_row=2000, long_rows=0.001), "outlier_rows", "unexplained"),
        ({"padding_share": 0.95}, padded, "unmasked_padding", "unexplained"),
        ({"time_decades": 40}, through_time(0.5), "vanishing_in_time", "unexplained"),
    ],
)
def test_every_threshold_decides(threshold: dict, change: Callable, cause: str, moved: str) -> None:
    assert cause_of(changed(change)) == cause
    assert cause_of(changed(change), PARAMS.model_copy(update=threshold)) == moved


def test_replicas_are_judged_one_by_one() -> None:
    made = healthy(3)
    made.train_loss[0, 9:] = np.inf
    made.dead[2, :, 1] = 1
    found = evidence.measure(made, PARAMS)
    judged = causes.diagnose(np.array([False, True, False]), found, PARAMS)
    assert judged.cause.tolist() == ["exploding", "none", "born_dead"]


@pytest.mark.parametrize("layers", [1, 2, 7])
def test_any_number_of_layers_serves(layers: int) -> None:
    assert cause_of(healthy(layers=layers)) == "unexplained"


def test_layers_of_unequal_width_and_a_single_record_serve() -> None:
    made = healthy().isel(recorded_epoch=[0], epoch=[0])
    assert cause_of(made.assign(units=("layer", [3, 700, 2, 1]))) == "unexplained"


def test_between_recorded_fractions_the_share_is_between() -> None:
    made = healthy()
    made.saturated_share[..., :] = np.linspace(0.1, 0.7, len(record.SLOPE_FRACTIONS))
    shares = [layer_evidence.saturated_at(made, slope)[0, 0, 0] for slope in (0.001, 0.005, 0.01, 0.3)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (pytest.approx(0.1), pytest.approx(0.7))


def test_a_record_weighs_as_much_as_the_epochs_that_it_stands_for() -> None:
    """Vanishing at the first half of the records, which are a twentieth of the time, is no lasting state; it is, when
    they are most of the time."""
    dense_at_first = [*range(11), 60, 110, 160, 200]
    for epochs, cause in (
        (dense_at_first, "unexplained"),
        ([200 - epoch for epoch in dense_at_first[::-1]], "vanishing"),
    ):
        made = healthy(every=1).isel(recorded_epoch=epochs)
        made.probe_gradient_mean_abs[0, : len(epochs) // 2 + 1, 1] = 1e-6
        assert cause_of(made) == cause


@pytest.mark.slow
def test_the_diagnosis_needs_no_tensorflow_and_reads_no_name() -> None:
    imported = "import sys, pipeline.diagnosis.variant_verdict"
    code = f"{imported}; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
    judging = [
        "pipeline/diagnosis/evidence.py",
        "pipeline/diagnosis/causes.py",
        "pipeline/training/stacked/quantities.py",
    ]
    for path in judging:
        source = re.sub(r'"""[\s\S]*?"""|#.*', "", (ROOT / path).read_text())
        assert not re.search(r"relu|tanh|sigmoid|glorot|he_uniform|activation|initializer", source, re.IGNORECASE), path


def test_a_sentence_states_only_numbers_that_exist() -> None:
    """Whatever is missing of the evidence, no rule and no sentence fails or prints NaN."""
    random = np.random.default_rng(0)
    values = [np.nan, 0.0, 1.0, 1e-9, 0.002, 0.02, 0.3, 200.0, -2.0]
    rows = pd.DataFrame({name: random.choice(values, 5000) for name in evidence.COLUMNS})
    rows["time_decades"] = random.choice([np.nan, 0.0, 8.0, -8.0], len(rows))
    rows["output_misfit"] = random.choice([np.nan, 0, 3, len(MISFITS) - 1], len(rows))
    for cause in causes.TABLE:
        holding = rows[cause.rule(rows, PARAMS)].head(40)
        assert len(holding) > 5, cause.name
        assert set(cause.reads) <= {*evidence.COLUMNS}
        assert bool(cause.reads) == cause.alarm
        for place in range(len(holding)):
            one = holding.iloc[place : place + 1]
            plain = {name: None if np.isnan(value) else value for name, value in one.iloc[0].items()}
            text = f"{cause.says(plain)} {cause.sentence(one, None)}"
            assert not re.search(r"\b(nan|None)\b", text), text


def test_what_was_not_measured_is_not_ruled_out() -> None:
    """A layer that is NaN in the evidence is either known not to be there, or nobody looked."""
    made = healthy()
    assert evidence.is_measured(made, PARAMS).iloc[0][["dead_layer", "born_dead", "nonfinite_epoch"]].all()
    unseen = made.assign(has_activation=0 * made.has_activation)
    for missing in (made.drop_vars("dead"), unseen):
        assert not evidence.is_measured(missing, PARAMS).iloc[0][["dead_layer", "born_dead"]].any()
    for broken in (made.drop_vars("probe_gradient_mean_abs"), made.assign(probe_gradient_mean_abs=np.nan * made.dead)):
        assert not evidence.is_measured(broken, PARAMS).gradient_scale[0]
        assert not evidence.measure(broken, PARAMS).gradient_scale.notna().any()
        assert cause_of(broken) != "vanishing"


@pytest.mark.parametrize(
    ("changes", "stated", "absent"),
    [
        ({}, ["No rule explains this: ", "hidden layers get gradients (the largest is"], ["exactly 0"]),
        (
            {"gradient_mean_abs": 0.0},
            ["the gradients that the optimizer got were exactly 0"],
            ["hidden layers get gradients"],
        ),
        ({"dead": None}, ["hidden layers get gradients"], ["dead"]),
        ({"saturated_share": None}, ["hidden layers get gradients"], ["saturated"]),
        ({"probe_gradient_mean_abs": None}, ["is dead"], ["hidden layers get gradients"]),
    ],
)
def test_what_is_stuck_is_described_by_what_was_measured(
    changes: dict[str, float | None], stated: list[str], absent: list[str]
) -> None:
    made = healthy()
    for name, value in changes.items():
        made = made.drop_vars(name) if value is None else made.assign({name: value + 0 * made[name]})
    found = evidence.measure(made, PARAMS).iloc[0]
    text = causes.named("unexplained").says({name: None if np.isnan(value) else value for name, value in found.items()})
    assert all(each in text for each in stated), text
    assert not any(each in text for each in absent), text


def test_a_layer_that_is_said_to_be_born_dead_was() -> None:
    """A lower one may have died since."""
    made = healthy()
    made.dead[0, :, 1] = 1
    made.dead[0, -1, 0] = 1
    found = evidence.measure(made, PARAMS).iloc[0]
    assert (found.born_dead, found.dead_layer) == (1, 2)


def test_nothing_is_said_of_gradients_that_nobody_measured() -> None:
    table = replicas(unexplained=2).assign(gradient_scale=np.nan)
    assert variant_verdict.about_vanishing(table, np.log(2), None) == ""
    assert "vanishing" not in variant_verdict.verdict("v", table, (0.1, 0.4), None)


def replicas(**counts: int) -> pd.DataFrame:
    """A judged table with so many replicas of each cause; `learned` of them learned."""
    names = [name for name, count in counts.items() for _ in range(count)]
    table = pd.concat([evidence.measure(changed(CASES.get(name, [nothing])[0]), PARAMS) for name in names])
    table["outcome"] = ["learned" if name == "learned" else "not_learned" for name in names]
    table["cause"] = ["none" if name == "learned" else name for name in names]
    return table


def said(interval: Sequence[float] = (0.1, 0.4), **counts: int) -> str:
    table, band = replicas(**counts), theory.gradient_band([5] * 19, np.log(2))
    answer = variant_verdict.verdict("v", table, interval, bound=0.443)
    return f"{answer} {variant_verdict.about_vanishing(table, np.log(2), band)}".rstrip()


def test_the_verdict_counts_what_there_is() -> None:
    text = said(learned=3, born_dead=2, died_in_training=4, unexplained=1)
    assert text.startswith("v: 3 of 10 replicas learn (10 to 40%). 2 were born dead (layer 2")
    assert "theory allows at most 44%" in text
    assert "4 died in training (median: between epochs 40 and 50) and 1 is unexplained (no rule says why)." in text
    assert text.endswith(" Vanishing gradients explain none of the 7 failures.")


def test_the_verdict_changes_with_the_counts() -> None:
    assert "1 was born dead" in said(learned=3, born_dead=1)
    assert "born dead" not in said(learned=3, saturated=1)
    assert "Vanishing gradients explain 3 of the 4 failures: " in said(learned=1, vanishing=3, unexplained=1)
    assert "Vanishing gradients explain only 1 of the 4 failures." in said(learned=1, vanishing=1, unexplained=3)
    assert said(learned=1, unexplained=3).startswith("v: 1 of 4 replicas learns (10 to 40%)")
    assert said(learned=4) == "v: 4 of 4 replicas learn (10 to 40%)."
    assert "(2 to 21%)" in said((0.02, 0.21), learned=1, unexplained=1)


def test_the_verdict_holds_to_theory_only_what_it_speaks_of() -> None:
    text = variant_verdict.verdict("v", replicas(born_dead=1), (0.1, 0.4), bound=None)
    assert text.endswith("before the first step).")


def test_a_vanishing_gradient_is_held_to_theory_only_where_it_speaks_of_it() -> None:
    text = variant_verdict.about_vanishing(replicas(vanishing=2), np.log(2), band=None)
    assert re.search(
        r"^Vanishing gradients explain 2 of the 2 failures: even the largest mean \|gradient\| of a hidden layer is "
        r"only \S+ for most of the training\.$",
        text,
    )
    assert re.search(r"theory predicts \S+ before training from depth and width alone", said(vanishing=2))


def test_a_wider_layer_is_promised_a_bound_only_where_there_is_one() -> None:
    def reason(recipe: VariantParams) -> str:
        (found,) = (each for each in causes.suggest("born_dead", recipe, 1) if each.overrides == {"units": 20})
        return found.reason

    assert "at most 2^-20, not 2^-5" in reason(RECIPE)
    assert reason(changed_recipe(batch_normalization=True)) == "the units of a wider layer are seldom all dead"


def test_untrained_networks_are_not_said_to_have_failed() -> None:
    text = variant_verdict.untrained("v", replicas(born_dead=2, unexplained=3))
    assert text == "v: 5 replicas, not trained. Before the first step: 2 born dead, 0 saturated and 0 vanishing."


@pytest.mark.slow
@given(st.lists(st.sampled_from([causes.LEARNED, *causes.cause_names()]), min_size=1, max_size=12))
def test_every_replica_is_counted_once(names: list[str]) -> None:
    table = pd.DataFrame({"outcome": ["learned" if n == "learned" else "not_learned" for n in names]})
    table["cause"] = ["none" if n == "learned" else n for n in names]
    counts = variant_verdict.outcomes(table)
    assert sum(counts.values()) == len(names)
    chief = variant_verdict.main_cause(counts)
    assert (chief is None) == all(name == "learned" for name in names)
    if chief:
        assert counts[chief] == max(counts[cause] for cause in causes.cause_names())


@pytest.mark.parametrize("cause", causes.cause_names())
def test_every_cause_has_remedies_with_reason_and_source(cause: str) -> None:
    """Of a cause that no parameter of a variant changes, only advice."""
    found = causes.suggest(cause, RECIPE, epochs=500)
    assert bool(found) == bool(causes.named(cause).remedies)
    assert causes.tries(cause, Setting())
    assert all(each.overrides and each.reason and each.source for each in found)


def tries(cause: str, inputs: str | None, *kinds: str, **numbers: float) -> list[str]:
    """What is suggested for such inputs and hidden layers, by their classes."""
    made = healthy(layers=len(kinds) + 1)
    made["kind"] = "layer", [*kinds, "Dense"]
    if inputs:
        made = made.assign(input_kind=("replica", [float(record.INPUT_KINDS.index(inputs))]))
    return causes.tries(cause, Setting.of(made, numbers))


def test_the_first_advice_fits_the_inputs() -> None:
    wide = {"input_scale": 4e3, "input_decades": 3.0}
    table = tries("unscaled_inputs", "table", "Dense", **wide)
    assert table[0].startswith("scale inputs to mean 0")
    assert [each.startswith("take the logarithm") for each in table] == [False, True]
    assert not any("pixels" in each for each in tries("unscaled_inputs", "sequences", "LSTMCell", **wide))
    pictures = tries("unscaled_inputs", "pictures", "Conv2D", input_scale=140, input_decades=0.2)
    assert pictures[0].startswith("divide pixels by 255")
    assert not any("logarithm" in each for each in pictures)
    assert tries("unscaled_inputs", "pictures", "Conv2D", input_scale=0.002)[0].startswith("scale only once")
    assert not any("scale" in each for cause in ("saturated", "exploding") for each in tries(cause, "ids", "LSTMCell"))
    assert "pictures" in tries("overfitting", "pictures", "Conv2D")[-1] + tries("overfitting", "pictures", "Conv2D")[0]
    assert not any("pictures" in each for each in tries("overfitting", "table", "Dense"))


@pytest.mark.parametrize("cause", causes.cause_names())
@pytest.mark.parametrize("cell", ["SimpleRNNCell", "LSTMCell", "GRU"])
def test_recurrent_layers_get_no_advice_for_dense_ones(cause: str, cell: str) -> None:
    recurrent = tries(cause, "sequences", cell)
    assert recurrent
    assert not any("he_normal" in each or "atch normalisation before" in each for each in recurrent)
    assert not any("leaky_relu" in each or "`relu` in hidden" in each for each in recurrent)
    dense = tries(cause, "table", "Dense")
    assert dense
    assert not any("recurrent" in each for each in dense)


def test_advice_is_for_the_layer_in_question() -> None:
    both = ("SimpleRNNCell", "Dense")
    assert tries("vanishing", "sequences", *both, smallest_layer=1)[0].startswith("`LSTM` or `GRU`")
    assert not any("LSTM" in each for each in tries("vanishing", "sequences", *both, smallest_layer=2))
    assert {each for each in tries("vanishing", "sequences", *both)} >= {*tries("vanishing", "sequences", "Dense")}


def test_a_loss_of_ones_own_is_told_what_fits_it() -> None:
    name = "a loss that holds each output against all targets"
    told = tries("output_mismatch", "table", "Dense", output_misfit=record.MISFITS.index(name), targets_beyond=0)
    assert [each.startswith("targets of the outputs' shape") for each in told] == [True]


def test_an_earlier_record_gets_what_fits_any_inputs() -> None:
    assert tries("unscaled_inputs", None, "Dense")[0].startswith("scale inputs to mean 0")


def test_a_remedy_is_an_override_of_the_recipe_at_hand() -> None:
    (*_, last) = causes.suggest("died_in_training", RECIPE, epochs=500)
    assert last.overrides == {"optimizer.config.learning_rate": 0.001}
    assert str(last).startswith("`optimizer.config.learning_rate: 0.001` (")
    assert causes.suggest("too_few_epochs", RECIPE, epochs=500)[0].overrides == {"training.epochs": 2000}
    assert {"units": 20} in [each.overrides for each in causes.suggest("born_dead", RECIPE, epochs=500)]


def test_what_the_variant_has_already_is_not_suggested() -> None:
    clipped = changed_recipe(optimizer={"class_name": "SGD", "config": {"learning_rate": 0.1, "clipnorm": 1.0}})
    assert not any("clipnorm" in str(each) for each in causes.suggest("exploding", clipped, epochs=1))
    glorot = changed_recipe(kernel_initializer="GlorotUniform")
    assert not any("glorot" in str(each) for each in causes.suggest("exploding", glorot, epochs=1))
    leaky = changed_recipe(activation="leaky_relu")
    assert not any("leaky_relu" in str(each) for each in causes.suggest("born_dead", leaky, epochs=1))
    rectified = [each.overrides for each in causes.suggest("vanishing", RECIPE, epochs=1)]
    assert {"activation": "relu", "kernel_initializer": "he_uniform"} not in rectified


@pytest.mark.parametrize(
    ("cause", "override"),
    [
        ("saturated", {"batch_normalization": True}),
        ("born_dead", {"residual": True, "batch_normalization": True}),
        ("born_dead", {"kernel_initializer": "randomized_asymmetric"}),
        ("vanishing", {"kernel_initializer.class_name": "random_walk", "kernel_initializer.config.gain": "relu"}),
        ("vanishing", {"pretraining": "layer_wise"}),
        ("unexplained", {"pretraining": "autoencoder"}),
    ],
)
def test_what_variants_can_say_is_suggested_until_it_is_taken(cause: str, override: dict) -> None:
    assert override in [each.overrides for each in causes.suggest(cause, RECIPE, epochs=1)]
    taken = resolve({**VARIANT, "units": 5}, {"v": nested(override)})["v"]  # what is suggested can be said
    assert override not in [each.overrides for each in causes.suggest(cause, taken, epochs=1)]


def nested(override: dict) -> dict:
    made: dict = {}
    for key, value in override.items():
        *above, last = key.split(".")
        place = made
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    return made


def test_a_suggestion_reads_as_in_the_file_and_a_path_needs_a_layer_to_go_around() -> None:
    suggested = causes.suggest("died_in_training", RECIPE, epochs=1)
    assert "`residual: true, batch_normalization: true`" in [str(each).split(" (")[0] for each in suggested]
    shallow = causes.suggest("died_in_training", changed_recipe(hidden_layers=1), epochs=1)
    assert not any("residual" in each.overrides for each in shallow)


def test_a_sentence_names_the_most_promising_alone() -> None:
    every = causes.suggest("vanishing", RECIPE, epochs=1)
    assert len(every) > recipe_changes.MOST_IN_A_SENTENCE
    assert recipe_changes.helps(every).count(";") == 2 * recipe_changes.MOST_IN_A_SENTENCE - 1
    assert recipe_changes.helps([]) == ""


def test_the_slope_of_the_loss_and_its_significance_are_scipys() -> None:
    values = 1 + np.random.default_rng(2).normal(size=50) - 0.01 * np.arange(50)
    expected = linregress(np.arange(50), values)
    assert loss_evidence._slope(values) == pytest.approx((expected.slope, expected.pvalue))
    assert loss_evidence._slope(np.arange(5.0)) == pytest.approx((1, 0))
