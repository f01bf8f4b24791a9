"""Causes that lie in the data: numbers that are none, scales, classes, and labels that do not belong to their rows."""

import pandas as pd

from pipeline.diagnosis.rules.cause import Cause, Evidence, Try, joined, no_parameter, verb
from pipeline.diagnosis.setting import Setting
from pipeline.foundations.colours import BROWN, DARK_BROWN, OCHRE, RUST, SAND
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.variant_params import VariantParams
from pipeline.remedies import recipe_remedies
from pipeline.remedies.recipe_remedies import Remedies, Remedy

LECUN = "LeCun et al. 1998, Efficient BackProp"


def _is_broken(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.nonfinite_share > 0


def _say_broken(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} {verb(rows, 'was', 'were')} given numbers that are not finite"


def _one_broken(found: Evidence) -> str:
    return f"{100 * found['nonfinite_share']:.2g}% of the rows hold a number that is infinite or none."


NON_FINITE_DATA = Cause(
    "non_finite_data",
    _is_broken,
    DARK_BROWN,
    _say_broken,
    no_parameter,
    instead="the data hold numbers that are none",
    family="data",
    says=_one_broken,
    reads=("nonfinite_share",),
    tries=(
        Try(
            "rows with missing or infinite values dropped, or the values filled in (`numpy.isfinite` finds them)",
            "finite_rows",
        ),
        Try("what computes the columns: a division by 0, or a logarithm of 0"),
    ),
)


# Inputs of one size keep the loss's curvature alike in all directions (LeCun et al. 1998). Known false alarms: counts
# and pixels up to some hundred, which Adam copes with; that is why a scale is a cause only where nothing was learned.
def _inputs_are_unscaled(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    large, small = evidence.input_scale > params.unscaled, evidence.input_scale < 1 / params.unscaled**2
    return large | small | (evidence.input_decades > params.unscaled_decades)


def _say_inputs(rows: pd.DataFrame, bound: float | None) -> str:
    scale, decades = rows.input_scale.median(), rows.input_decades.median()
    numbers = joined(
        [
            "" if pd.isna(scale) else f"root mean square {scale:.2g}",
            "" if pd.isna(decades) else f"the widest column {decades:.1f} decades above others",
        ]
    )
    return f"{len(rows)} {verb(rows, 'was', 'were')} given inputs that are not scaled ({numbers})"


def _one_of_inputs(found: Evidence) -> str:
    scale, decades = found["input_scale"], found["input_decades"]
    said = []
    if scale is not None:
        said.append(f"What enters the first kernel has a root mean square of {scale:.2g}; it should be near 1.")
    if decades is not None:
        said.append(f"Its widest column varies {10**decades:.2g} times as much as the median one.")
    return " ".join(said)


def _against_unscaled(recipe: VariantParams, epochs: int) -> Remedies:
    return (
        Remedy({"split.scale.inputs": "standard"}, "all inputs are of one size", LECUN),
        recipe_remedies.normalised("each layer's signals are brought back to one scale"),
    )


def _is_near_0(setting: Setting) -> bool:
    scale = setting.number("input_scale")
    return scale is not None and scale < 1 and not _spans_decades(setting)


def _spans_decades(setting: Setting) -> bool:
    """Whether one column is ten times wider than a typical one; pictures have no such columns."""
    return not setting.has_pictures and (setting.number("input_decades") or 0) > 1


UNSCALED_INPUTS = Cause(
    "unscaled_inputs",
    _inputs_are_unscaled,
    BROWN,
    _say_inputs,
    _against_unscaled,
    instead="the inputs are far from one scale",
    family="data",
    says=_one_of_inputs,
    tries=(
        Try("one scaling less: pixels that are divided by 255 twice, for example, are near 0", fits=_is_near_0),
        Try(
            "pixels divided by 255: `keras.layers.Rescaling(1 / 255)` in front",
            fits=lambda setting: setting.has_pictures and not _is_near_0(setting),
        ),
        Try(
            "inputs scaled to mean 0 and standard deviation 1: a `Normalization` layer in front, adapted to the data",
            "scaled_inputs",
        ),
        Try("the logarithm of columns that span decades", fits=_spans_decades),
    ),
    alarm=False,
    at_start=True,
)


# Under a squared error the first steps are in proportion to the targets.
def _targets_are_unscaled(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.target_scale > params.unscaled


def _say_targets(rows: pd.DataFrame, bound: float | None) -> str:
    return (
        f"{len(rows)} {verb(rows, 'was', 'were')} to reach targets that are not scaled (root mean square "
        f"{rows.target_scale.median():.2g})"
    )


def _one_of_targets(found: Evidence) -> str:
    return f"The targets are large: their root mean square is {found['target_scale']:.2g}; it should be near 1."


def _against_unscaled_targets(recipe: VariantParams, epochs: int) -> Remedies:
    return (Remedy({"split.scale.targets": "standard"}, "errors begin near 1", LECUN),)


UNSCALED_TARGETS = Cause(
    "unscaled_targets",
    _targets_are_unscaled,
    RUST,
    _say_targets,
    _against_unscaled_targets,
    instead="the targets are far from 1",
    family="data",
    says=_one_of_targets,
    tries=(
        Try("targets scaled to mean 0 and standard deviation 1, and predictions scaled back", "scaled_targets"),
        Try("the logarithm of targets that span decades, such as prices"),
        Try(
            "a smaller learning rate, with gradients clipped (`global_clipnorm=1.0`)",
            "smaller_steps",
            "clipped_gradients",
        ),
    ),
    alarm=False,
    at_start=True,
)


# Accuracy less balanced accuracy is 0 where classes are equal or all are told apart; where one class of 80% is all
# that is ever said, it is .3. A network that is off says one class too. Known false alarm: a rare class that no feature
# tells.
def _is_imbalanced(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    is_on = evidence.nonfinite_epoch.isna() & evidence.dead_layer.isna() & (evidence.dead_output != 1)
    return (evidence.score_gap > params.imbalance_gap) & is_on


def _say_imbalanced(rows: pd.DataFrame, bound: float | None) -> str:
    gap = 100 * rows.score_gap.median()
    return f"{len(rows)} {verb(rows, 'says', 'say')} the common class alone (accuracy {gap:.0f} points above balanced)"


def _one_imbalanced(found: Evidence) -> str:
    return (
        f"Accuracy is {100 * found['score_gap']:.0f} points above balanced accuracy on the training set: rows of "
        "rare classes are seldom classified correctly."
    )


IMBALANCED = Cause(
    "imbalanced",
    _is_imbalanced,
    OCHRE,
    _say_imbalanced,
    no_parameter,
    instead="the common class alone is said",
    family="data",
    says=_one_imbalanced,
    reads=("score_gap",),
    tries=(
        Try("`class_weight` in `fit`: n / (classes * rows of the class)", "class_weights"),
        Try("rows of the rare class drawn more often"),
        Try("balanced accuracy or F1 to judge by, and a threshold below 0.5"),
    ),
)


# Rows that were learned by heart, or nearly so, by loss and by score, and nothing that carries over: less than
# overfitting leaves. Or like rows have no more like targets than if these were shuffled (Schilling 1986), and other
# rows, where there are some, are told no better than by chance. Known false alarms: training and test rows from
# different sources; and targets that no likeness of rows tells, as the parity of many columns.
def _labels_are_unrelated(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    by_heart = (evidence.train_fit > params.fitted) & (evidence.train_gain > params.fitted)
    nothing_carries_over = (evidence.judged_fit <= 0) & (evidence.judged_gain <= params.chance_margin)
    as_shuffled = (evidence.targets_told < params.shuffled) & ~(evidence.judged_gain > params.chance_margin)
    return (by_heart & nothing_carries_over) | as_shuffled


def _say_unrelated(rows: pd.DataFrame, bound: float | None) -> str:
    trained, other = rows.train_gain.dropna(), rows.judged_gain.dropna()
    parts = [
        f"{_percent(trained)} of the way from chance to perfect in training" if len(trained) else "",
        f"{_percent(other)} beyond it" if len(other) else "",
    ]
    numbers = ", ".join(part for part in parts if part)
    ending = f" ({numbers})" if numbers else ""
    return f"{len(rows)} {verb(rows, 'has', 'have')} labels that tell nothing of new rows{ending}"


def _percent(column: pd.Series) -> str:
    return f"{100 * column.median():.0f}%"


def _one_unrelated(found: Evidence) -> str:
    scores = [("on training rows", found["train_gain"]), ("on other rows", found["judged_gain"])]
    known = [f"{100 * gain:.0f}% {where}" for where, gain in scores if gain is not None]
    said = [f"The score, from 0% by chance to 100%, is {' and '.join(known)}."] if known else []
    if found["targets_told"] is not None:
        said.append(
            f"Rows that are like each other have targets that are alike by {found['targets_told']:.1f} standard "
            "deviations more than shuffled ones."
        )
    return " ".join(said)


UNRELATED_LABELS = Cause(
    "unrelated_labels",
    _labels_are_unrelated,
    SAND,
    _say_unrelated,
    no_parameter,
    instead="what is learned says nothing of other rows",
    family="data",
    says=_one_unrelated,
    reads=("targets_told",),
    tries=(
        Try("whether each label belongs to its row: inputs shuffled without their labels, or read in another order"),
        Try("whether training and validation rows are made in the same way"),
        Try("whether labels can be told at all: shuffle them and see whether training differs"),
    ),
)
