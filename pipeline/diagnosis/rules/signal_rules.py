"""Causes in the activations and gradients of the layers: exploding, saturated or vanishing."""

import pandas as pd

from pipeline.diagnosis.constants import NEAR_VANISHING
from pipeline.diagnosis.palette import BLACK, GREEN, PURPLE
from pipeline.diagnosis.rules.cause import Advice, Cause, Evidence, Limit, number, reference, verb
from pipeline.diagnosis.rules.dead_layer_rules import TANH_CELLS
from pipeline.diagnosis.rules.time_rules import THROUGH_TIME
from pipeline.diagnosis.setting import Setting
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.remedies.recipe_changes import Against
from pipeline.remedies.remedy import PASCANU


def _explodes(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.nonfinite_epoch.notna() | (evidence.loss_growth > params.explosion_growth)


def _sentence_on_exploding(rows: pd.DataFrame, bound: float | None) -> str:
    epochs, growth = rows.nonfinite_epoch.dropna(), rows.loss_growth.max()
    when = f"first NaN or infinite at epoch {epochs.median():.0f} (median)" if len(epochs) else "always finite"
    rise = "" if pd.isna(growth) else f"loss up to {growth:.2g} times the baseline loss; "
    return f"{len(rows)} exploded ({rise}{when})"


def _says_exploding(evidence: Evidence) -> str:
    if evidence["nonfinite_epoch"] is not None:
        epoch = number(evidence, "nonfinite_epoch")
        return f"A loss, gradient or weight was first NaN or infinite at epoch {epoch:.0f}."
    return f"The loss rose to {number(evidence, 'loss_growth'):.2g} times {reference(evidence)}."


EXPLODING = Cause(
    "exploding",
    "signals",
    _explodes,
    BLACK,
    _sentence_on_exploding,
    _says_exploding,
    means="a loss, gradient or weight is NaN or infinite, or the loss rose to many times the baseline loss",
    condition="`nonfinite_epoch` exists, or `loss_growth` > `explosion_growth`",
    looks_like="A loss that grows without limit, or is NaN after some steps.",
    confused_with="`unscaled_targets` and `non_finite_data`, which are checked first, and `learning_rate_too_large`, "
    "where the gradient was ordinary before the first step.",
    remedies=(
        Against("smaller_steps", "smaller steps do not diverge", PASCANU),
        Against("clipped_gradients", "no gradient has a norm above 1"),
        Against("fresh_kernels", "activations keep their scale from layer to layer"),
        Against("batch_normalization", "each layer's signals are brought back to one scale"),
    ),
    advice=(
        Advice(
            "weights in float32: the policy `mixed_float16`, not `float16`, in which Adam's squared gradients are 0",
            fits=lambda setting: setting.number("half_weights") == 1,
        ),
        Advice("a tenth of the learning rate", "smaller_steps"),
        Advice(
            "scale inputs, and the targets of a regression, to mean 0 and standard deviation 1",
            "scaled_inputs",
            "scaled_targets",
            fits=Setting.has_numbers,
        ),
        Advice("gradients clipped by the optimizer's `global_clipnorm=1.0`", "clipped_gradients"),
        Advice(TANH_CELLS, "bounded_cells", fits=Setting.is_recurrent),
    ),
    reads=("loss_growth",),
    limits=(Limit("loss_growth", "explosion_growth"),),
    needs_misfit=True,
)


def _is_saturated(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.saturated_share > params.saturated_share


def _sentence_on_saturation(rows: pd.DataFrame, bound: float | None) -> str:
    layer, share = rows.saturated_layer.median(), 100 * rows.saturated_share.median()
    where = "a layer" if pd.isna(layer) else f"layer {layer:.0f}"
    return f"{len(rows)} {verb(rows, 'is', 'are')} saturated (median: {share:.0f}% of the outputs of {where})"


def _says_saturation(evidence: Evidence) -> str:
    share = 100 * number(evidence, "saturated_share")
    where = "a layer" if evidence["saturated_layer"] is None else f"layer {evidence['saturated_layer']}"
    return (
        f"{share:.0f}% of the outputs of {where} were saturated (the activation is flat there), at the start or for "
        "most of the training."
    )


SATURATED = Cause(
    "saturated",
    "signals",
    _is_saturated,
    PURPLE,
    _sentence_on_saturation,
    _says_saturation,
    means="most outputs of a layer are where the activation is flat, before the first step or for most of the training",
    condition="`saturated_share` > `diagnosis.saturated_share`",
    looks_like="Sigmoid or tanh units at their limits, and a loss that falls slowly or not at all.",
    confused_with="`vanishing`, which saturated layers cause in the layers below, and `unscaled_inputs`, which is "
    "checked first.",
    remedies=(
        Against("fresh_kernels", "symmetric kernels of the right scale keep units where their slope is not 0"),
        Against("rectified_units", "ReLU does not saturate for positive inputs, but layers may die"),
        Against("batch_normalization", "it brings units back to where their slope is not 0"),
    ),
    advice=(
        Advice("scale inputs to mean 0 and standard deviation 1", "scaled_inputs", fits=Setting.has_numbers),
        Advice(
            "kernels from `glorot_uniform`, which keep units where their slope is not 0",
            "fresh_kernels",
            fits=Setting.is_feedforward,
        ),
        Advice(
            "Keras's defaults in recurrent layers: kernels from `glorot_uniform`, recurrent kernels from `orthogonal`",
            "fresh_kernels",
            fits=lambda setting: not setting.is_feedforward(),
        ),
        Advice(
            "batch normalisation before the activation, or `relu` in hidden layers",
            "batch_normalization",
            "rectified_units",
            fits=Setting.is_feedforward,
        ),
        Advice("a `LayerNormalization` before or after a recurrent layer", fits=Setting.is_recurrent),
        Advice("a smaller learning rate, if the layer saturated in training", "smaller_steps"),
    ),
    layer="saturated_layer",
    at_start=True,
    reads=("saturated_share",),
    limits=(Limit("saturated_share", "saturated_share"),),
    is_tentative=True,
    needs_misfit=True,
)


# In a deep stack of sigmoids the gradient shrinks in every layer. This does harm long before the smallest gradient is a
# thousandth of the output layer's.
def _vanishes(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    is_small_in_one = evidence.gradient_ratio < params.vanishing_ratio
    is_small_in_all = evidence.gradient_scale < params.vanishing_scale
    is_near = evidence.gradient_ratio < NEAR_VANISHING * params.vanishing_ratio
    shrinks = is_near & (evidence.gradient_profile < params.vanishing_profile)
    return evidence.dead_layer.isna() & (evidence.dead_output != 1) & (is_small_in_one | is_small_in_all | shrinks)


def _sentence_on_vanishing(rows: pd.DataFrame, bound: float | None) -> str:
    ratio, scale = rows.gradient_ratio.median(), rows.gradient_scale.median()
    numbers = [] if pd.isna(ratio) else [f"the smallest hidden gradient is {ratio:.1g} times the output layer's"]
    numbers += [] if pd.isna(scale) else [f"the largest hidden gradient is {scale:.1g} times the baseline loss"]
    return f"{len(rows)} {verb(rows, 'has', 'have')} a vanishing gradient (median: {', '.join(numbers)})"


def _says_vanishing(evidence: Evidence) -> str:
    sentences = []
    if evidence["gradient_ratio"] is not None and evidence["smallest_layer"] is not None:
        ratio = number(evidence, "gradient_ratio")
        sentences.append(f"The gradient of layer {evidence['smallest_layer']} is {ratio:.1g} times the output layer's.")
    if evidence["gradient_scale"] is not None:
        scale = number(evidence, "gradient_scale")
        sentences.append(f"The largest hidden gradient is {scale:.1g} times {reference(evidence)}.")
    return " ".join(sentences)


VANISHING = Cause(
    "vanishing",
    "signals",
    _vanishes,
    GREEN,
    _sentence_on_vanishing,
    _says_vanishing,
    means="no layer is dead, but a hidden layer's gradient is far below the output layer's, or all hidden gradients "
    "are tiny, or the gradient shrinks in every layer",
    condition="no layer is dead; and `gradient_ratio` < `vanishing_ratio`, or `gradient_scale` < `vanishing_scale`, or "
    "`gradient_profile` < `diagnosis.vanishing_profile` with `gradient_ratio` < 10 * `vanishing_ratio`",
    looks_like="A flat loss at the baseline, while only the last layer learns.",
    confused_with="dead and saturated layers, which are checked first, and `learning_rate_too_small`, where all layers "
    "get gradients.",
    remedies=(
        Against("rectified_units", "a slope of 1 does not shrink the gradient"),
        Against("wider_layers", "the spread of gradients grows with depth / width, so wider layers reduce it"),
        Against("adam", "its steps do not shrink with the gradient"),
        Against("orthogonal_kernels", "keeps lengths exactly"),
        Against("residual", "a skip connection passes the gradient on undiminished"),
        Against("batch_normalization", "each layer's signals are brought back to one scale"),
        Against("random_walk_kernels", "the gradient's length has no drift"),
        Against("layer_wise_pretraining", "each layer learns while it is next to the output"),
    ),
    advice=(
        *THROUGH_TIME,
        Advice(
            "with several recurrent layers, a `LayerNormalization` after each, or skip connections (residual)",
            fits=Setting.is_recurrent,
        ),
        Advice(
            "`relu` with `he_normal` kernels in hidden layers, not sigmoid or tanh",
            "rectified_units",
            fits=Setting.is_feedforward,
        ),
        Advice(
            "batch normalisation, or residual connections",
            "batch_normalization",
            "residual",
            fits=Setting.is_feedforward,
        ),
        Advice("Adam, whose steps do not shrink with the gradient", "adam"),
        Advice("fewer or wider layers", fits=Setting.is_feedforward),
    ),
    layer="smallest_layer",
    at_start=True,
    reads=("gradient_scale",),
    limits=(
        Limit("gradient_ratio", "vanishing_ratio", is_upper=False),
        Limit("gradient_scale", "vanishing_scale", is_upper=False),
    ),
    is_tentative=True,
    needs_misfit=True,
)
