"""The table of notices: what harms a training, whatever its outcome.

A notice is no cause: the network may have learned. Notices stand in the callback's text and page, in the output of
`python3 -m pipeline.watch` and in MLflow. To add a notice, add a row to NOTICES.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pandas as pd

from pipeline.diagnosis.constants import SHORT_PATIENCE
from pipeline.diagnosis.rules.cause import Evidence, Rule, number
from pipeline.diagnosis.rules.inference_rules import BATCH_STATISTICS
from pipeline.diagnosis.rules.model_rules import CONSTANTS, OUTPUT_MISMATCH
from pipeline.diagnosis.rules.row_rules import are_validation_rows_shifted, has_new_classes, says_order, says_validation
from pipeline.diagnosis.rules.step_rules import (
    LEARNING_RATE_ENDED,
    OVER_REGULARISED,
    has_rate_ended,
    is_stopped_early,
    says_stopped,
)
from pipeline.params.diagnosis_params import DiagnosisParams

FITTED: Final = 0.75  # of the way from the baseline to perfect, on the training rows; then more steps can add little


@dataclass(frozen=True)
class Notice:
    """All that the project knows about a notice; the page of causes is generated from it.

    name: the name in `Diagnosis.notices` and in MLflow's tag.
    rule: takes the evidence (one row per replica) and the thresholds; returns one bool per replica.
    says: takes the evidence of one replica; returns a sentence on what was measured, and one on what to do.
    means: what the notice is. This and the next two texts are Markdown for the pages.
    condition: the rule in terms of evidence and thresholds.
    false_alarms: known cases in which nothing is wrong.
    is_early: whether it is known, and logged, after the first epoch.
    needs_learning: whether it is shown only if the network learned; otherwise the cause matters, and the text of the
        verdict has the scores of the reference anyway.
    """

    name: str
    rule: Rule
    says: Callable[[Evidence], str]
    means: str
    condition: str
    false_alarms: str
    is_early: bool = False
    needs_learning: bool = False


def notices(
    evidence: pd.DataFrame, params: DiagnosisParams, is_early: bool = False, has_learned: bool = True
) -> list[Notice]:
    """Return the notices that hold for the first replica of a table of evidence.

    Args:
        is_early: whether to return only notices that are known after the first epoch.
        has_learned: whether the replica learned.
    """
    shown = [each for each in NOTICES if each.is_early >= is_early and each.needs_learning <= has_learned]
    return [each for each in shown if bool(each.rule(evidence, params).iloc[0])]


def _is_output_unfit(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return (evidence.output_misfit > 0) & ~evidence.output_misfit.isin(CONSTANTS)


def _is_metric_misleading(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return (evidence.metric_gap > params.metric_gap) | (evidence.accuracy_of_numbers == 1)


def _says_metric(evidence: Evidence) -> str:
    name = f"`{evidence['misleading_metric']}`" if evidence.get("misleading_metric") else "A metric of accuracy"
    if evidence["accuracy_of_numbers"]:
        return (
            f"{name} counts predictions that equal their targets, and the targets are numbers, so it stays near 0. Use "
            "`mae` or `keras.metrics.R2Score()`."
        )
    gap = number(evidence, "metric_gap")
    return (
        f"{name} as `fit` logs it is {gap:.2f} away from its value for the predicted labels of the same rows. Use a "
        "metric that takes probabilities, such as `metrics=['accuracy']` or `keras.metrics.BinaryIoU`."
    )


def _is_class_weight_ignored(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    has_strangers = (evidence.class_weight_unknown > 0) & (evidence.class_weight_missing > 0)
    return has_strangers | (evidence.class_weight_missing == 1)


def _says_class_weight(evidence: Evidence) -> str:
    missing = 100 * number(evidence, "class_weight_missing")
    return (
        f"`class_weight` has keys that are no class of the targets, and {missing:.0f}% of the training rows have a "
        "class that is no key, so Keras gives these rows the weight 1. Keys must be the labels as whole numbers: 0, 1, "
        "and so on."
    )


# Both scores are from few rows, so a difference counts only beyond the noise of guessing and by a part that matters.
def _is_behind(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    gain = evidence.judged_gain.fillna(evidence.train_gain)
    matters = evidence.reference_gain - gain > params.chance_margin
    return (evidence.below_reference > 1) & matters


def _says_reference(evidence: Evidence) -> str:
    gain = evidence["judged_gain"] if evidence["judged_gain"] is not None else evidence["train_gain"]
    return (
        f"A quick model reaches {100 * number(evidence, 'reference_gain'):.0f}% of the possible improvement over "
        f"chance on the same rows, and this network {100 * float(gain or 0):.0f}%: more can be learned from these "
        "columns."
    )


def _is_validation_shifted(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return are_validation_rows_shifted(evidence, params) | has_new_classes(evidence, params)


def _says_validation(evidence: Evidence) -> str:
    return f"Validation rows are unlike training rows. {says_validation(evidence)} Shuffle rows before the split."


def _is_order_harmful(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return (evidence.batch_order > params.ordered_share) & (evidence.logged_gap > params.mode_gap)


def _says_order(evidence: Evidence) -> str:
    return (
        f"{says_order(evidence)} So the loss that `fit` logs is far below the loss of the same rows after the epoch. "
        "Shuffle the rows."
    )


def _says_stopped(evidence: Evidence) -> str:
    what_to_do = (
        "Set `mode` for the monitored number."
        if evidence["stop_is_backwards"]
        else "The training loss still fell: use a longer `patience`."
    )
    return f"{says_stopped(evidence)} {what_to_do}"


def _was_stopped_while_falling(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    still_falls = (evidence.stop_patience <= SHORT_PATIENCE) & (evidence.loss_fall > params.slow_fall)
    return is_stopped_early(evidence, params) & (still_falls | (evidence.stop_is_backwards == 1))


# A rate that ends after a good training does no harm; a better quick model shows that the training was not over. Where
# there is none, as for sequences, a loss that stands far above 0 for most of the epochs shows it.
def _did_rate_end_too_soon(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    is_wasted = (evidence.rate_ended_share > params.wasted_share) & evidence.reference_gain.isna()
    is_poor = (evidence.train_fit < FITTED) & (evidence.train_gain < FITTED)
    return has_rate_ended(evidence, params) & (_is_behind(evidence, params) | is_wasted & is_poor)


# A penalty on outputs holds a network back if most of the baseline loss is left; dropout of nearly all units, or of the
# model's outputs, always does.
def _is_regularised_too_much(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    is_held_back = (evidence.activity_share > params.activity_share) & (evidence.train_fit <= params.harmless_fit)
    return is_held_back | (evidence.dropout_rate > params.dropped) | (evidence.output_dropout > 0)


def _is_below_reference(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return _is_behind(evidence, params) & ~has_rate_ended(evidence, params)  # otherwise the reason is known


def _says_rate(evidence: Evidence) -> str:
    return f"{LEARNING_RATE_ENDED.says(evidence)} Count schedules in steps, not in epochs."


def _do_statistics_lag(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    gap = evidence.logged_fit - evidence.train_fit
    return (gap > params.mode_gap) | (gap > params.harmless_fit) & (evidence.uses_batch_statistics == 1)


NOTICES: tuple[Notice, ...] = (
    Notice(
        "output_mismatch",
        _is_output_unfit,
        OUTPUT_MISMATCH.says,
        means="the network learned, but less than it could, because output, loss and targets do not fit each other",
        condition="`output_misfit` > 0, but for a constant output or loss, which could not learn",
        false_alarms="a loss of your own that reads other layers than the output",
        needs_learning=True,
    ),
    Notice(
        "misleading_metric",
        _is_metric_misleading,
        _says_metric,
        means="a metric of accuracy does not measure the accuracy of the predictions, such as "
        "`keras.metrics.Accuracy()`, which compares probabilities with labels",
        condition="`metric_gap` > `diagnosis.metric_gap`, or `accuracy_of_numbers` is 1",
        false_alarms="an accuracy with another threshold than 0.5, on purpose",
        is_early=True,
    ),
    Notice(
        "ignored_class_weight",
        _is_class_weight_ignored,
        _says_class_weight,
        means="keys of `class_weight` are no class of the targets, so Keras ignores their weights without a message",
        condition="`class_weight_unknown` > 0 and `class_weight_missing` > 0, or `class_weight_missing` is 1",
        false_alarms="weights for classes that no training row has, while other classes keep the weight 1 on purpose",
        is_early=True,
    ),
    Notice(
        "shifted_validation",
        _is_validation_shifted,
        _says_validation,
        means="the validation rows have other classes, another scale or other means than the training rows, and are "
        "predicted worse",
        condition="as for the cause `shifted_validation`, whether the training rows are fitted or not; or "
        "`validation_new_classes` > `new_classes`",
        false_alarms="a test of how a network copes with other data, on purpose",
        is_early=True,
    ),
    Notice(
        "ordered_batches",
        _is_order_harmful,
        _says_order,
        means="rows are fed in the order of their targets, and the network forgets what it learned a few batches "
        "before",
        condition="`batch_order` > `ordered_share`, and `logged_gap` > `mode_gap`",
        false_alarms="a slow time series that is fed in order, with dropout or another layer that differs between "
        "modes",
    ),
    Notice(
        "stopped_early",
        _was_stopped_while_falling,
        _says_stopped,
        means="a callback stopped the training in its first half: with a patience of at most one epoch, though the "
        "training loss still fell, or because it took better for worse",
        condition="as for the cause `stopped_early`; and `stop_patience` <= 1 with `loss_fall` > `slow_fall`, or "
        "`stop_is_backwards` is 1",
        false_alarms="a network that begins to overfit while its training loss falls",
    ),
    Notice(
        "learning_rate_ended",
        _did_rate_end_too_soon,
        _says_rate,
        means="the network learned less than a quick model, or little of the training rows, and the learning rate was "
        "nearly 0 long before the end",
        condition="as for the cause `learning_rate_ended`, and `reference_gain` as for `below_reference`; or "
        "`rate_ended_share` > `wasted_share`, `train_fit` and `train_gain` < 0.75, and no reference",
        false_alarms="a network that cannot learn more at any rate",
        needs_learning=True,
    ),
    Notice(
        "over_regularised",
        _is_regularised_too_much,
        OVER_REGULARISED.says,
        means="the network learned, but little: a penalty on the outputs of layers (or a loss that a layer adds) is a "
        "good part of the loss, or dropout leaves few units or acts on the model's outputs",
        condition="`activity_share` > `diagnosis.activity_share`, and `train_fit` is not above `harmless_fit`; or "
        "`dropout_rate` > `dropped`, or `output_dropout` > 0",
        false_alarms="a variational autoencoder of noisy data, whose divergence is a good part of its loss",
        needs_learning=True,
    ),
    Notice(
        "batch_statistics",
        _do_statistics_lag,
        BATCH_STATISTICS.says,
        means="the network learned, and fits the same rows far better in training mode than in inference mode",
        condition="`logged_fit` - `train_fit` > `mode_gap`, or > `harmless_fit` if `uses_batch_statistics` is 1",
        false_alarms="none known",
        needs_learning=True,
    ),
    Notice(
        "below_reference",
        _is_below_reference,
        _says_reference,
        means="a linear model or a forest of trees predicts the same rows better than the network, beyond noise",
        condition="`below_reference` > 1, and `reference_gain` above the network's gain by more than `chance_margin`; "
        "and not `learning_rate_ended`",
        false_alarms="a network that must be small or fast, on purpose",
        needs_learning=True,
    ),
)
