"""Notices and the text of a verdict, for hand-made evidence and for a small fit."""

import logging

import keras
import numpy as np
import pandas as pd
import pytest
from watched_models import points

from pipeline import Diagnosis
from pipeline.diagnosis import causes, evidence
from pipeline.diagnosis.notices import NOTICES, notices
from pipeline.diagnosis.rules.unexplained_rule import experiments
from pipeline.evaluation.variant import VariantMetrics
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.file import check
from pipeline.params.shipped import shipped
from pipeline.watch.fit_verdict import Verdict
from pipeline.watch.mlflow_run import _tags

pytestmark = pytest.mark.usefixtures("quick_models_once")

PARAMS = check(shipped()["diagnosis"], "diagnosis", DiagnosisParams)
WORSE = {"train_gain": 0.9, "judged_gain": 0.2}
BEHIND = {"below_reference": 3, "reference_gain": 0.8, "judged_gain": 0.4}
STOPPED = {"stopped_by_callback": 1, "epochs_run": 7, "epochs_asked": 60, "loss_fall": 0.05}
CASES: dict[str, list[dict[str, float]]] = {
    "output_mismatch": [{"output_misfit": 5}],
    "misleading_metric": [{"metric_gap": 0.9}, {"accuracy_of_numbers": 1}],
    "ignored_class_weight": [{"class_weight_unknown": 2, "class_weight_missing": 0.2}, {"class_weight_missing": 1}],
    "shifted_validation": [
        {"validation_new_classes": 0.5},
        {"validation_shift": 4, **WORSE},
        {"validation_spread": -1, **WORSE},
    ],
    "ordered_batches": [{"batch_order": 0.9, "logged_gap": 1.5}],
    "stopped_early": [
        {"stop_patience": 0, **STOPPED},
        {"stop_patience": 5, "stop_is_backwards": 1, **STOPPED, "loss_fall": 0},
    ],
    "learning_rate_ended": [
        {"rate_end": 1e-6, "rate_ended_share": 0.8, **BEHIND},
        {"rate_end": 1e-6, "rate_ended_share": 0.8, "train_fit": 0.4, "train_gain": 0.5},
    ],
    "over_regularised": [{"activity_share": 0.3, "train_fit": 0.2}, {"dropout_rate": 0.95}, {"output_dropout": 0.5}],
    "batch_statistics": [
        {"logged_fit": 0.9, "train_fit": 0.2},
        {"logged_fit": 0.9, "train_fit": 0.5, "uses_batch_statistics": 1},
    ],
    "overfitting": [{"train_learned": 1, "train_gain": 0.9, "judged_gain": 0.4, "judged_fit": -0.2}],
    "symmetric": [{"equal_layer": 1, **BEHIND}],
    "unscaled_inputs": [{"input_scale": 300, **BEHIND}, {"input_scale": 300, "below_reference": 4}],
    "unscaled_targets": [{"target_scale": 300, "train_fit": 0.6, **BEHIND}],
    "frozen": [{"frozen_layer": 1, **BEHIND}],
    "unmasked_padding": [{"padding_share": 0.8, "masks_padding": 0, "is_recurrent": 1, "below_reference": 4}],
    "learning_rate_too_large": [{"first_change": 20, "first_gradient": 0.1, **BEHIND}],
    "too_few_epochs": [{"loss_fall": 0.1, **BEHIND}],
    "below_reference": [BEHIND],
}
OF_CAUSES = (
    *("symmetric", "unscaled_inputs", "unscaled_targets", "frozen", "unmasked_padding", "learning_rate_too_large"),
    "too_few_epochs",
)
# Similar evidence of trainings that nothing harms.
HARMLESS = [
    {},
    {"output_misfit": 1},  # a constant, which the network refutes that learned
    {"metric_gap": 0.1, "accuracy_of_numbers": 0},
    {"class_weight_unknown": 0, "class_weight_missing": 0.9},  # {1: 5.0}: other classes keep the weight 1
    {"class_weight_unknown": 1, "class_weight_missing": 0},  # a class that the split left out
    {"validation_shift": 4, "train_gain": 0.9, "judged_gain": 0.88},
    {"validation_new_classes": 0.02},
    {"batch_order": 0.9, "logged_gap": 0.1},
    {"stop_patience": 5, **STOPPED},
    {"stop_patience": 5, "stop_is_backwards": 0, **STOPPED},
    {"rate_end": 1e-6, "rate_ended_share": 0.8},
    {"rate_end": 1e-6, "rate_ended_share": 0.8, "train_fit": 0.4, "train_gain": 0.5, "reference_gain": 0.5},
    {"rate_end": 1e-6, "rate_ended_share": 0.4, "train_fit": 0.4, "train_gain": 0.5},
    {"activity_share": 0.3, "train_fit": 0.8, "dropout_rate": 0.5},
    {"logged_fit": 0.9, "train_fit": 0.5},
    {"input_scale": 300, "loss_fall": 0.1, "frozen_layer": 1},
    {"input_scale": 300, "below_reference": 2},
    {"train_learned": 1, "train_gain": 0.9, "judged_gain": 0.4, "judged_fit": 0.2},
    {"logged_fit": 0.9, "train_fit": 0.7},
    {"stop_patience": 0, **STOPPED, "loss_fall": 0},
    {"stop_patience": 0, **STOPPED, **WORSE},  # overfitting: it was right to stop
    {"below_reference": 3, "reference_gain": 0.45, "judged_gain": 0.4},
    {"below_reference": 0.5, "reference_gain": 0.8, "judged_gain": 0.4},
]


def table(**numbers: float) -> pd.DataFrame:
    return pd.DataFrame([numbers], columns=list(evidence.COLUMNS), dtype=float)


