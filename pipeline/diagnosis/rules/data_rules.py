"""Causes in the data: NaN and infinite numbers, wrong scales, rare classes, and labels that do not fit their rows."""

import pandas as pd

from pipeline.diagnosis.constants import CLEAR_SIGNAL, SMALL_INPUTS_POWER, WIDE_COLUMN
from pipeline.diagnosis.palette import BROWN, DARK_BROWN, OCHRE, RUST, SAND
from pipeline.diagnosis.rules.cause import Advice, Cause, Evidence, Limit, join, number, verb
from pipeline.diagnosis.setting import Setting
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.remedies.recipe_changes import Against


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
    return is_large | is_small | (evidence.input_decades > params.unscaled_decades)


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
    if evidence["input_scale"] is not None:
        scale = number(evidence, "input_scale")
        size = "large" if scale > 1 else "small"
        sentences.append(f"The inputs of the first kernel are {size} (RMS {scale:.2g}; should be near 1).")
    if evidence["input_decades"] is not None:
        factor = 10 ** number(evidence, "input_decades")
        sentences.append(f"One input column varies {factor:.2g} times as much as a typical one.")
    return " ".join(sentences)


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
    means="the RMS of the first kernel's inputs is far from 1, or one column varies far more than the others",
    measured="Measured after layers such as `Rescaling` and `Normalization`; not measured if the first layer is an "
    "embedding or batch normalisation.",
    condition="`input_scale` > `unscaled` or < 1 / `unscaled`², or `input_decades` > `unscaled_decades`",
    looks_like="A loss that jumps, units that die or saturate in the first steps, or slow progress with plain SGD.",
    confused_with="`learning_rate_too_large`. Adam often learns from counts up to some hundred, so this is a cause "
    "only if nothing was learned, and never an alarm.",
    remedies=(
        Against("scaled_inputs", "all inputs have one scale"),
        Against("batch_normalization", "each layer's signals are brought back to one scale"),
    ),
    advice=(
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


# With a squared error, the first gradients grow in proportion to the targets.
def _are_targets_unscaled(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.target_scale > params.unscaled


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
    means="the RMS of a regression's targets is far above 1",
    condition="`target_scale` > `unscaled`",
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
    needs_misfit=True,
    limits=(Limit("target_scale", "unscaled"),),
)


def _is_alive(evidence: pd.DataFrame) -> pd.Series:
    """Return whether no layer is dead, and all numbers are finite."""
    return evidence.nonfinite_epoch.isna() & evidence.dead_layer.isna() & (evidence.dead_output != 1)


# Accuracy - balanced accuracy is 0 if classes have equal sizes or are all classified correctly; it is 0.3 if a class of
# 80% is always predicted. A dead network also predicts one class, and so does nearly every network that has not learned
# yet. So a quick model must do better on these rows, unless there is none, and every other rule comes first. Known
# false alarm: a rare class that no feature predicts.
def _is_imbalanced(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    gain = evidence.judged_gain.fillna(evidence.train_gain)
    is_possible = evidence.reference_gain.isna() | (evidence.reference_gain - gain > params.chance_margin)
    return (evidence.score_gap > params.imbalance_gap) & _is_alive(evidence) & is_possible


def _sentence_on_imbalance(rows: pd.DataFrame, bound: float | None) -> str:
    gap = 100 * rows.score_gap.median()
    predict = verb(rows, "predicts", "predict")
    return f"{len(rows)} always {predict} the majority class (accuracy {gap:.0f} points above balanced accuracy)"


def _says_imbalance(evidence: Evidence) -> str:
    return (
        f"Accuracy is {100 * number(evidence, 'score_gap'):.0f} points above balanced accuracy on the training set: "
        "few rows of rare classes are classified correctly."
    )


IMBALANCED = Cause(
    "imbalanced",
    "data",
    _is_imbalanced,
    OCHRE,
    _sentence_on_imbalance,
    _says_imbalance,
    means="only the majority class is predicted, though no layer is dead",
    condition="`score_gap` > `imbalance_gap`, no dead layer, all losses finite, and `reference_gain` above the "
    "network's gain by `chance_margin`, or unknown",
    looks_like="A high accuracy from the first epoch on that never changes; the rare class is never predicted.",
    confused_with="Nearly every network that has not learned, because it predicts one class, too: so all other rules "
    "come first. Seldom right on programs that the rule had not seen: a saturated network, and one that needed more "
    "epochs, learned without class weights. A rare class that no column predicts is a false alarm.",
    advice=(
        Advice("`class_weight` in `fit`: all rows / (number of classes * rows of the class)", "class_weights"),
        Advice("draw rows of the rare class more often"),
        Advice("judge by balanced accuracy or F1, and predict the rare class at a probability below 0.5 already"),
    ),
    reads=("score_gap",),
    limits=(Limit("score_gap", "imbalance_gap"),),
    is_tentative=True,
)


# Either the training rows are fitted, and unseen rows are predicted no better than by chance: with overfitting they are
# predicted better. Or the targets of similar rows are no more alike than shuffled targets (Schilling 1986), and neither
# the network nor a quick model predicts unseen rows better than by chance; a dead or diverged network proves nothing,
# and similar rows tell little of a rare class. Or the given rows tell their targets, and the rows that `fit` was fed do
# not. Known false alarms: training and unseen rows from different sources, and targets that similar rows do not share,
# such as a parity of many columns.
def _are_labels_unrelated(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    is_fitted = (evidence.train_fit > params.fitted) & (evidence.train_gain > params.fitted)
    is_at_chance = (evidence.judged_fit <= 0) & (evidence.judged_gain <= params.chance_margin)
    is_predicted = (evidence.judged_gain > params.chance_margin) | (evidence.reference_gain > params.chance_margin)
    is_balanced = ~(evidence.score_gap > params.imbalance_gap)
    is_as_if_shuffled = (evidence.targets_told < params.shuffled) & _is_alive(evidence) & is_balanced & ~is_predicted
    is_fed_otherwise = (evidence.fed_told < params.shuffled) & (evidence.targets_told > CLEAR_SIGNAL * params.shuffled)
    return (
        (is_fitted & is_at_chance)
        | is_as_if_shuffled
        | (is_fed_otherwise & ~(evidence.judged_gain > params.chance_margin))
    )


def _sentence_on_labels(rows: pd.DataFrame, bound: float | None) -> str:
    train_gains, judged_gains = rows.train_gain.dropna(), rows.judged_gain.dropna()
    parts = [f"{_percent(train_gains)} on training rows"] if len(train_gains) else []
    parts += [f"{_percent(judged_gains)} on unseen rows"] if len(judged_gains) else []
    ending = f" (improvement over chance, where 100% is perfect: {', '.join(parts)})" if parts else ""
    return f"{len(rows)} {verb(rows, 'has', 'have')} labels that do not follow from the inputs{ending}"


def _percent(column: pd.Series) -> str:
    return f"{100 * column.median():.0f}%"


def _says_labels(evidence: Evidence) -> str:
    places = {"train_gain": "on training rows", "judged_gain": "on unseen rows"}
    gains = [
        f"{100 * number(evidence, name):.0f}% {where}" for name, where in places.items() if evidence[name] is not None
    ]
    sentences = [f"It reaches {' and '.join(gains)} of the possible improvement over chance."] if gains else []
    if evidence["targets_told"] is not None:
        sentences.append(
            f"The targets of similar rows are {number(evidence, 'targets_told'):.1f} standard deviations more alike "
            "than shuffled targets; near 0 they are unrelated to the inputs."
        )
    if evidence["fed_told"] is not None:
        sentences.append(f"In the rows that `fit` was fed, this number is {number(evidence, 'fed_told'):.1f}.")
    return " ".join(sentences)


UNRELATED_LABELS = Cause(
    "unrelated_labels",
    "data",
    _are_labels_unrelated,
    SAND,
    _sentence_on_labels,
    _says_labels,
    means="the training rows are fitted, and unseen rows are predicted no better than by the baseline; or the targets "
    "of similar rows are no more alike than shuffled targets (a nearest-neighbour test of 100 rows or more, Schilling "
    "1986), at the latest in the rows that `fit` was fed",
    condition="`train_fit` and `train_gain` > `fitted`, `judged_fit` <= 0, `judged_gain` <= `chance_margin`; or "
    "`targets_told` < `shuffled`, no layer is dead, all losses are finite, `score_gap` is not above `imbalance_gap`, "
    "and neither `judged_gain` nor `reference_gain` is above `chance_margin`; or `fed_told` < `shuffled` though "
    "`targets_told` > 2 * `shuffled`",
    looks_like="Training improves, but unseen rows are predicted no better than by the baseline. Or nothing improves.",
    confused_with="`overfitting`, where unseen rows are predicted better than by chance; with few rows the two look "
    "alike. Targets that similar rows do not share, such as a parity of many columns, are a false alarm if nothing is "
    "learned.",
    advice=(
        Advice(
            "check whether each label belongs to its row: inputs may be shuffled without labels, or in another order",
        ),
        Advice("check whether training and validation rows are prepared in the same way"),
        Advice(
            "augment, shuffle or sort inputs and labels together",
            fits=lambda setting: setting.number("fed_told") is not None,
        ),
        Advice("check whether labels can be predicted at all: shuffle them, train again, and compare the losses"),
    ),
    reads=("targets_told",),
    limits=(Limit("targets_told", "shuffled", is_upper=False),),
    is_refuted=lambda evidence: True,  # labels that were learned are related to the inputs
)
