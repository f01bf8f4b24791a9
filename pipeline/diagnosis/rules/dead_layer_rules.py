"""Causes in dead layers: dead before the first step, or later."""

import pandas as pd

from pipeline.diagnosis.palette import ORANGE, VERMILION
from pipeline.diagnosis.rules.cause import Advice, Cause, Evidence, number, verb
from pipeline.diagnosis.setting import Setting
from pipeline.diagnosis.theory import is_rectified
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.variant_params import VariantParams
from pipeline.remedies.recipe_changes import Against
from pipeline.remedies.remedy import WIDER

LU = "Lu et al. 2020, arXiv 1903.06733"
TANH_CELLS = "`tanh` instead of `relu` in recurrent layers: it is bounded and never dead"


# The remedies against dead layers are sorted by their results in the study `remedies` of params.yaml, on ReLU networks
# of 20 hidden layers of 5 units; those that did not help are last. Against other causes the order is that of the
# literature.
def _is_born_dead(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.dead_layer.notna() & (evidence.born_dead == 1)


def _sentence_on_born_dead(rows: pd.DataFrame, bound: float | None) -> str:
    layer = rows.dead_layer.median()
    theory = "" if bound is None else f"; theory allows at most {100 * bound:.0f}% for rectified units"
    return (
        f"{len(rows)} {verb(rows, 'was', 'were')} born dead (layer {layer:.0f} in the median: zero on every "
        f"training input before the first step{theory})"
    )


def _says_born_dead(evidence: Evidence) -> str:
    return f"Layer {evidence['dead_layer']} was dead on every probe row before the first step, and is dead at the end."


def _why_wider_layers_live(variant: VariantParams) -> str:
    if not is_rectified(variant):
        return "the units of a wider layer are seldom all dead"
    units = min(variant.widths[1:] or variant.widths)  # the first layer lives
    layer = "a layer" if len(set(variant.widths)) == 1 else "the narrowest layer"
    return f"{layer} is born dead with a probability of at most 2^-{WIDER * units}, not 2^-{units}"


BORN_DEAD = Cause(
    "born_dead",
    "signals",
    _is_born_dead,
    VERMILION,  # dead in warm colours
    _sentence_on_born_dead,
    _says_born_dead,
    means="every unit of a hidden layer has activation 0 and slope 0 on every training input, before the first step "
    "and at the end, and no skip connection bypasses the layer",
    condition="`dead_layer` exists, and `born_dead` is 1",
    looks_like="A flat loss at the baseline from the first epoch on.",
    confused_with="`vanishing`. A dead layer passes no gradient at all, so larger gradients do not help.",
    remedies=(
        Against("residual", "a skip connection bypasses a dead layer"),
        Against("wider_layers", _why_wider_layers_live, LU),
        Against("elu_units", "its slope is never 0"),
        Against("leaky_units", "no unit stays dead"),
        Against("asymmetric_kernels", "one positive weight per unit keeps it on for some inputs"),
    ),
    advice=(
        Advice("`leaky_relu` or `elu`, whose units never stay dead", "leaky_units", fits=Setting.is_feedforward),
        Advice(TANH_CELLS, fits=Setting.is_recurrent),
        Advice("more units in the layer, because many units are seldom all dead", "wider_layers"),
        Advice(
            "a skip connection around the layer (residual), or fewer layers", "residual", fits=Setting.is_feedforward
        ),
        Advice(
            "inputs scaled around 0, and biases that start at 0",
            "scaled_inputs",
            "fresh_kernels",
            fits=Setting.has_numbers,
        ),
    ),
    layer="dead_layer",
    at_start=True,
    reads=("born_dead",),
    needs_misfit=True,
)


def _died(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.dead_layer.notna() & (evidence.born_dead != 1)


def _sentence_on_death(rows: pd.DataFrame, bound: float | None) -> str:
    after, by = rows.died_after.median(), rows.died_by.median()
    when = "" if pd.isna(by) else f" (median: {_when(None if pd.isna(after) else after, by)})"
    return f"{len(rows)} died in training{when}"


def _when(after: float | None, by: float) -> str:
    if after is None:
        return f"by epoch {by:.0f}"
    first, last = f"{after:.0f}", f"{by:.0f}"
    return f"at epoch {last}" if first == last else f"between epochs {first} and {last}"


def _says_death(evidence: Evidence) -> str:
    layer = evidence["dead_layer"]
    sentence = f"At the end, layer {layer} is dead on every probe row, so these rows give it no gradient."
    if evidence["died_by"] is None:
        return sentence
    after = None if evidence["died_after"] is None else number(evidence, "died_after")
    return f"{sentence} The first layer died for good {_when(after, number(evidence, 'died_by'))}."


DIED_IN_TRAINING = Cause(
    "died_in_training",
    "signals",
    _died,
    ORANGE,
    _sentence_on_death,
    _says_death,
    means="a hidden layer that no skip connection bypasses is dead at the end, but was not before the first step. "
    "Momentum can revive a layer, so the epoch is the first one after which some layer is always dead",
    condition="`dead_layer` exists, and `born_dead` is not 1",
    looks_like="A loss that jumps to the baseline and stays there, or falls and then becomes flat.",
    confused_with="`vanishing`, and `dead_output`, which is about the last layer.",
    remedies=(
        Against("residual", "a skip connection bypasses a dead layer"),
        Against("wider_layers", "the units of a wider layer seldom all die", LU),
        Against("elu_units", "its slope is never 0"),
        Against("leaky_units", "no unit stays dead"),
        Against("smaller_steps", "one step that is too large can kill a whole layer", LU),
    ),
    advice=(
        Advice("a tenth of the learning rate: one step that is too large can kill a whole layer", "smaller_steps"),
        Advice("`leaky_relu` or `elu`, whose units never stay dead", "leaky_units", fits=Setting.is_feedforward),
        Advice(TANH_CELLS, fits=Setting.is_recurrent),
        Advice("more units in the layer, or a skip connection around it (residual)", "wider_layers", "residual"),
        Advice("no `relu` on an output whose targets may be negative", "fitting_output"),
    ),
    layer="dead_layer",
    reads=("born_dead",),
    needs_misfit=True,
)
