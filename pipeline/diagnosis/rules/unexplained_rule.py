"""The last row of the table: a failure that no rule explains, and the most informative experiments on it."""

from collections.abc import Callable
from typing import Final

import pandas as pd

from pipeline.diagnosis.palette import GREY
from pipeline.diagnosis.rules.cause import Advice, Cause, Evidence, is_below, number, reference, verb
from pipeline.diagnosis.setting import Setting
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.remedies.recipe_changes import Against

EXPERIMENTS: Final = 2  # to suggest
# Fraction of the way from chance to perfect. If the training rows are fitted so well, the fault is not in the steps.
WELL_FITTED: Final = 0.5
TINY_FALL: Final = 1e-6  # relative fall of the loss over the last epochs; a loss that falls by less is flat


def _always(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return pd.Series(data=True, index=evidence.index)


def _sentence_on_the_rest(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} {verb(rows, 'is', 'are')} unexplained (no rule says why)"


def _says_the_rest(evidence: Evidence) -> str:
    """Return one sentence with each number that rules out a cause."""
    parts = []
    if evidence["taken_gradient"] == 0:
        parts.append("the gradients that the optimizer got were exactly 0 in every recorded epoch")
    elif evidence["gradient_scale"] is not None:
        scale = number(evidence, "gradient_scale")
        parts.append(f"hidden layers get gradients (the largest is {scale:.1g} times {reference(evidence)})")
    if evidence["born_dead"] is not None and evidence["dead_layer"] is None:
        parts.append("no measured layer is dead")
    if evidence["saturated_share"] is not None:
        share = 100 * number(evidence, "saturated_share")
        parts.append(f"no layer had more than {share:.0f}% saturated outputs")
    if evidence["loss_fall"] is not None:
        fall = 100 * number(evidence, "loss_fall")
        course = f"fell by {fall:.2g}%" if fall > 0 else f"rose by {-fall:.2g}%" if fall < 0 else "did not fall"
        parts.append(f"the training loss {course} over the last epochs")
    return f"No rule explains this: {', '.join(parts)}." if parts else "No rule explains this."


def _is_fitted(evidence: Evidence) -> bool:
    return evidence.get("train_gain") is not None and not is_below(evidence, "train_gain", WELL_FITTED)


# Experiments, the most informative first, each with a function that returns whether it is worth its time.
_EXPERIMENTS: Final[tuple[tuple[str, Callable[[Evidence], bool]], ...]] = (
    (
        "train on the same 64 rows for 200 epochs: if the network cannot learn them by heart, the fault is in model, "
        "loss or steps; if it can, it needs other rows, more units or more epochs",
        lambda evidence: not _is_fitted(evidence),
    ),
    (
        "draw the validation rows at random from the training rows: a score that rises shows that the validation rows "
        "are from elsewhere",
        lambda evidence: _is_fitted(evidence) and evidence.get("judged_gain") is not None,
    ),
    (
        "train with ten times the learning rate, then with a tenth, for a few epochs each: if the loss does not change "
        "at all, the steps do not reach the weights",
        lambda evidence: not _is_fitted(evidence) and is_below(evidence, "loss_fall", TINY_FALL),
    ),
    (
        "shuffle the rows together with their targets before `fit`, in case the order matters",
        lambda evidence: evidence.get("batch_order") is None,
    ),
    (
        "shuffle the targets alone and train again: if the loss is the same, the inputs do not predict the targets",
        lambda evidence: True,
    ),
    (
        "train without dropout, penalties and augmentation, in case they are too strong",
        lambda evidence: True,
    ),
)


def experiments(evidence: Evidence) -> str:
    """Return a sentence on the most informative experiments, chosen by what was measured."""
    chosen = [words for words, is_worth_it in _EXPERIMENTS if is_worth_it(evidence)][:EXPERIMENTS]
    return f"The two most informative experiments: {'; and '.join(chosen)}."


UNEXPLAINED = Cause(
    "unexplained",
    "rest",
    _always,
    GREY,
    _sentence_on_the_rest,
    _says_the_rest,
    means="not learned, cause unknown: no other rule holds. The verdict lists what the measurements rule out, the two "
    "conditions that came nearest to their thresholds, and the two most informative experiments",
    condition="no other rule holds",
    looks_like="A flat loss, often.",
    confused_with="`learning_rate_too_small`, where the loss falls slowly. It is no cause but the absence of one, and "
    "counts as an abstention in our benchmarks.",
    remedies=(
        Against("wider_layers", "more units can represent more, and more directions lower the loss"),
        Against("adam", "it leaves plateaus sooner"),
        Against("rectified_units", "they have another loss surface"),
        Against("autoencoder_pretraining", "training starts from features of the inputs"),
    ),
    advice=(
        Advice("another learning rate, or Adam", "smaller_steps", "larger_steps", "adam"),
        Advice("more or wider layers", "wider_layers"),
        Advice(
            "an activation such as `relu` in the hidden layers: without any, all layers amount to one linear layer",
            "rectified_units",
            fits=Setting.is_feedforward,
        ),
        Advice("check whether labels belong to their rows"),
    ),
    alarm=False,
)
