"""Causes in the gradient through time of recurrent layers: it vanishes or explodes on its way back."""

import math
from typing import Final

import pandas as pd

from pipeline.diagnosis.palette import FOREST, NAVY
from pipeline.diagnosis.rules.cause import Advice, Cause, Evidence, Limit, number, verb
from pipeline.diagnosis.rules.dead_layer_rules import TANH_CELLS
from pipeline.diagnosis.setting import Setting
from pipeline.params.diagnosis_params import DiagnosisParams

PROOF = (
    "Such a profile is a symptom and no proof: networks learn in spite of it if the last steps are enough, and fail "
    "without it. An experiment over seeds decides: shorter sequences are learned where longer ones are not."
)

# Advice against a gradient that vanishes in a recurrent layer; the rule `vanishing` gives it, too.
THROUGH_TIME: Final = (
    Advice(
        "`LSTM` or `GRU` layers instead of `SimpleRNN`, with `orthogonal` recurrent kernels",
        "gated_cell",
        "orthogonal_recurrent",
        fits=Setting.has_simple_cells,
    ),
    Advice(
        "in `LSTM` layers forget biases as long as the sequences: log of a uniform number from 1 to their steps",
        "chrono_bias",
        fits=Setting.has_gates,
    ),
    Advice(
        "relu in `SimpleRNN` layers, with the identity as recurrent kernel",
        "identity_recurrent",
        fits=Setting.has_simple_cells,
    ),
    Advice(
        "the mean of a recurrent layer's outputs over time instead of its last output",
        "mean_over_time",
        fits=Setting.is_recurrent,
    ),
    Advice(
        "shorter sequences, only at first or throughout, or several time steps joined into one",
        "shorter_sequences_first",
        "truncated_sequences",
        fits=Setting.is_recurrent,
    ),
)


def vanishes_in_time(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    """Return whether the gradient of a recurrent layer does not reach the first steps, bool [replica]."""
    return (evidence.time_decades > params.time_decades) & (evidence.time_reach < evidence.time_steps)


def _explodes_in_time(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.time_decades < -params.time_decades


def _layer(evidence: Evidence) -> str:
    layer = evidence.get("time_layer")
    return "a recurrent layer" if layer is None else f"layer {layer}"


def _steps(factor: float) -> str:
    """Return after how many steps a gradient with this factor a step is halved or doubled: "2.2 steps"."""
    steps = math.log(2) / abs(math.log(factor)) if factor > 0 and factor != 1 else math.inf
    return "step" if 0.95 < steps < 1.05 else f"{steps:.2g} steps"


def _says_vanishing(evidence: Evidence) -> str:
    steps = f"{number(evidence, 'time_steps'):.0f}"
    course = ""
    if evidence.get("time_factor") is not None:
        course = f"halves every {_steps(number(evidence, 'time_factor'))} on its way back through time: it "
    return (
        f"The gradient of {_layer(evidence)} {course}falls by {number(evidence, 'time_decades'):.2g} powers of ten "
        f"within {steps} steps, and only the last {number(evidence, 'time_reach'):.0f} of the {steps} steps get at "
        "least 0.1% of the greatest gradient."
    )


def _says_exploding(evidence: Evidence) -> str:
    course = ""
    if evidence.get("time_factor") is not None:
        course = f"doubles every {_steps(number(evidence, 'time_factor'))} on its way back through time: it "
    within = "" if evidence.get("time_steps") is None else f" within {number(evidence, 'time_steps'):.0f} steps"
    decades = -number(evidence, "time_decades")
    return f"The gradient of {_layer(evidence)} {course}grows by {decades:.2g} powers of ten{within}."


def _sentence_on_vanishing(rows: pd.DataFrame, bound: float | None) -> str:
    has = verb(rows, "has", "have")
    reached, steps = rows.time_reach.median(), rows.time_steps.median()
    where = f"the last {reached:.0f} of {steps:.0f} steps"
    return f"{len(rows)} {has} a gradient that vanishes in time (median: it reaches {where})"


def _sentence_on_exploding(rows: pd.DataFrame, bound: float | None) -> str:
    has, decades = verb(rows, "has", "have"), -rows.time_decades.median()
    return f"{len(rows)} {has} a gradient that explodes in time (median: by {decades:.2g} powers of ten)"


EXPLODING_IN_TIME = Cause(
    "exploding_in_time",
    "signals",
    _explodes_in_time,
    NAVY,
    _sentence_on_exploding,
    _says_exploding,
    means="the gradient of a recurrent layer grows from step to step on its way back through time, so that the first "
    "steps decide every update",
    condition="`time_decades` < -`diagnosis.time_decades`",
    looks_like="A recurrent network whose loss jumps, or that learns from the beginning of a sequence alone.",
    confused_with=f"`exploding`, where the loss itself grows without limit; that is checked first. {PROOF}",
    advice=(
        Advice("gradients clipped by the optimizer's `global_clipnorm=1.0`", "clipped_gradients"),
        Advice(
            "recurrent kernels from `orthogonal`, Keras's default, in place of larger ones",
            "orthogonal_recurrent",
            fits=Setting.is_recurrent,
        ),
        Advice(TANH_CELLS, "bounded_cells", fits=Setting.has_simple_cells),
        Advice("a tenth of the learning rate", "smaller_steps"),
    ),
    reads=("time_decades",),
    needs_misfit=True,
    is_tentative=True,
    is_recurrent=True,
    is_refuted=lambda evidence: True,
)

VANISHING_IN_TIME = Cause(
    "vanishing_in_time",
    "signals",
    vanishes_in_time,
    FOREST,
    _sentence_on_vanishing,
    _says_vanishing,
    means="the gradient of a recurrent layer shrinks from step to step on its way back through time, so that the first "
    "steps of a sequence teach nothing",
    condition="`time_decades` > `diagnosis.time_decades`, and `time_reach` < `time_steps`",
    looks_like="A recurrent network that stays at the baseline on long sequences, and learns short ones.",
    confused_with="`unmasked_padding`, which is checked first: its gradient vanishes on the padding. In `vanishing`, "
    f"the gradient shrinks from layer to layer. {PROOF}",
    advice=(
        *THROUGH_TIME,
        Advice("`mask_zero=True` or a `Masking` layer, if steps are padding", "masked_padding"),
    ),
    reads=("time_decades",),
    limits=(Limit("time_decades", "time_decades"),),
    needs_misfit=True,
    is_tentative=True,
    is_recurrent=True,
    is_refuted=lambda evidence: True,
)
