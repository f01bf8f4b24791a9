"""Causes in the rows that `fit` gets: outliers, validation rows unlike the training rows, order, padding, no signal."""

from typing import Final

import pandas as pd

from pipeline.diagnosis.constants import FEW_LONG_ROWS, NO_SPREAD
from pipeline.diagnosis.palette import AQUA, CREAM, MINT, PLUM, TEAL, UMBER
from pipeline.diagnosis.rules.cause import Advice, Cause, Evidence, Limit, is_below, number, verb
from pipeline.diagnosis.rules.label_rules import fits_training_rows_alone, follow_surely
from pipeline.params.diagnosis_params import DiagnosisParams

SLIGHT_SPREAD: Final = 0.3  # decades; the verdict does not mention a smaller difference of spread
SLIGHT_SHIFT: Final = 1  # standard deviations; the verdict does not mention a smaller difference of means


def _has_outlier_rows(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return (evidence.largest_row > params.outlier_norm) & (evidence.long_rows < FEW_LONG_ROWS)


def _sentence_on_outliers(rows: pd.DataFrame, bound: float | None) -> str:
    times = rows.largest_row.median()
    return f"{len(rows)} {verb(rows, 'has', 'have')} a training row with {times:,.0f} times the median norm"


OUTLIER_ROWS = Cause(
    "outlier_rows",
    "data",
    _has_outlier_rows,
    CREAM,
    _sentence_on_outliers,
    lambda evidence: (
        f"The largest L2 norm of a training row is {number(evidence, 'largest_row'):,.0f} times the median row's norm."
    ),
    means="a few training rows have a far larger norm than a typical row",
    condition="`largest_row` > `outlier_norm`, and `long_rows` < 0.02",
    looks_like="Batch normalisation whose inference mode fails, a loss that jumps at one batch, or inputs near 0 after "
    "scaling.",
    confused_with="`unscaled_inputs`, where all rows have the wrong scale, or columns have long tails, as incomes "
    "have.",
    advice=(
        Advice(
            "look at the rows of largest norm (`numpy.linalg.norm(x, axis=1)`), and correct or drop them",
            "no_long_rows",
        ),
        Advice("clip each column, for example at its 1% and 99% quantiles, before scaling", "clipped_columns"),
        Advice("take the logarithm of columns that span several powers of ten"),
        Advice("`LayerNormalization` instead of batch normalisation, whose averages one row can spoil"),
    ),
    alarm=False,
    at_start=True,
    limits=(Limit("largest_row", "outlier_norm"),),
    needs_misfit=True,
)


def are_validation_rows_unlike(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether the validation rows have other classes, another scale or other means than the training rows."""
    return (
        (evidence.validation_new_classes > params.new_classes)
        | evidence.validation_spread.abs().between(params.shifted_decades, NO_SPREAD, inclusive="neither")
        | (evidence.validation_shift > params.shifted_means)
    )


def are_validation_rows_shifted(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether the validation rows differ in distribution and are predicted worse than the training rows."""
    is_worse = evidence.train_gain - evidence.judged_gain > params.chance_margin
    is_worse |= evidence.train_fit - evidence.judged_fit > params.mode_gap
    return are_validation_rows_unlike(evidence, params) & is_worse


def _has_shifted_validation(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    is_fitted = (evidence.train_learned == 1) | (evidence.train_fit > params.harmless_fit)
    is_fitted |= evidence.logged_gap > params.mode_gap  # the given rows may hold validation rows, and fit's rows fit
    # The targets follow from the inputs and are learned, but neither the network nor a quick model predicts other rows.
    is_other = fits_training_rows_alone(evidence, params) & follow_surely(evidence, params)
    is_other &= ~(evidence.fed_told < params.shuffled) & ~(evidence.reference_gain > params.chance_margin)
    is_other &= ~(evidence.shuffles_state == 1)
    return is_fitted & are_validation_rows_shifted(evidence, params) | is_other


def _sentence_on_validation(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} {verb(rows, 'is', 'are')} judged on rows unlike the training rows"


def says_validation(evidence: Evidence) -> str:
    """Return sentences on the differences between validation and training rows."""
    sentences = []
    if evidence["validation_new_classes"]:
        share = 100 * number(evidence, "validation_new_classes")
        sentences.append(f"{share:.0f}% of the validation rows have a class that no training row has.")
    if evidence["validation_spread"] is not None and abs(number(evidence, "validation_spread")) > SLIGHT_SPREAD:
        factor = 10 ** number(evidence, "validation_spread")
        sentences.append(f"A typical column varies {factor:.2g} times as much in the validation rows.")
    if evidence["validation_shift"] is not None and not is_below(evidence, "validation_shift", SLIGHT_SHIFT):
        shift = number(evidence, "validation_shift")
        sentences.append(f"The column means of validation and training rows differ by {shift:.2g} standard deviations.")
    if not sentences:
        sentences.append(
            "The targets of the training rows follow from their inputs and are fitted, but validation rows are "
            "predicted no better than by chance: their inputs are prepared in another way, or their labels are others."
        )
    return " ".join(sentences)


SHIFTED_VALIDATION = Cause(
    "shifted_validation",
    "inference",
    _has_shifted_validation,
    PLUM,
    _sentence_on_validation,
    says_validation,
    means="the network fits the training rows, and the validation rows have other classes, another scale or other "
    "means",
    condition="`validation_new_classes` > `new_classes`, or |`validation_spread`| > `shifted_decades`, or "
    "`validation_shift` > `shifted_means`; and `train_learned` is 1 or `train_fit` > `harmless_fit` "
    "or `logged_gap` > `mode_gap`; and `train_gain` - `judged_gain` > `chance_margin` or `train_fit` - `judged_fit` > "
    "`mode_gap`. Or the training rows are fitted, `judged_fit` <= 0, `judged_gain` and `reference_gain` <= "
    "`chance_margin`, though `targets_told` > 2 * `shuffled`",
    looks_like="A training score that rises while the validation score stays at chance or falls from the first epoch "
    "on.",
    confused_with="`overfitting`, where both parts are from the same source. A time series with a trend has "
    "shifted validation rows by nature.",
    advice=(
        Advice(
            "scale validation rows by the mean and standard deviation of the training rows, in the same code",
            fits=lambda setting: not setting.number("validation_new_classes"),
        ),
        Advice(
            "shuffle the rows before you split them: `validation_split` takes the last rows, which may be sorted",
            "shuffled_split",
        ),
        Advice(
            "a split by class, such as `train_test_split(..., stratify=y)`",
            fits=lambda setting: bool(setting.number("validation_new_classes")),
        ),
    ),
    alarm=False,
    limits=(
        Limit("validation_shift", "shifted_means"),
        Limit("validation_spread", "shifted_decades"),
        Limit("validation_new_classes", "new_classes"),
    ),
)


def _are_batches_ordered(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    is_harmed = ~(evidence.train_fit > params.harmless_fit) | (evidence.logged_gap > params.mode_gap)
    return (evidence.batch_order > params.ordered_share) & is_harmed


def _sentence_on_order(rows: pd.DataFrame, bound: float | None) -> str:
    share = 100 * rows.batch_order.median()
    has = verb(rows, "has", "have")
    return f"{len(rows)} {has} ordered batches ({share:.0f}% of the targets' variance lies between batches)"


def says_order(evidence: Evidence) -> str:
    """Return a sentence on how alike the targets within a batch are."""
    return (
        f"{100 * number(evidence, 'batch_order'):.0f}% of the variance of the targets lies between batches (0% if rows "
        "are shuffled, 100% if each batch has one target value)."
    )


ORDERED_BATCHES = Cause(
    "ordered_batches",
    "fit",
    _are_batches_ordered,
    TEAL,
    _sentence_on_order,
    says_order,
    means="the rows are fed in the order of their targets, so that each batch teaches one value and the next batch "
    "another",
    condition="`batch_order` > `ordered_share`; and `train_fit` not above `harmless_fit`, or `logged_gap` > `mode_gap`",
    looks_like="A logged training loss that is low, while the same rows are predicted badly after the epoch.",
    confused_with="`batch_statistics`, where the two losses differ, too, though rows are shuffled. Slow time series "
    "that are fed in order are a false alarm if the network failed for another reason.",
    advice=(
        Advice("`shuffle=True` in `fit` (the default for arrays)", "shuffled_rows"),
        Advice("`dataset.shuffle(number of rows)` before `batch`, or shuffled rows in the generator", "shuffled_rows"),
    ),
    alarm=False,
    limits=(Limit("batch_order", "ordered_share"),),
)


def _is_padding_unmasked(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    is_padded = evidence.padding_share > params.padding_share
    return is_padded & (evidence.masks_padding == 0) & (evidence.is_recurrent == 1)


def _sentence_on_padding(rows: pd.DataFrame, bound: float | None) -> str:
    share = 100 * rows.padding_share.median()
    return f"{len(rows)} {verb(rows, 'reads', 'read')} padding without a mask ({share:.0f}% of the steps)"


UNMASKED_PADDING = Cause(
    "unmasked_padding",
    "fit",
    _is_padding_unmasked,
    AQUA,
    _sentence_on_padding,
    lambda evidence: (
        f"{100 * number(evidence, 'padding_share'):.0f}% of the steps are padding at the end of the rows. Without a "
        "mask, the recurrent layers read the padding and forget the steps before it."
    ),
    means="most steps of a sequence are padding at its end, and the recurrent layers read them",
    condition="`padding_share` > `diagnosis.padding_share`, `masks_padding` is 0, and `is_recurrent` is 1",
    looks_like="A recurrent network that stays at the baseline, but learns from short sequences.",
    confused_with="`vanishing`, its symptom: a gradient must pass all steps of padding.",
    advice=(
        Advice("`mask_zero=True` in the `Embedding`, or a `Masking` layer as the first layer", "masked_padding"),
        Advice("shorter rows, or padding in front: `pad_sequences(..., padding='pre')`", "padding_in_front"),
    ),
    alarm=False,
    limits=(Limit("padding_share", "padding_share"),),
    needs_misfit=True,
)


def _is_state_shuffled(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.shuffles_state == 1


def _sentence_on_state(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} {verb(rows, 'keeps', 'keep')} states between batches that are shuffled"


SHUFFLED_STATE = Cause(
    "shuffled_state",
    "fit",
    _is_state_shuffled,
    MINT,
    _sentence_on_state,
    lambda evidence: (
        "A recurrent layer with `stateful=True` starts row i of a batch from the final state of row i in the batch "
        "before, but `fit` shuffles the rows, so this state belongs to another sequence."
    ),
    means="a stateful recurrent layer is trained on rows that `fit` shuffles, so its states belong to other sequences",
    condition="`shuffles_state` is 1",
    looks_like="A recurrent network that learns less with states than without.",
    confused_with="`ordered_batches`, the opposite fault of networks without states.",
    advice=(
        Advice(
            "`shuffle=False` in `fit`, with row i of each batch continuing row i of the batch before", "rows_in_order"
        ),
        Advice("`stateful=False`, if rows are sequences of their own", "stateless_layers"),
    ),
    alarm=False,
)


# Weak quick models prove nothing about pictures or sequences, so `reference_gain` exists only for columns.
def _has_no_signal(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    is_finite = evidence.nonfinite_epoch.isna() & ~(evidence.loss_growth > params.explosion_growth)
    is_at_chance = (evidence.reference_gain <= params.chance_margin) & (evidence.judged_gain <= params.chance_margin)
    return is_finite & is_at_chance & ~(evidence.targets_told >= params.shuffled)


def _sentence_on_signal(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} {verb(rows, 'has', 'have')} inputs that may not predict the targets"


NO_SIGNAL = Cause(
    "no_signal",
    "data",
    _has_no_signal,
    UMBER,
    _sentence_on_signal,
    lambda evidence: (
        f"Quick models reach {100 * number(evidence, 'reference_gain'):.0f}% and this network "
        f"{100 * number(evidence, 'judged_gain'):.0f}% of the possible improvement over chance on held-out rows: these "
        "columns may not predict the targets."
    ),
    means="nothing predicts the held-out rows: neither this network, nor a linear model, nor a forest of trees; "
    "similar rows have no similar targets, and no other rule holds",
    condition="`reference_gain` and `judged_gain` <= `chance_margin`, `targets_told` below `shuffled` or unknown, and "
    "all losses finite; only for inputs that are columns",
    looks_like="Every model predicts the mean or the majority class.",
    confused_with="`unrelated_labels`, where the rows may have lost their labels. A parity of many columns, which no "
    "quick model learns, is a false alarm.",
    advice=(
        Advice("check by hand, for a few rows, whether an expert could tell the target from these columns"),
        Advice("more informative columns, or targets that are easier to predict"),
        Advice("more rows, if a weak signal is enough"),
    ),
    alarm=False,
    is_tentative=True,
)
