"""Causes in the labels: rare classes, and labels that do not belong to their rows."""

from typing import Final

import pandas as pd

from pipeline.diagnosis.constants import CLEAR_SIGNAL
from pipeline.diagnosis.palette import OCHRE, SAND
from pipeline.diagnosis.rules.cause import Advice, Cause, Evidence, Limit, is_below, number, verb
from pipeline.history.record import INPUT_KINDS
from pipeline.params.diagnosis_params import DiagnosisParams

UNLIKE_COLUMNS: Final = tuple(INPUT_KINDS.index(kind) for kind in ("other", "sequences", "ids"))
OUTWEIGHED: Final = 0.1  # of an equal share of the weight; the verdict mentions a smaller share


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
    is_majority = (evidence.score_gap > params.imbalance_gap) & is_possible
    return (is_majority | are_weights_extreme(evidence, params)) & _is_alive(evidence)


def are_weights_extreme(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether `class_weight` leaves a class hardly any weight, and the training rows are not learned."""
    return (evidence.weighted_share < params.outweighed) & ~(evidence.train_learned == 1)


def _sentence_on_imbalance(rows: pd.DataFrame, bound: float | None) -> str:
    gap = rows.score_gap.median()
    how_much = "" if pd.isna(gap) else f" (accuracy {100 * gap:.0f} points above balanced accuracy)"
    return f"{len(rows)} always {verb(rows, 'predicts', 'predict')} the majority class{how_much}"


def _says_imbalance(evidence: Evidence) -> str:
    if is_below(evidence, "weighted_share", OUTWEIGHED):
        return (
            f"With `class_weight`, one class has only {number(evidence, 'weighted_share'):.2g} times the total weight "
            "of an equal share, so the network learns the other classes alone."
        )
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
    means="only the majority class is predicted, though no layer is dead; or `class_weight` leaves a class hardly any "
    "weight",
    condition="`score_gap` > `imbalance_gap`, no dead layer, all losses finite, and `reference_gain` above the "
    "network's gain by `chance_margin`, or unknown; or `weighted_share` < `outweighed`, `train_learned` "
    "is not 1, no dead layer, and all losses finite",
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


def fits_training_rows_alone(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether the training rows are fitted, and unseen rows are predicted no better than by chance."""
    is_fitted = (evidence.train_fit > params.fitted) & (evidence.train_gain > params.fitted)
    return is_fitted & (evidence.judged_fit <= 0) & (evidence.judged_gain <= params.chance_margin)


def follow_surely(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether the targets of the training rows surely follow from their inputs."""
    return evidence.targets_told > CLEAR_SIGNAL * params.shuffled


# Either the training rows are fitted, and unseen rows are predicted no better than by chance: with overfitting they are
# predicted better, and if targets follow from the inputs of the training rows, the unseen rows are at fault. Or the
# targets of similar rows are no more alike than shuffled targets (Schilling 1986), and neither the network nor a quick
# model predicts unseen rows better than by chance; a dead or diverged network proves nothing, and similar rows tell
# little of a rare class, or of sequences, in which the order may be all that matters. Or the given rows tell their
# targets, and the rows that `fit` was fed do not. Known false alarms: training and unseen rows from different sources,
# and targets that similar rows do not share, such as a parity of many columns.
def _are_labels_unrelated(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    is_memorised = fits_training_rows_alone(evidence, params) & ~follow_surely(evidence, params)
    is_predicted = (evidence.judged_gain > params.chance_margin) | (evidence.reference_gain > params.chance_margin)
    is_balanced = ~(evidence.score_gap > params.imbalance_gap)
    is_as_if_shuffled = (evidence.targets_told < params.shuffled) & _is_alive(evidence) & is_balanced & ~is_predicted
    is_as_if_shuffled &= ~evidence.input_kind.isin(UNLIKE_COLUMNS)
    is_fed_otherwise = are_fed_labels_unrelated(evidence, params) & ~(evidence.judged_gain > params.chance_margin)
    return is_memorised | is_as_if_shuffled | is_fed_otherwise


def are_fed_labels_unrelated(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether targets follow from the inputs of the given rows, but not of the rows that `fit` was fed."""
    return (evidence.fed_told < params.shuffled) & follow_surely(evidence, params)


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
    condition="`train_fit` and `train_gain` > `fitted`, `judged_fit` <= 0, `judged_gain` <= `chance_margin`, with "
    "`targets_told` not above 2 * `shuffled`; or "
    "`targets_told` < `shuffled`, no layer is dead, all losses are finite, `score_gap` is not above `imbalance_gap`, "
    "the inputs are columns or pictures, and neither `judged_gain` nor `reference_gain` is above `chance_margin`; or "
    "`fed_told` < `shuffled` though `targets_told` > 2 * `shuffled`",
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
