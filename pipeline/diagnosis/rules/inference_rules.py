"""Causes that show only in inference: in inference mode, or on unseen rows."""

from typing import Final

import pandas as pd

from pipeline.diagnosis.palette import LAVENDER, VIOLET
from pipeline.diagnosis.rules.cause import Advice, Cause, Evidence, number, verb
from pipeline.diagnosis.setting import Setting
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.remedies.recipe_changes import Against

FEW_ROWS: Final = 16  # in a batch; with fewer, larger batches are the first advice


# Compare two losses of the same rows: `fit` logs the loss in training mode, the record has the loss in inference mode.
# Statistics that lag behind the weights make the recorded loss greater. Dropout makes the logged loss greater, so it
# raises no false alarm. The evidence has the logged loss only if nothing but the mode can make the two differ. Batches
# of one row are normalised to 0, so no gradient reaches the layers below, though the probe's does.
def _do_statistics_mislead(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    lags = (evidence.logged_fit > params.mode_gap) & (evidence.logged_fit - evidence.train_fit > params.mode_gap)
    is_small = (evidence.batch_rows < params.small_batch) & (evidence.train_learned == 0)
    is_blocked = (evidence.taken_gradient == 0) & (evidence.first_gradient > 0)
    return lags | (evidence.uses_batch_statistics == 1) & (is_small | is_blocked)


def _sentence_on_statistics(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} {verb(rows, 'has', 'have')} statistics of batches that do not match the data"


def _says_statistics(evidence: Evidence) -> str:
    sentences = []
    if evidence["batch_rows"] is not None and evidence["uses_batch_statistics"]:
        rows = number(evidence, "batch_rows")
        sentences.append(f"A layer normalises by the statistics of a batch (rows in a batch: {rows:.3g}).")
    if evidence["taken_gradient"] == 0 and evidence["first_gradient"]:
        sentences.append(
            "The gradients that the optimizer got are 0, though the same rows have gradients in inference mode."
        )
    if evidence["logged_fit"] is not None and evidence["train_fit"] is not None:
        sentences.append(_says_modes(evidence))
    return " ".join(sentences)


def _are_batches_small(setting: Setting) -> bool:
    return (setting.number("batch_rows") or FEW_ROWS) < FEW_ROWS


def _says_modes(evidence: Evidence) -> str:
    return (
        f"On the same rows the loss is {100 * (1 - number(evidence, 'logged_fit')):.0f}% of the baseline loss in "
        f"training mode and {100 * (1 - number(evidence, 'train_fit')):.0f}% in inference mode, which uses other "
        "statistics, such as the averages of batch normalisation."
    )


BATCH_STATISTICS = Cause(
    "batch_statistics",
    "inference",
    _do_statistics_mislead,
    VIOLET,
    _sentence_on_statistics,
    _says_statistics,
    means="on the same rows, the network fits in training mode but not in inference mode; or a layer normalises by the "
    "statistics of batches that are too small for it",
    measured="The two modes are compared only if all of these hold: some layer works differently in training mode "
    "(dropout, noise, batch normalisation, a layer of your own that takes `training`); no row has a weight; `fit` "
    "shuffles, and trains on exactly the rows that the callback got, so without `validation_split`.",
    condition="`logged_fit` > `mode_gap`, and `logged_fit` - `train_fit` > `mode_gap`; or `uses_batch_statistics` is "
    "1, and `batch_rows` < `small_batch` with `train_learned` 0 or `taken_gradient` is 0 though "
    "`first_gradient` is not",
    looks_like="A good loss while `fit` runs, but predictions of the same rows are no better than the baseline.",
    confused_with="`overfitting`, which shows only on unseen rows.",
    advice=(
        Advice(
            "batches of 16 rows or more, or `LayerNormalization`, which needs no batch",
            "larger_batches",
            fits=_are_batches_small,
        ),
        Advice(
            "a smaller `momentum` in batch normalisation (0.9), or more steps, because its averages lag behind",
            "quicker_statistics",
            "longer",
            fits=lambda setting: not _are_batches_small(setting),
        ),
        Advice(
            "larger batches, or `LayerNormalization`, which needs no averages",
            "larger_batches",
            fits=lambda setting: not _are_batches_small(setting),
        ),
        Advice(
            "check whether a layer is called with `training=True`, or is frozen with averages of other data",
            "trained_layers",
        ),
    ),
    reads=("logged_fit", "train_fit"),
)


def _overfits(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    has_gap = evidence.train_gain - evidence.judged_gain > params.chance_margin
    return (evidence.train_learned == 1) & has_gap & (evidence.judged_gain > params.chance_margin)


def _sentence_on_overfitting(rows: pd.DataFrame, bound: float | None) -> str:
    return (
        f"{len(rows)} {verb(rows, 'overfits', 'overfit')} (the training set is learned; on unseen rows only "
        f"{100 * rows.judged_gain.median():.0f}% of the possible improvement over chance)"
    )


def _says_overfitting(evidence: Evidence) -> str:
    return (
        f"It learned the training set ({100 * number(evidence, 'train_gain'):.0f}% of the possible improvement over "
        f"chance), but reaches only {100 * number(evidence, 'judged_gain'):.0f}% on unseen rows."
    )


OVERFITTING = Cause(
    "overfitting",
    "inference",
    _overfits,
    LAVENDER,
    _sentence_on_overfitting,
    _says_overfitting,
    means="the training set is learned, and unseen rows are predicted worse, though better than by the baseline",
    condition="`train_learned` is 1, `judged_gain` > `chance_margin`, and `train_gain` - `judged_gain` > "
    "`chance_margin`",
    looks_like="A training loss that keeps falling while the validation loss stays or rises.",
    confused_with="`unrelated_labels`, where nothing carries over to unseen rows.",
    remedies=(
        Against("weight_penalty", "smaller weights make a smoother function"),
        Against("shorter", "training stops before it memorises rows"),
    ),
    advice=(
        Advice(
            "more pictures, or augmented ones: `RandomFlip`, `RandomTranslation`",
            fits=Setting.has_pictures,
        ),
        Advice("more rows", fits=lambda setting: not setting.has_pictures()),
        Advice("dropout, or an L2 penalty", "dropout", "weight_penalty"),
        Advice("fewer units, or fewer epochs", "shorter"),
    ),
    alarm=False,
)
