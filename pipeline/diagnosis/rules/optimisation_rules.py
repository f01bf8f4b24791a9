"""Causes in the steps, which are too large, too small or too few."""

from typing import Final

import pandas as pd

from pipeline.diagnosis.palette import INDIGO, PALE_BLUE, SKY
from pipeline.diagnosis.rules.cause import Advice, Cause, Evidence, Limit, is_below, number, reference, verb
from pipeline.diagnosis.rules.label_rules import are_weights_extreme
from pipeline.diagnosis.rules.time_rules import vanishes_in_time
from pipeline.diagnosis.setting import Setting
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.remedies.recipe_changes import Against

STILL: Final = 1e-3  # the verdict mentions a smaller relative change of the kernels


# Kernels change in one epoch by many times their size, though the gradient before the first step was ordinary: with a
# large gradient the cause is `exploding`. Known false alarm: kernels that start far too small.
def _are_steps_too_large(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    is_ordinary = (evidence.first_gradient < params.large_gradient) & ~(evidence.half_weights == 1)
    return (evidence.first_change > params.large_change) & is_ordinary


def _sentence_on_large_steps(rows: pd.DataFrame, bound: float | None) -> str:
    change = _change_in_words(rows.first_change.median())
    return f"{len(rows)} took steps that are too large ({change} in the first epoch)"


def _change_in_words(change: float) -> str:
    return (
        "kernels became NaN or infinite"
        if change == float("inf")
        else f"a kernel changed by {change:.2g} times its size"
    )


def _says_large_steps(evidence: Evidence) -> str:
    change = _change_in_words(number(evidence, "first_change"))
    return f"In the first recorded epoch {change}: the steps are too large."


LEARNING_RATE_TOO_LARGE = Cause(
    "learning_rate_too_large",
    "optimisation",
    _are_steps_too_large,
    INDIGO,
    _sentence_on_large_steps,
    _says_large_steps,
    means="a kernel changed in one epoch by many times its size, though the first gradient was ordinary",
    condition="`first_change` > `large_change`, `first_gradient` < `large_gradient`, and `half_weights` is not 1",
    looks_like="The loss jumps in the first epoch; then layers are dead or saturated, or the loss is NaN.",
    confused_with="`exploding`, where the gradient is large before the first step. Kernels that start far too small "
    "are a false alarm.",
    remedies=(
        Against("smaller_steps", "smaller steps overshoot less"),
        Against("clipped_gradients", "no gradient has a norm above 1"),
    ),
    advice=(
        Advice(
            "a tenth or a hundredth of the learning rate (usual values: Adam 0.001, SGD 0.01)",
            "smaller_steps",
            "much_smaller_steps",
        ),
        Advice("gradients clipped by the optimizer's `global_clipnorm=1.0`", "clipped_gradients"),
        Advice("a learning rate that grows over the first epochs (warm-up)"),
    ),
    alarm=False,
    limits=(Limit("first_change", "large_change"),),
)


# Either the loss is on a plateau: it is no better than the baseline loss and falls slowly, but by more than noise and
# nearly as fast as before, so larger steps would leave the plateau sooner. (A loss that nears its floor falls less and
# less.) That is no evidence where the gradient of a recurrent layer does not reach the steps that matter: steps ten or
# thirty times larger helped none of four LSTMs on 200 steps. Or the weights hardly change though the gradient is
# ordinary, because the learning rate is tiny, or because an `epsilon` or a clip makes the steps tiny.
def _are_steps_too_small(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    fell, fell_before = evidence.loss_fall > params.plateau_fall, evidence.fall_before > params.plateau_fall
    is_slow = fell & fell_before & (evidence.loss_fall <= params.slow_fall)
    is_steady = evidence.loss_fall >= params.steady_fall * evidence.fall_before
    is_plateau = is_slow & is_steady & ~vanishes_in_time(evidence, params)
    has_gradient = (evidence.first_gradient > params.vanishing_scale) & ~(evidence.step_ratio < params.lost_scale)
    is_still = (evidence.first_change > 0) & (evidence.first_change < params.tiny_change) & has_gradient
    is_still &= ~(evidence.loss_fall > params.slow_fall)
    return (is_plateau | is_still) & (evidence.train_fit < params.fitted)


def _sentence_on_small_steps(rows: pd.DataFrame, bound: float | None) -> str:
    fall = rows.loss_fall.median()
    how_much = "" if pd.isna(fall) else f" (the loss fell by {100 * fall:.2g}% at the end)"
    return f"{len(rows)} {verb(rows, 'creeps', 'creep')} along a plateau{how_much}"


def _says_small_steps(evidence: Evidence) -> str:
    if is_below(evidence, "first_change", STILL):
        return (
            f"In the first recorded epoch every kernel changed by at most {number(evidence, 'first_change'):.1g} "
            "times its size, though the first gradient was ordinary: the steps are too small."
        )
    return (
        f"The loss is {1 - number(evidence, 'train_fit'):.3g} times {reference(evidence)} and fell by only "
        f"{100 * number(evidence, 'loss_fall'):.2g}% over the last epochs: larger steps may leave this plateau."
    )


LEARNING_RATE_TOO_SMALL = Cause(
    "learning_rate_too_small",
    "optimisation",
    _are_steps_too_small,
    PALE_BLUE,
    _sentence_on_small_steps,
    _says_small_steps,
    means="the loss is no better than the baseline loss, and falls slowly and steadily, by more than noise; or the "
    "weights hardly change, though the gradient is ordinary",
    condition="`train_fit` < `fitted`; `loss_fall` between `plateau_fall` and `slow_fall`, and at least "
    "`steady_fall` times `fall_before`, unless `vanishing_in_time` holds; or `first_change` between 0 and "
    "`tiny_change`, `loss_fall` not above `slow_fall`, and `first_gradient` > `vanishing_scale`",
    looks_like="A plateau at the baseline loss.",
    confused_with="`vanishing`, where layers get no gradient, and `unexplained`, where the loss is flat.",
    remedies=(
        Against("larger_steps", "ten times larger steps leave a plateau ten times sooner"),
        Against("adam", "larger steps if gradients are small"),
        Against("longer", "the loss still falls at the end"),
    ),
    advice=(
        Advice("a learning rate ten or a hundred times larger", "larger_steps", "much_larger_steps"),
        Advice("Adam, or momentum 0.9", "adam"),
        Advice(
            "the optimizer's defaults for `epsilon`, `clipnorm` and `clipvalue`: they may make every step tiny",
            fits=lambda setting: (setting.number("first_change") or 1) < STILL,
        ),
        Advice("more epochs", "longer"),
    ),
    alarm=False,
    is_tentative=True,
)


def _still_falls(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return (evidence.loss_fall > params.slow_fall) & ~are_weights_extreme(evidence, params)


def _sentence_on_few_epochs(rows: pd.DataFrame, bound: float | None) -> str:
    fall = 100 * rows.loss_fall.median()
    return f"{len(rows)} had too few epochs (the loss still fell by {fall:.1f}% at the end)"


def _says_few_epochs(evidence: Evidence) -> str:
    return f"The loss still fell by {100 * number(evidence, 'loss_fall'):.1f}% over the last epochs."


TOO_FEW_EPOCHS = Cause(
    "too_few_epochs",
    "optimisation",
    _still_falls,
    SKY,
    _sentence_on_few_epochs,
    _says_few_epochs,
    means="no earlier rule holds, and the loss still falls over the last epochs, by more than noise; with twelve "
    "epochs or fewer, in every epoch",
    condition="`loss_fall` > `slow_fall`, and class weights are not extreme, as in `imbalanced`",
    looks_like="A loss that still falls at the end.",
    confused_with="`learning_rate_too_small`, where the loss falls along a plateau.",
    remedies=(
        Against("longer", "the loss still falls at the end"),
        Against("adam", "larger steps if gradients are small"),
    ),
    advice=(
        Advice("more epochs", "longer"),
        Advice("Adam, or a learning rate ten times larger", "adam", "larger_steps"),
        Advice("scaled inputs", "scaled_inputs", fits=Setting.has_numbers),
    ),
    alarm=False,  # a loss that still falls is no fault
    limits=(Limit("loss_fall", "slow_fall"),),
)
