"""Causes in the steps of `fit`: lost, without some weights, outweighed by a penalty, ended or stopped."""

from typing import Final

import pandas as pd

from pipeline.diagnosis.constants import SHORT_PATIENCE
from pipeline.diagnosis.palette import DARK_TEAL, IRIS, PINE, SEA, SLATE
from pipeline.diagnosis.rules.cause import Advice, Cause, Evidence, Limit, is_below, is_misfit, number, verb
from pipeline.params.diagnosis_params import DiagnosisParams

ORDINARY: Final = 0.5  # a greater share or factor is not mentioned
SLIGHT: Final = 0.1  # a smaller share is not mentioned


# The gradient of a batch is noisier than that of all rows, and so seldom smaller. Batch normalisation changes gradients
# between training and inference mode by any factor, so such networks are left out.
def _loses_updates(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    is_skipped = evidence.updates_applied < params.lost_share
    is_unscaled = (evidence.step_ratio < params.lost_scale) & (evidence.uses_batch_statistics == 0)
    is_unused = (evidence.largest_change == 0) & (evidence.taken_gradient > params.vanishing_scale)
    is_lost = is_skipped | is_unscaled | is_unused | (evidence.row_weight < params.lost_scale)
    return is_lost & is_misfit(evidence, params) | (evidence.idle_outputs > 0)


def _sentence_on_lost_updates(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} lost updates: steps were skipped or changed nothing, or gradients were scaled down"


def _says_lost_updates(evidence: Evidence) -> str:
    sentences = []
    if evidence["largest_change"] == 0:
        sentences.append("No kernel ever changed, though the optimizer got gradients.")
    if is_below(evidence, "updates_applied", ORDINARY):
        sentences.append(f"The optimizer applied {100 * number(evidence, 'updates_applied'):.0f}% of the steps.")
    if is_below(evidence, "step_ratio", ORDINARY):
        ratio = number(evidence, "step_ratio")
        sentences.append(f"The optimizer's gradients are {ratio:.2g} times the gradients of the model's loss.")
    if evidence["idle_outputs"]:
        sentences.append("The loss of an output has the weight 0 (`loss_weights`), so nothing trains this output.")
    if is_below(evidence, "row_weight", ORDINARY):
        sentences.append(f"The mean weight of a row is {number(evidence, 'row_weight'):.2g} (usual: 1).")
    return " ".join(sentences)


LOST_UPDATES = Cause(
    "lost_updates",
    "fit",
    _loses_updates,
    DARK_TEAL,
    _sentence_on_lost_updates,
    _says_lost_updates,
    means="the optimizer skips steps or changes nothing, or gets gradients far smaller than the gradients of the "
    "model's loss",
    measured="The optimizer's gradient is compared with the probe's only if no layer normalises by statistics of the "
    "batch, because these change gradients in training mode by any factor.",
    condition="`updates_applied` < `lost_share`; or `step_ratio` < `lost_scale`, and `uses_batch_statistics` is 0; or "
    "`largest_change` is 0, and `taken_gradient` > `vanishing_scale`; or `row_weight` < `lost_scale`; or "
    "`idle_outputs` > 0. But for the last, `train_fit` is not above `harmless_fit`",
    looks_like="A flat loss, though the gradients of the model are of ordinary size.",
    confused_with="`vanishing`, where the model's own gradients are small, and `frozen`, where one layer never "
    "changes. A custom `train_step` that accumulates gradients on purpose is a false alarm if it did not learn.",
    advice=(
        Advice(
            "a learning rate above 0, and `gradient_accumulation_steps` of the optimizer far below the number of "
            "batches",
            "step_each_batch",
            "adam",
            fits=lambda setting: setting.number("largest_change") == 0,
        ),
        Advice(
            "in a `train_step` of your own with mixed precision, compute the gradient of "
            "`self.optimizer.scale_loss(loss)`",
            "unscaled_loss",
        ),
        Advice(
            "look for steps that are skipped: gradients that are NaN or infinite in float16, `None`, or applied under "
            "a condition",
            fits=lambda setting: (setting.number("updates_applied") or 0) < 1,
        ),
        Advice(
            "weights of rows with a mean of 1: divide `sample_weight` by its mean",
            "unit_weights",
            "no_weights",
            fits=lambda setting: (setting.number("row_weight") or 0) < 1,
        ),
    ),
    alarm=False,
    limits=(Limit("step_ratio", "lost_scale", is_upper=False),),
)


def _has_untracked_weights(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.untracked_share > params.untracked_share


def _sentence_on_untracked(rows: pd.DataFrame, bound: float | None) -> str:
    share = 100 * rows.untracked_share.median()
    return f"{len(rows)} {verb(rows, 'uses', 'use')} weights that no optimizer holds ({share:.0f}% of all weights)"


UNTRACKED_WEIGHTS = Cause(
    "untracked_weights",
    "fit",
    _has_untracked_weights,
    PINE,
    _sentence_on_untracked,
    lambda evidence: (
        f"The training step reads weights that neither the model nor its optimizer holds "
        f"({100 * number(evidence, 'untracked_share'):.0f}% of all weights), so they never change."
    ),
    means="the training step reads weights that Keras does not track, so no optimizer trains them",
    condition="`untracked_share` > `diagnosis.untracked_share`",
    looks_like="`model.summary()` has fewer parameters than you expect, and the loss stops falling early or never "
    "falls.",
    confused_with="`frozen`, where Keras tracks the weights and does not change them. Constant tables on purpose, such "
    "as random features in a `tf.Variable`, are a false alarm if the network did not learn.",
    advice=(
        Advice(
            "create weights by `self.add_weight(...)` in a layer's `__init__` or `build`: Keras 3 does not track a "
            "`tf.Variable`",
        ),
        Advice(
            "keep layers as attributes of the model, in lists or dictionaries at most, and look for all weights in "
            "`model.trainable_variables`",
        ),
    ),
    alarm=False,
)


# A penalty is a fault only if the data's loss did not fall: at the end of a good training it is most of the loss, too.
def _is_over_regularised(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    is_penalised = (evidence.penalty_share > params.penalty_share) | (evidence.weight_shrink < params.shrunk)
    is_penalised |= evidence.activity_share > params.activity_share
    is_noisy = (evidence.dropout_rate > params.dropped) | (evidence.output_dropout > 0)
    is_noisy |= evidence.train_fit - evidence.logged_fit > params.mode_gap
    return is_penalised | is_noisy


def _sentence_on_penalties(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} {verb(rows, 'is', 'are')} regularised too strongly"


def _says_penalties(evidence: Evidence) -> str:
    sentences = []
    if not is_below(evidence, "activity_share", SLIGHT) and evidence["activity_share"]:
        share = 100 * number(evidence, "activity_share")
        sentences.append(f"Penalties on the outputs of layers were up to {share:.0f}% of the training loss.")
    elif (evidence["penalty_share"] or 0) and not is_below(evidence, "penalty_share", SLIGHT):
        sentences.append(f"Penalties are {100 * number(evidence, 'penalty_share'):.0f}% of the training loss.")
    if evidence["dropout_rate"] is not None and number(evidence, "dropout_rate") > ORDINARY:
        sentences.append(f"Dropout leaves {100 * (1 - number(evidence, 'dropout_rate')):.2g}% of a layer's units.")
    if evidence["output_dropout"]:
        share = 100 * number(evidence, "output_dropout")
        sentences.append(f"Dropout sets {share:.2g}% of the model's outputs to 0 in training: remove it.")
    if is_below(evidence, "weight_shrink", ORDINARY):
        shrink = number(evidence, "weight_shrink")
        sentences.append(f"A hidden kernel has {shrink:.2g} times the L1 norm that it had before the first step.")
    if evidence["train_fit"] is not None and is_below(evidence, "logged_fit", number(evidence, "train_fit")):
        training, inference = (1 - number(evidence, name) for name in ("logged_fit", "train_fit"))
        sentences.append(
            f"On the same rows the loss is {100 * training:.0f}% of the baseline loss in training mode, with dropout "
            f"and noise, and {100 * inference:.0f}% in inference mode."
        )
    return " ".join(sentences)


OVER_REGULARISED = Cause(
    "over_regularised",
    "fit",
    _is_over_regularised,
    SEA,
    _sentence_on_penalties,
    _says_penalties,
    means="a penalty outweighs the loss and shrinks the kernels, or dropout leaves few units, or noise is so strong "
    "that the network fits far worse in training mode than in inference mode",
    condition="`penalty_share` > `diagnosis.penalty_share`, or `activity_share` > `diagnosis.activity_share`, or "
    "`weight_shrink` < `shrunk`, or `dropout_rate` > "
    "`dropped`, or `output_dropout` > 0, or `train_fit` - `logged_fit` > `mode_gap`",
    looks_like="A loss that falls at first, while the weights shrink, and then stays; or a training loss far above the "
    "validation loss.",
    confused_with="`too_few_epochs` and `vanishing`. A penalty that is most of the loss of a network that fits is no "
    "fault.",
    advice=(
        Advice(
            "a hundredth of the penalty's factor, or no penalty, until the network fits the training rows",
            "no_penalties",
        ),
        Advice("dropout of 0.1 to 0.5, only between hidden layers, never behind the output's `softmax`", "no_dropout"),
        Advice("a smaller `weight_decay` of the optimizer", "no_weight_decay"),
    ),
    alarm=False,
    limits=(Limit("penalty_share", "penalty_share"), Limit("weight_shrink", "shrunk", is_upper=False)),
    needs_misfit=True,
)


def has_rate_ended(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether the learning rate was nearly 0 long before the training ended."""
    return (evidence.rate_end < params.ended_rate) & (evidence.rate_ended_share > params.ended_share)


def _sentence_on_ended_rate(rows: pd.DataFrame, bound: float | None) -> str:
    share = 100 * rows.rate_ended_share.median()
    return f"{len(rows)} {verb(rows, 'has', 'have')} a learning rate near 0 for {share:.0f}% of the epochs"


LEARNING_RATE_ENDED = Cause(
    "learning_rate_ended",
    "optimisation",
    has_rate_ended,
    IRIS,
    _sentence_on_ended_rate,
    lambda evidence: (
        f"The last learning rate is {number(evidence, 'rate_end'):.2g} times the greatest, and for "
        f"{100 * number(evidence, 'rate_ended_share'):.0f}% of the epochs it was below 1% of the greatest."
    ),
    means="a schedule or a callback took the learning rate to nearly 0 long before the training ended",
    condition="`rate_end` < `ended_rate`, and `rate_ended_share` > `ended_share`",
    looks_like="A loss that falls in the first epochs and then is exactly flat.",
    confused_with="`learning_rate_too_small`, where the rate is small from the start. A schedule that ends a training "
    "on purpose is a false alarm if the network failed for another reason.",
    advice=(
        Advice(
            "count the schedule in steps, not in epochs: `decay_steps` is the number of epochs times the batches of an "
            "epoch",
            "stretched_schedule",
        ),
        Advice("a constant learning rate, to see whether the schedule is at fault", "constant_rate"),
        Advice("`ReduceLROnPlateau` with a longer `patience` and a `min_lr`"),
    ),
    alarm=False,
    limits=(Limit("rate_end", "ended_rate", is_upper=False),),
)


def is_stopped_early(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether a callback ended the training while the loss still fell, or after a patience of an epoch."""
    is_stopped = evidence.stopped_by_callback == 1
    is_early = evidence.epochs_run < params.stopped_share * evidence.epochs_asked
    still_falls = (evidence.loss_fall > params.slow_fall) | (evidence.stop_patience <= SHORT_PATIENCE)
    is_overfitted = evidence.train_gain - evidence.judged_gain > params.chance_margin  # then it was right to stop
    return is_stopped & is_early & (still_falls & ~is_overfitted | (evidence.stop_is_backwards == 1))


def _sentence_on_stopped(rows: pd.DataFrame, bound: float | None) -> str:
    epochs = rows.epochs_run.median()
    return f"{len(rows)} {verb(rows, 'was', 'were')} stopped by a callback (median: after {epochs:.0f} epochs)"


def says_stopped(evidence: Evidence) -> str:
    """Return a sentence on the callback that stopped the training."""
    run, asked = (number(evidence, name) for name in ("epochs_run", "epochs_asked"))
    patience = evidence["stop_patience"]
    ending = "" if patience is None else f" with a patience of {float(patience):.0f}"
    name = f"`{evidence['stopped_by']}`" if evidence.get("stopped_by") else "A callback"
    fault = ", because its `mode` takes better for worse" if evidence["stop_is_backwards"] else ""
    return f"{name}{ending} stopped the training after {run:.0f} of {asked:.0f} epochs{fault}."


STOPPED_EARLY = Cause(
    "stopped_early",
    "optimisation",
    is_stopped_early,
    SLATE,
    _sentence_on_stopped,
    says_stopped,
    means="another callback stopped the training in its first half, while the training loss still fell or after a "
    "patience of at most one epoch",
    condition="`stopped_by_callback` is 1, `epochs_run` < `stopped_share` * `epochs_asked`, and `loss_fall` > "
    "`slow_fall` or `stop_patience` <= 1, with `train_gain` - `judged_gain` not above `chance_margin`; or "
    "`stop_is_backwards` is 1",
    looks_like="A training that ends after a few of many epochs.",
    confused_with="`too_few_epochs`, where `fit` was asked for so few. Noise in the monitored number ends a training "
    "with a short patience; a network that cannot learn ends in the same way, so rules on layers come first.",
    advice=(
        Advice(
            "`mode='max'` for a number that should rise, such as an accuracy, and `mode='min'` for a loss",
            fits=lambda setting: setting.number("stop_is_backwards") == 1,
        ),
        Advice("a longer `patience` (10 epochs or more), with `restore_best_weights=True`", "patient_stopping"),
        Advice("`start_from_epoch` in `EarlyStopping`, so that the first epochs cannot end the training"),
        Advice("no `EarlyStopping`, to see whether it is at fault", "no_early_stopping"),
    ),
    alarm=False,
)
