"""Causes that show only where the network is used: in inference mode, or on rows that it was not trained on."""

import pandas as pd

from pipeline.diagnosis.rules.cause import Cause, Evidence, Try, no_parameter, verb
from pipeline.foundations.colours import LAVENDER, VIOLET
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.variant_params import VariantParams
from pipeline.remedies.recipe_remedies import Remedies, Remedy


# On the same rows: the loss that `fit` logs is of training mode, the record's of inference mode. Dropout makes the
# first one the greater, so it raises no false alarm; statistics that lag behind the weights make the second one so.
# Evidence has the first one only where nothing but the mode can make them differ.
def _statistics_lag(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return (evidence.logged_fit > params.mode_gap) & (evidence.logged_fit - evidence.train_fit > params.mode_gap)


def _say_lagging(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} {verb(rows, 'fits', 'fit')} in training mode alone, not in inference mode"


def _one_lagging(found: Evidence) -> str:
    return (
        f"In training mode the loss is {100 * (1 - found['logged_fit']):.0f}% of a constant guess's, in inference mode "
        f"{100 * (1 - found['train_fit']):.0f}% on rows of the same training set: the statistics that inference uses "
        "are not those of the data."
    )


BATCH_STATISTICS = Cause(
    "batch_statistics",
    _statistics_lag,
    VIOLET,
    _say_lagging,
    no_parameter,
    instead="it fits in training mode, and inference uses other statistics",
    family="inference",
    says=_one_lagging,
    reads=("logged_fit", "train_fit"),
    tries=(
        Try(
            "a smaller `momentum` of batch normalisation (0.9), or more steps: its averages lag behind",
            "quicker_statistics",
            "longer",
        ),
        Try("larger batches, or `LayerNormalization`, which needs no averages"),
        Try(
            "whether a layer is called with `training=True`, or frozen statistics do not belong to these data",
            "trained_layers",
        ),
    ),
)


def _overfits(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    falls_short = evidence.train_gain - evidence.judged_gain > params.chance_margin
    return (evidence.train_learned == 1) & falls_short & (evidence.judged_gain > params.chance_margin)


def _say_overfitting(rows: pd.DataFrame, bound: float | None) -> str:
    return (
        f"{len(rows)} {verb(rows, 'overfits', 'overfit')} (learned on the training set; on the other "
        f"{100 * rows.judged_gain.median():.0f}% of the way from chance to perfect)"
    )


def _one_overfitting(found: Evidence) -> str:
    return (
        f"The training set is learned ({100 * found['train_gain']:.0f}% of the way from chance to perfect), the other "
        f"less well ({100 * found['judged_gain']:.0f}%)."
    )


def _against_overfitting(recipe: VariantParams, epochs: int) -> Remedies:
    penalty = {"kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.001}}}
    return (
        Remedy(penalty, "smaller weights", "Krogh & Hertz 1992"),
        Remedy({"training.epochs": max(1, epochs // 4)}, "stops before rows are learned by heart", "Prechelt 1998"),
    )


OVERFITTING = Cause(
    "overfitting",
    _overfits,
    LAVENDER,
    _say_overfitting,
    _against_overfitting,
    instead="the training set is learned",
    family="inference",
    says=_one_overfitting,
    tries=(
        Try(
            "more pictures, or augmented ones: `RandomFlip`, `RandomTranslation`",
            fits=lambda setting: setting.has_pictures,
        ),
        Try("more rows", fits=lambda setting: not setting.has_pictures),
        Try("dropout, or an L2 penalty", "dropout", "weight_penalty"),
        Try("fewer units, or fewer epochs", "shorter"),
    ),
    alarm=False,
)
