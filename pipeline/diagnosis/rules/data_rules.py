"""Causes in the numbers of the data: NaN or infinite, or of a wrong scale."""

from typing import Final

import pandas as pd

from pipeline.diagnosis.constants import SMALL_INPUTS_POWER, WIDE_COLUMN
from pipeline.diagnosis.palette import BROWN, DARK_BROWN, RUST
from pipeline.diagnosis.rules.cause import Advice, Cause, Evidence, Limit, is_below, is_misfit, join, number, verb
from pipeline.diagnosis.setting import Setting
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.remedies.recipe_changes import Against

NOTHING: Final = 1e-6  # a spread of the signal below it is rounding


def _has_nonfinite_rows(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.nonfinite_share > 0


def _sentence_on_nonfinite(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} {verb(rows, 'was', 'were')} trained on NaN or infinite numbers"


def _says_nonfinite(evidence: Evidence) -> str:
    return f"{100 * number(evidence, 'nonfinite_share'):.2g}% of the rows hold a number that is NaN or infinite."


NON_FINITE_DATA = Cause(
    "non_finite_data",
    "data",
    _has_nonfinite_rows,
    DARK_BROWN,
    _sentence_on_nonfinite,
    _says_nonfinite,
    means="an input or a target of a training row is NaN or infinite; all rows are checked",
    condition="`nonfinite_share` > 0",
    looks_like="The loss is NaN from the first epoch on, at any learning rate.",
    confused_with="`exploding`, which has the same loss curve.",
    advice=(
        Advice(
            "drop rows with NaN or infinite values (`numpy.isfinite` finds them), or replace these values",
            "finite_rows",
        ),
        Advice("look for a division by 0 or a logarithm of 0 in the code that computes the columns"),
    ),
    reads=("nonfinite_share",),
)


# If all inputs have one scale, the loss has a similar curvature in all directions (LeCun et al. 1998). Known false
# alarms: counts and pixels up to some hundred, with Adam; so a scale is a cause only if nothing was learned.
def _are_inputs_unscaled(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    is_large = evidence.input_scale > params.unscaled
    is_small = evidence.input_scale < 1 / params.unscaled**SMALL_INPUTS_POWER
    is_lost = (evidence.entering_spread < NOTHING) & (evidence.input_scale.isna() | ~is_large)
    return is_large | is_small | is_lost | (evidence.input_decades > params.unscaled_decades)


def _sentence_on_inputs(rows: pd.DataFrame, bound: float | None) -> str:
    scale, decades = rows.input_scale.median(), rows.input_decades.median()
    numbers = join(
        [
            "" if pd.isna(scale) else f"RMS {scale:.2g}; should be near 1",
            "" if pd.isna(decades) else f"one column varies {10**decades:.2g} times as much as a typical one",
        ]
    )
    return f"{len(rows)} {verb(rows, 'has', 'have')} unscaled inputs (median: {numbers})"


def _says_inputs(evidence: Evidence) -> str:
    sentences = []
    if is_below(evidence, "entering_spread", NOTHING):
        sentences.append("The rows of the inputs differ, but all are the same where they enter the first kernel.")
    elif evidence["input_scale"] is not None:
        scale = number(evidence, "input_scale")
        size = "large" if scale > 1 else "small"
        sentences.append(f"The inputs of the first kernel are {size} (RMS {scale:.2g}; should be near 1).")
    if evidence["input_decades"] is not None:
        factor = 10 ** number(evidence, "input_decades")
        sentences.append(f"One input column varies {factor:.2g} times as much as a typical one.")
    return " ".join(sentences)


def _is_signal_lost(setting: Setting) -> bool:
    spread = setting.number("entering_spread")
    return spread is not None and spread < NOTHING


def _is_near_0(setting: Setting) -> bool:
    scale = setting.number("input_scale")
    return scale is not None and scale < 1 and not _spans_decades(setting)


def _spans_decades(setting: Setting) -> bool:
    """Return whether one input column varies over ten times as much as a typical column."""
    return (
        not setting.has_pictures() and (setting.number("input_decades") or 0) > WIDE_COLUMN
    )  # pictures have no columns


UNSCALED_INPUTS = Cause(
    "unscaled_inputs",
    "data",
    _are_inputs_unscaled,
    BROWN,
    _sentence_on_inputs,
    _says_inputs,
    means="the RMS of the first kernel's inputs is far from 1, or one column varies far more than the others, or all "
    "rows are the same where they enter the first kernel",
    measured="Measured after layers such as `Rescaling` and `Normalization`; scales are not measured if the first "
    "layer is an embedding or batch normalisation.",
    condition="`input_scale` > `unscaled` or < 1 / `unscaled`², or `input_decades` > `unscaled_decades`, or "
    "`entering_spread` < 1e-6",
    looks_like="A loss that jumps, units that die or saturate in the first steps, or slow progress with plain SGD.",
    confused_with="`learning_rate_too_large`. Adam often learns from counts up to some hundred, so this is a cause "
    "only if nothing was learned, and never an alarm.",
    remedies=(
        Against("scaled_inputs", "all inputs have one scale"),
        Against("batch_normalization", "each layer's signals are brought back to one scale"),
    ),
    advice=(
        Advice(
            "look at what is done to the inputs before the first kernel: a normalisation over an axis of one feature, "
            "or a cast to whole numbers, gives 0 everywhere",
            fits=_is_signal_lost,
        ),
        Advice("scale only once: pixels that are divided by 255 twice, for example, are near 0", fits=_is_near_0),
        Advice(
            "divide pixels by 255: `keras.layers.Rescaling(1 / 255)` as the first layer",
            fits=lambda setting: setting.has_pictures() and not _is_near_0(setting),
        ),
        Advice(
            "scale inputs to mean 0 and standard deviation 1: a `Normalization` layer first, adapted to the data",
            "scaled_inputs",
        ),
        Advice("take the logarithm of columns that span several powers of ten", fits=_spans_decades),
    ),
    alarm=False,
    at_start=True,
    needs_misfit=True,
    limits=(Limit("input_scale", "unscaled"), Limit("input_decades", "unscaled_decades")),
)


# With a squared error, the first gradients grow in proportion to the targets. Of several outputs, the one with large
# targets outweighs the others, which fail though the sum of the losses falls.
def _are_targets_unscaled(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    harms = is_misfit(evidence, params) | evidence.idle_outputs.notna()
    return (evidence.target_scale > params.unscaled) & harms


def _sentence_on_targets(rows: pd.DataFrame, bound: float | None) -> str:
    scale = rows.target_scale.median()
    return f"{len(rows)} {verb(rows, 'has', 'have')} unscaled targets (median RMS {scale:.2g}; should be near 1)"


def _says_targets(evidence: Evidence) -> str:
    return f"The targets are large (RMS {number(evidence, 'target_scale'):.2g}; should be near 1)."


UNSCALED_TARGETS = Cause(
    "unscaled_targets",
    "data",
    _are_targets_unscaled,
    RUST,
    _sentence_on_targets,
    _says_targets,
    means="the RMS of a regression's targets is far above 1; of several outputs, the largest targets count, because "
    "their loss outweighs the others",
    condition="`target_scale` > `unscaled`; and `train_fit` is not above `harmless_fit`, or there are several outputs",
    looks_like="A regression whose loss is huge, becomes NaN in the first steps, or never comes near 0.",
    confused_with="`exploding`, its symptom.",
    remedies=(Against("scaled_targets", "the first errors are near 1"),),
    advice=(
        Advice("scale targets to mean 0 and standard deviation 1, and scale predictions back", "scaled_targets"),
        Advice("take the logarithm of targets that span several powers of ten, such as prices"),
        Advice(
            "a smaller learning rate, with gradients clipped (`global_clipnorm=1.0`)",
            "smaller_steps",
            "clipped_gradients",
        ),
    ),
    alarm=False,
    at_start=True,
    limits=(Limit("target_scale", "unscaled"),),
)
