"""The rules and the sentences of the notices; see `diagnosis.notices`."""

from typing import Final

import pandas as pd

from pipeline.diagnosis.constants import SHORT_PATIENCE
from pipeline.diagnosis.rules.cause import Evidence, number
from pipeline.diagnosis.rules.inference_rules import OVERFITTING
from pipeline.diagnosis.rules.model_rules import CONSTANTS
from pipeline.diagnosis.rules.row_rules import are_validation_rows_shifted, says_order, says_validation
from pipeline.diagnosis.rules.step_rules import LEARNING_RATE_ENDED, has_rate_ended, is_stopped_early, says_stopped
from pipeline.params.diagnosis_params import DiagnosisParams

FAR_BEHIND: Final = 3  # times how far guessing strays above chance
HALF: Final = 0.5  # of the way from guessing to perfect, on unseen rows
FITTED: Final = 0.75  # of the way from the baseline to perfect, on the training rows; then more steps can add little


def is_output_unfit(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether output, loss and targets do not fit, but for a constant, which cannot learn."""
    return (evidence.output_misfit > 0) & ~evidence.output_misfit.isin(CONSTANTS)


def is_metric_misleading(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether a compiled accuracy does not measure the accuracy of the predictions."""
    return (evidence.metric_gap > params.metric_gap) | (evidence.accuracy_of_numbers == 1)


def says_metric(evidence: Evidence) -> str:
    """Return sentences on the misleading metric."""
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


def is_class_weight_ignored(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether keys of `class_weight` are no class of the targets."""
    has_strangers = (evidence.class_weight_unknown > 0) & (evidence.class_weight_missing > 0)
    return has_strangers | (evidence.class_weight_missing == 1)


def says_class_weight(evidence: Evidence) -> str:
    """Return sentences on the ignored class weights."""
    missing = 100 * number(evidence, "class_weight_missing")
    return (
        f"`class_weight` has keys that are no class of the targets, and {missing:.0f}% of the training rows have a "
        "class that is no key, so Keras gives these rows the weight 1. Use the labels as keys, as whole numbers: 0, 1, "
        "and so on."
    )


# Both scores are from few rows, so a difference counts only beyond the noise of guessing and by a part that matters.
def _is_behind(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    gain = evidence.judged_gain.fillna(evidence.train_gain)
    matters = evidence.reference_gain - gain > params.chance_margin
    return (evidence.below_reference > 1) & matters


def says_reference(evidence: Evidence) -> str:
    """Return a sentence on the scores of the quick model and of the network."""
    gain = evidence["judged_gain"] if evidence["judged_gain"] is not None else evidence["train_gain"]
    return (
        f"A quick model reaches {100 * number(evidence, 'reference_gain'):.0f}% of the possible improvement over "
        f"chance on the same rows, and this network {100 * float(gain or 0):.0f}%: more can be learned from these "
        "columns."
    )


def is_validation_shifted(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether the validation rows are unlike the training rows and predicted worse."""
    return are_validation_rows_shifted(evidence, params) | (evidence.validation_new_classes > params.new_classes)


def says_shift(evidence: Evidence) -> str:
    """Return sentences on the differences of the validation rows."""
    return f"Validation rows are unlike training rows. {says_validation(evidence)} Shuffle rows before the split."


def is_order_harmful(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether ordered batches make the network forget."""
    return (evidence.batch_order > params.ordered_share) & (evidence.logged_gap > params.mode_gap)


def says_harm_of_order(evidence: Evidence) -> str:
    """Return sentences on the ordered batches."""
    return (
        f"{says_order(evidence)} So the loss that `fit` logs is far below the loss of the same rows after the epoch. "
        "Shuffle the rows."
    )


def says_stop(evidence: Evidence) -> str:
    """Return sentences on the callback that stopped the training."""
    what_to_do = (
        "Set `mode` for the monitored number."
        if evidence["stop_is_backwards"]
        else "The training loss still fell: use a longer `patience`."
    )
    return f"{says_stopped(evidence)} {what_to_do}"


def was_stopped_while_falling(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether a callback stopped the training too soon."""
    still_falls = (evidence.stop_patience <= SHORT_PATIENCE) & (evidence.loss_fall > params.slow_fall)
    return is_stopped_early(evidence, params) & (still_falls | (evidence.stop_is_backwards == 1))


# A rate that ends after a good training does no harm; a better quick model shows that the training was not over. Where
# there is none, as for sequences, a loss that stands far above 0 for most of the epochs shows it.
def did_rate_end_too_soon(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether the learning rate was nearly 0 long before the network had learned all."""
    is_wasted = (evidence.rate_ended_share > params.wasted_share) & evidence.reference_gain.isna()
    is_poor = (evidence.train_fit < FITTED) & (evidence.train_gain < FITTED)
    return has_rate_ended(evidence, params) & (is_far_behind(evidence, params) | is_wasted & is_poor)


# A penalty on outputs holds a network back if most of the baseline loss is left; dropout of nearly all units, or of the
# model's outputs, always does.
def is_regularised_too_much(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether a penalty on outputs or dropout holds the network back."""
    is_held_back = (evidence.activity_share > params.activity_share) & (evidence.train_fit <= params.harmless_fit)
    return is_held_back | (evidence.dropout_rate > params.dropped) | (evidence.output_dropout > 0)


def is_below_reference(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether a quick model is better, and the learning rate is not the reason."""
    return _is_behind(evidence, params) & ~has_rate_ended(evidence, params)  # otherwise the reason is known


# The reference shows that more can be learned; of pictures and sequences it knows little, so it must be far better.
def is_far_behind(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether a quick model is far better than the network."""
    is_far = evidence.reference_gain.isna() & (evidence.below_reference > FAR_BEHIND)
    return _is_behind(evidence, params) | is_far


# Many good networks overfit a little: it matters where unseen rows would be predicted with less loss by a constant, or
# better by a quick model.
def overfits_harmfully(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether the network overfits, and this does harm."""
    is_harmed = (evidence.judged_fit <= 0) & (evidence.judged_gain < HALF) | is_far_behind(evidence, params)
    return OVERFITTING.rule(evidence, params) & is_harmed


def says_rate(evidence: Evidence) -> str:
    """Return sentences on the learning rate that ended."""
    return f"{LEARNING_RATE_ENDED.says(evidence)} Count schedules in steps, not in epochs."


def do_statistics_lag(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether the network fits far better in training mode than in inference mode."""
    gap = evidence.logged_fit - evidence.train_fit
    is_poor = (evidence.uses_batch_statistics == 1) & (evidence.train_fit < FITTED)
    return (gap > params.mode_gap) | (gap > params.harmless_fit) & is_poor
