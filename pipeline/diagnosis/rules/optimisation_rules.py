"""Causes that lie in the steps: too large, too small, or too few; and what remains where no cause is seen."""

import pandas as pd

from pipeline.diagnosis.rules.cause import Cause, Evidence, Try, reference, verb
from pipeline.foundations.colours import GREY, INDIGO, PALE_BLUE, SKY
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.variant_params import VariantParams
from pipeline.remedies import recipe_remedies
from pipeline.remedies.recipe_remedies import Remedies

SMITH = "Smith 2017, arXiv 1506.01186"


# Kernels that change in an epoch by many times their size, though the gradient before the first step was ordinary: with
# a large one the signals themselves explode. Known false alarm: kernels that start far too small.
def _steps_are_too_large(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return (evidence.first_change > params.large_change) & (evidence.first_gradient < params.large_gradient)


def _say_too_large(rows: pd.DataFrame, bound: float | None) -> str:
    change = rows.first_change.median()
    return f"{len(rows)} {verb(rows, 'took', 'took')} steps that are too large ({_times(change)} in the first epoch)"


def _times(change: float) -> str:
    return "kernels no longer finite" if change == float("inf") else f"a kernel changed by {change:.2g} times its size"


def _one_too_large(found: Evidence) -> str:
    return f"In the first recorded epoch: {_times(found['first_change'])}. Steps of that size overshoot."


def _against_large_steps(recipe: VariantParams, epochs: int) -> Remedies:
    return (
        recipe_remedies.smaller_steps(recipe, "smaller steps overshoot less", SMITH),
        recipe_remedies.clipped(recipe, "no gradient is longer than 1"),
    )


LEARNING_RATE_TOO_LARGE = Cause(
    "learning_rate_too_large",
    _steps_are_too_large,
    INDIGO,
    _say_too_large,
    _against_large_steps,
    instead="steps are too large for it to lead anywhere",
    family="optimisation",
    says=_one_too_large,
    tries=(
        Try(
            "a tenth or a hundredth of the learning rate (Adam: 0.001, SGD: 0.01)",
            "smaller_steps",
            "much_smaller_steps",
        ),
        Try("gradients clipped by the optimizer's `global_clipnorm=1.0`", "clipped_gradients"),
        Try("a learning rate that warms up"),
    ),
    alarm=False,
)


# A plateau: no better than a constant guess, and the loss falls, slowly, beyond its noise and hardly slower than
# before, so larger steps would leave it sooner. One that nears a floor falls less and less.
def _steps_are_too_small(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    lately, before = evidence.loss_fall > params.plateau_fall, evidence.fall_before > params.plateau_fall
    falls = lately & before & (evidence.loss_fall <= params.slow_fall)
    steadily = evidence.loss_fall >= params.steady_fall * evidence.fall_before
    return falls & steadily & (evidence.train_fit < params.fitted)


def _say_too_small(rows: pd.DataFrame, bound: float | None) -> str:
    fall = 100 * rows.loss_fall.median()
    return f"{len(rows)} {verb(rows, 'creeps', 'creep')} along a plateau (loss falling by {fall:.2g}% at the end)"


def _against_small_steps(recipe: VariantParams, epochs: int) -> Remedies:
    return (
        recipe_remedies.larger_steps(recipe, "a plateau is left ten times sooner", SMITH),
        recipe_remedies.adam("longer steps where gradients are small"),
        recipe_remedies.longer(epochs, "its loss still falls at the end"),
    )


LEARNING_RATE_TOO_SMALL = Cause(
    "learning_rate_too_small",
    _steps_are_too_small,
    PALE_BLUE,
    _say_too_small,
    _against_small_steps,
    instead="the loss falls steadily, and the steps are small",
    family="optimisation",
    says=lambda found: (
        f"The loss is {1 - found['train_fit']:.3g} times {reference(found)} and still falls, by "
        f"{100 * found['loss_fall']:.2g}% over the last epochs: a plateau that larger steps may leave."
    ),
    tries=(
        Try("a ten or a hundred times larger learning rate", "larger_steps", "much_larger_steps"),
        Try("Adam, or momentum 0.9", "adam"),
        Try("more epochs", "longer"),
    ),
    alarm=False,
)


def _still_falls(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.loss_fall > params.slow_fall


def _say_too_few(rows: pd.DataFrame, bound: float | None) -> str:
    fall = 100 * rows.loss_fall.median()
    return (
        f"{len(rows)} {verb(rows, 'was', 'were')} given too few epochs (loss still falling by {fall:.1f}% at the end)"
    )


def _against_too_few(recipe: VariantParams, epochs: int) -> Remedies:
    return (
        recipe_remedies.longer(epochs, "its loss still falls at the end"),
        recipe_remedies.adam("longer steps where gradients are small"),
    )


TOO_FEW_EPOCHS = Cause(
    "too_few_epochs",
    _still_falls,
    SKY,
    _say_too_few,
    _against_too_few,
    instead="the loss still falls",
    family="optimisation",
    says=lambda found: f"The loss still falls at the end, by {100 * found['loss_fall']:.1f}% over the last epochs.",
    tries=(
        Try("more epochs", "longer"),
        Try("Adam, or a ten times larger learning rate", "adam", "larger_steps"),
        Try("scaled inputs", "scaled_inputs", fits=lambda setting: setting.has_numbers),
    ),
    alarm=False,  # a loss that still falls is nothing wrong in itself
)


def _always(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return pd.Series(data=True, index=evidence.index)


def _say_stuck(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} {verb(rows, 'is', 'are')} stuck (no rule says why)"


def _one_stuck(found: Evidence) -> str:
    """What was ruled out: of each number that was measured a sentence."""
    said = ["No rule explains this."]
    scale, taken = found["gradient_scale"], found["taken_gradient"]
    if taken == 0:
        said.append("The gradients that the optimizer got were exactly 0 in every recorded epoch.")
    elif scale is not None:
        said.append(f"Gradients arrive: the largest hidden one is {scale:.1g} of {reference(found)}.")
    if found["born_dead"] is not None and found["dead_layer"] is None:
        said.append("No layer whose activation was measured is dead.")
    if found["saturated_share"] is not None:
        said.append(f"At most {100 * found['saturated_share']:.0f}% of a layer's outputs were saturated.")
    if found["loss_fall"] is not None:
        fall = 100 * found["loss_fall"]
        course = f"falls by {fall:.2g}%" if fall > 0 else f"rises by {-fall:.2g}%" if fall < 0 else "does not fall"
        said.append(f"The training loss {course} over the last epochs.")
    return " ".join(said)


def _against_being_stuck(recipe: VariantParams, epochs: int) -> Remedies:
    return (
        recipe_remedies.wider(recipe, "more ways out, and more to represent", "Hanin 2018, arXiv 1801.03744"),
        recipe_remedies.adam("leaves plateaus sooner"),
        recipe_remedies.rectified("another surface of the loss", "He et al. 2015"),
        recipe_remedies.pretrained("autoencoder", "starts from features of the inputs"),
    )


STUCK = Cause(
    "stuck",
    _always,
    GREY,
    _say_stuck,
    _against_being_stuck,
    instead="no rule explains these failures",
    family="rest",
    says=_one_stuck,
    tries=(
        Try("whether labels belong to their rows, and whether 32 rows can be learned by heart"),
        Try("another learning rate, Adam", "smaller_steps", "larger_steps", "adam"),
        Try("more or wider layers", "wider_layers"),
        Try(
            "an activation such as `relu` in the hidden layers: without one, all layers together are a linear one",
            "rectified_units",
            fits=lambda setting: setting.is_feedforward,
        ),
    ),
    alarm=False,
)
