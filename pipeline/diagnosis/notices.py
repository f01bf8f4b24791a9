"""The table of notices: what harms a training, whatever its outcome.

A notice is no cause: the network may have learned. Notices stand in the callback's text and page, in the output of
`python3 -m pipeline.watch` and in MLflow. To add a notice, add a row to NOTICES.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.diagnosis import notice_rules
from pipeline.diagnosis.rules.cause import Cause, Evidence, Rule
from pipeline.diagnosis.rules.data_rules import UNSCALED_INPUTS, UNSCALED_TARGETS
from pipeline.diagnosis.rules.inference_rules import BATCH_STATISTICS, OVERFITTING
from pipeline.diagnosis.rules.model_rules import FROZEN, OUTPUT_MISMATCH, SYMMETRIC
from pipeline.diagnosis.rules.optimisation_rules import LEARNING_RATE_TOO_LARGE, TOO_FEW_EPOCHS
from pipeline.diagnosis.rules.row_rules import UNMASKED_PADDING
from pipeline.diagnosis.rules.step_rules import OVER_REGULARISED
from pipeline.params.diagnosis_params import DiagnosisParams


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


def _of_cause(cause: Cause, false_alarms: str) -> Notice:
    """Return the notice on a cause for a network that learned, but far less than a quick model."""
    return Notice(
        cause.name,
        lambda evidence, params: (
            notice_rules.is_far_behind(evidence, params) & cause.rule(evidence.assign(train_fit=np.nan), params)
        ),
        cause.says,
        means=f"the network learned, but far less than a quick model, and the rule of the cause `{cause.name}` holds",
        condition=f"as for the cause `{cause.name}`, whatever `train_fit`; and `reference_gain` as for "
        f"`below_reference` or, for other inputs than columns, `below_reference` > {notice_rules.FAR_BEHIND}",
        false_alarms=false_alarms,
        needs_learning=True,
    )


NOTICES: tuple[Notice, ...] = (
    Notice(
        "output_mismatch",
        notice_rules.is_output_unfit,
        OUTPUT_MISMATCH.says,
        means="the network learned, but less than it could, because output, loss and targets do not fit each other",
        condition="`output_misfit` > 0, but for a constant output or loss, which could not learn",
        false_alarms="a loss of your own that reads other layers than the output",
        needs_learning=True,
    ),
    Notice(
        "misleading_metric",
        notice_rules.is_metric_misleading,
        notice_rules.says_metric,
        means="a metric of accuracy does not measure the accuracy of the predictions, such as "
        "`keras.metrics.Accuracy()`, which compares probabilities with labels",
        condition="`metric_gap` > `diagnosis.metric_gap`, or `accuracy_of_numbers` is 1",
        false_alarms="an accuracy with another threshold than 0.5, on purpose",
        is_early=True,
    ),
    Notice(
        "ignored_class_weight",
        notice_rules.is_class_weight_ignored,
        notice_rules.says_class_weight,
        means="keys of `class_weight` are no class of the targets, so Keras ignores their weights without a message",
        condition="`class_weight_unknown` > 0 and `class_weight_missing` > 0, or `class_weight_missing` is 1",
        false_alarms="weights for classes that no training row has, while other classes keep the weight 1 on purpose",
        is_early=True,
    ),
    Notice(
        "shifted_validation",
        notice_rules.is_validation_shifted,
        notice_rules.says_shift,
        means="the validation rows have other classes, another scale or other means than the training rows, and are "
        "predicted worse",
        condition="as for the cause `shifted_validation`, whether the training rows are fitted or not; or "
        "`validation_new_classes` > `new_classes`",
        false_alarms="a test of how a network copes with other data, on purpose",
        is_early=True,
    ),
    Notice(
        "ordered_batches",
        notice_rules.is_order_harmful,
        notice_rules.says_harm_of_order,
        means="rows are fed in the order of their targets, and the network forgets what it learned a few batches "
        "before",
        condition="`batch_order` > `ordered_share`, and `logged_gap` > `mode_gap`",
        false_alarms="a slow time series that is fed in order, with dropout or another layer that differs between "
        "modes",
    ),
    Notice(
        "stopped_early",
        notice_rules.was_stopped_while_falling,
        notice_rules.says_stop,
        means="a callback stopped the training in its first half: with a patience of at most one epoch, though the "
        "training loss still fell, or because it took better for worse",
        condition="as for the cause `stopped_early`; and `stop_patience` <= 1 with `loss_fall` > `slow_fall`, or "
        "`stop_is_backwards` is 1",
        false_alarms="a network that begins to overfit while its training loss falls",
    ),
    Notice(
        "learning_rate_ended",
        notice_rules.did_rate_end_too_soon,
        notice_rules.says_rate,
        means="the network learned less than a quick model, or little of the training rows, and the learning rate was "
        "nearly 0 long before the end",
        condition="as for the cause `learning_rate_ended`, and `reference_gain` as for `below_reference`; or "
        "`rate_ended_share` > `wasted_share`, `train_fit` and `train_gain` < 0.75, and no reference",
        false_alarms="a network that cannot learn more at any rate",
        needs_learning=True,
    ),
    Notice(
        "over_regularised",
        notice_rules.is_regularised_too_much,
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
        notice_rules.do_statistics_lag,
        BATCH_STATISTICS.says,
        means="the network learned, and fits the same rows far better in training mode than in inference mode",
        condition="`logged_fit` - `train_fit` > `mode_gap`, or > `harmless_fit` if `uses_batch_statistics` is 1 and "
        "`train_fit` < 0.75",
        false_alarms="none known",
        needs_learning=True,
    ),
    Notice(
        "overfitting",
        notice_rules.overfits_harmfully,
        OVERFITTING.says,
        means="the network learned, but fits the training rows far better than unseen rows, and this does harm",
        condition="as for the cause `overfitting`; and `judged_fit` <= 0 with `judged_gain` < 0.5, or as for the "
        "notice on `symmetric`",
        false_alarms="a network of which only the predicted class matters, not the probability",
        needs_learning=True,
    ),
    _of_cause(SYMMETRIC, "none known"),
    _of_cause(
        UNSCALED_INPUTS, "a network whose inputs are large on purpose, and which fails to learn more for another reason"
    ),
    _of_cause(UNSCALED_TARGETS, "targets whose unit the loss takes into account"),
    _of_cause(FROZEN, "layers that are frozen on purpose, in a network that must be quick to train"),
    _of_cause(UNMASKED_PADDING, "padding that carries information, such as the length of a row"),
    _of_cause(LEARNING_RATE_TOO_LARGE, "kernels that start far too small"),
    _of_cause(TOO_FEW_EPOCHS, "a network that is compared at equal cost, on purpose"),
    Notice(
        "below_reference",
        notice_rules.is_below_reference,
        notice_rules.says_reference,
        means="a linear model or a forest of trees predicts the same rows better than the network, beyond noise",
        condition="`below_reference` > 1, and `reference_gain` above the network's gain by more than `chance_margin`; "
        "and not `learning_rate_ended`",
        false_alarms="a network that must be small or fast, on purpose",
        needs_learning=True,
    ),
)