def plain(**numbers: float) -> dict[str, float | str | None]:
    return dict.fromkeys(evidence.COLUMNS) | numbers


@pytest.mark.parametrize(("name", "numbers"), [(name, case) for name, cases in CASES.items() for case in cases])
def test_each_notice_holds_alone_and_has_a_sentence(name: str, numbers: dict[str, float]) -> None:
    notice, *others = notices(table(**numbers), PARAMS)
    assert notice.name == name
    assert [each.name for each in others] == ["below_reference"] * (name in OF_CAUSES and "reference_gain" in numbers)
    assert len(notice.says(plain(**numbers))) > 30
    assert [each.name for each in notices(table(**numbers), PARAMS, is_early=True)] == [name] * notice.is_early


@pytest.mark.parametrize("numbers", HARMLESS)
def test_harmless_evidence_gives_no_notice(numbers: dict[str, float]) -> None:
    assert not notices(table(**numbers), PARAMS)


def test_some_notices_are_only_for_a_network_that_learned() -> None:
    for name in ("output_mismatch", "below_reference"):
        assert not notices(table(**CASES[name][0]), PARAMS, has_learned=False)


def test_a_network_that_learned_refutes_a_constant_output_and_unrelated_labels() -> None:
    assert causes.named("output_mismatch").is_refuted(plain(output_misfit=2))
    assert not causes.named("output_mismatch").is_refuted(plain(output_misfit=5))
    assert causes.named("unrelated_labels").is_refuted(plain())
    assert not causes.named("vanishing").is_refuted(plain())


def test_every_notice_has_a_case() -> None:
    assert [each.name for each in NOTICES] == list(CASES)


def test_a_notice_uses_only_numbers_that_exist() -> None:
    random = np.random.default_rng(0)
    values = [np.nan, 0.0, 1.0, 0.02, 0.3, 200.0]
    rows = pd.DataFrame({name: random.choice(values, 5000) for name in evidence.COLUMNS})
    rows["output_misfit"] = random.choice([np.nan, 0, 1, 5], len(rows))
    for notice in NOTICES:
        holding = rows[notice.rule(rows, PARAMS)].head(40)
        assert len(holding) > 5, notice.name
        for _, row in holding.iterrows():
            text = notice.says({name: None if np.isnan(value) else value for name, value in row.items()})
            assert "nan" not in text
            assert "None" not in text


def test_an_unexplained_failure_shows_the_two_conditions_that_came_nearest() -> None:
    numbers = plain(gradient_ratio=1.6e-3, saturated_share=0.4, loss_growth=1.0, score_gap=0.01)
    assert causes.closest(numbers, PARAMS) == (
        "Closest to a limit: saturated (`saturated_share` is 0.4, the limit is 0.5) and vanishing (`gradient_ratio` is "
        "0.0016, the limit is 0.001)."
    )
    assert causes.closest(plain(), PARAMS) == ""


@pytest.mark.parametrize(
    ("numbers", "first"),
    [
        ({"train_gain": 0.0, "loss_fall": 0.0}, "train on the same 64 rows"),
        ({"train_gain": 0.9, "judged_gain": 0.1}, "draw the validation rows at random"),
        ({"train_gain": 0.9, "batch_order": 0.0}, "shuffle the targets alone"),
    ],
)
def test_experiments_are_chosen_by_what_was_measured(numbers: dict[str, float], first: str) -> None:
    text = experiments(plain(**numbers))
    assert text.startswith(f"Two experiments would tell most: {first}")
    assert text.count("; and ") == 1


def test_former_names_of_outcomes_become_todays_names() -> None:
    counts = causes.all_counts({"learned": 1, "stuck": 4})
    assert (counts["learned"], counts["unexplained"], counts["no_signal"]) == (1, 4, 0)
    assert list(counts) == list(causes.outcome_names())
    spread = {"q25": None, "median": None, "q75": None}
    older = {
        "replicas": 5,
        "learned": {"count": 1, "rate": 0.2, "interval": [0.0, 0.6]},
        "epochs_to_learn": spread,
        "outcomes": {"learned": 1, "stuck": 4},
        "diverged": 0,
        "living": {"at_start": 1, "at_end": 1},
    }
    assert VariantMetrics.of(older).outcomes["unexplained"] == 4


def test_a_verdicts_text_and_its_mlflow_tags_have_the_notices() -> None:
    verdict = Verdict("learned", None, {}, (), "Learned.", "", (), (), {"misleading_metric": "Use another."})
    assert "Notice: Use another." in str(verdict).splitlines()
    assert _tags(verdict)["notices"] == "misleading_metric"
    assert "notices" not in _tags(Verdict("learned", None, {}, (), "Learned.", "", (), ()))


def test_a_misleading_metric_is_logged_once_after_the_first_epoch(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    inputs, labels = points(128)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=[keras.metrics.Accuracy()])
    diagnosis = Diagnosis(inputs, labels)
    with caplog.at_level(logging.WARNING, "pipeline.watch"):
        model.fit(inputs, labels, epochs=3, verbose=0, callbacks=[diagnosis])
    assert set(diagnosis.notices) == {"misleading_metric"}
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1
    assert messages[0].startswith("pipeline.watch: `accuracy` as `fit` logs it")


def test_the_recorder_and_the_rules_have_the_same_faults_of_outputs() -> None:
    from pipeline.diagnosis.rules.model_rules import FITTING, MISFITS
    from pipeline.recorder.output_facts import LATER_MISFITS

    assert MISFITS[-len(LATER_MISFITS) :] == LATER_MISFITS
    assert {*FITTING, "none"} == {*MISFITS}
