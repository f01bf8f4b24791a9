"""Causes that lie in the signals on their way through the layers: too large, off, flat or too small."""

import pandas as pd

from pipeline.diagnosis.rules.cause import Cause, Evidence, Try, reference, verb
from pipeline.diagnosis.setting import Setting
from pipeline.diagnosis.theory import is_rectified
from pipeline.foundations.colours import BLACK, GREEN, ORANGE, PURPLE, VERMILION
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.variant_params import VariantParams
from pipeline.remedies import recipe_remedies
from pipeline.remedies.recipe_remedies import Remedies


def _explodes(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.nonfinite_epoch.notna() | (evidence.loss_growth > params.explosion_growth)


def _say_exploding(rows: pd.DataFrame, bound: float | None) -> str:
    broken = rows.nonfinite_epoch.dropna()
    when = f"first not finite at epoch {broken.median():.0f} (median)" if len(broken) else "finite throughout"
    growth = rows.loss_growth.max()
    grown = "" if pd.isna(growth) else f"loss up to {growth:.2g} times a constant guess's; "
    return f"{len(rows)} exploded ({grown}{when})"


def _against_exploding(recipe: VariantParams, epochs: int) -> Remedies:
    return (
        recipe_remedies.smaller_steps(recipe, "smaller steps do not run away", "Pascanu et al. 2013, arXiv 1211.5063"),
        recipe_remedies.clipped(recipe, "no gradient is longer than 1"),
        recipe_remedies.scaled_kernels("signals keep their scale"),
        recipe_remedies.normalised("each layer's signals are brought back to one scale"),
    )


# Against dead layers the order of remedies is that of what was tried: the study `remedies` of params.yaml, on rectified
# networks of 20 hidden layers of 5 units, with what did not help there at the end. For the others it is the
# literature's.


def _is_dead(evidence: pd.DataFrame) -> pd.Series:
    return evidence.dead_layer.notna()


def _is_born_dead(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return _is_dead(evidence) & (evidence.born_dead == 1)


def _say_born_dead(rows: pd.DataFrame, bound: float | None) -> str:
    layer = rows.dead_layer.median()
    theory = "" if bound is None else f"; theory allows at most {100 * bound:.0f}% for rectified units"
    return (
        f"{len(rows)} {verb(rows, 'was', 'were')} born dead (layer {layer:.0f} in the median: zero on every "
        f"training input before the first step{theory})"
    )


def _against_born_dead(recipe: VariantParams, epochs: int) -> Remedies:
    units = min(recipe.widths[1:] or recipe.widths)  # the first layer lives
    which = "a layer" if len(set(recipe.widths)) == 1 else "the narrowest layer"
    bounded = f"{which} is born dead with probability of at most 2^-{2 * units}, not 2^-{units}"
    reason = bounded if is_rectified(recipe) else "all units of a wider layer are seldom dead together"
    return (
        recipe_remedies.residual(recipe, "a path leads around a dead layer"),
        recipe_remedies.wider(recipe, reason, "Lu et al. 2020, arXiv 1903.06733"),
        *recipe_remedies.never_off(),
        recipe_remedies.asymmetric("one positive entry a unit keeps it on for some input"),
    )


def _died(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return _is_dead(evidence) & (evidence.born_dead != 1)


def _say_died(rows: pd.DataFrame, bound: float | None) -> str:
    after, by = rows.died_after.median(), rows.died_by.median()
    when = "" if pd.isna(by) else f" (median: {_when(None if pd.isna(after) else after, by)})"
    return f"{len(rows)} died in training{when}"


def _when(after: float | None, by: float) -> str:
    if after is None:
        return f"by epoch {by:.0f}"
    first, last = f"{after:.0f}", f"{by:.0f}"
    return f"at epoch {last}" if first == last else f"between epochs {first} and {last}"


def _against_dying(recipe: VariantParams, epochs: int) -> Remedies:
    return (
        recipe_remedies.residual(recipe, "a path leads around a dead layer"),
        recipe_remedies.wider(recipe, "all units of a wider layer seldom die together", "Lu et al. 2020"),
        *recipe_remedies.never_off(),
        recipe_remedies.smaller_steps(recipe, "a step too large can turn off a whole layer", "Lu et al. 2020"),
    )


def _is_saturated(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.saturated_share > params.saturated_share


def _say_saturated(rows: pd.DataFrame, bound: float | None) -> str:
    layer, share = rows.saturated_layer.median(), 100 * rows.saturated_share.median()
    which = "a layer" if pd.isna(layer) else f"layer {layer:.0f}"
    return f"{len(rows)} {verb(rows, 'is', 'are')} saturated ({which}: {share:.0f}% of its units)"


def _against_saturation(recipe: VariantParams, epochs: int) -> Remedies:
    kept = "symmetric kernels of the right scale keep units where they have a slope"
    return (
        recipe_remedies.scaled_kernels(kept, output_too=True),
        recipe_remedies.rectified("it does not saturate; mind dead layers"),
        recipe_remedies.normalised("units are brought back to where they have a slope"),
    )


def _vanishes(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    in_a_layer = evidence.gradient_ratio < params.vanishing_ratio
    in_all = evidence.gradient_scale < params.vanishing_scale
    return ~_is_dead(evidence) & (evidence.dead_output != 1) & (in_a_layer | in_all)


def _say_vanishing(rows: pd.DataFrame, bound: float | None) -> str:
    ratio, scale = rows.gradient_ratio.median(), rows.gradient_scale.median()
    numbers = ", ".join(
        [
            *([] if pd.isna(ratio) else [f"the smallest hidden layer's is {ratio:.1g} of the output layer's"]),
            *([] if pd.isna(scale) else [f"the largest {scale:.1g} of a constant guess's loss"]),
        ]
    )
    return f"{len(rows)} {verb(rows, 'has', 'have')} a vanishing gradient (median: {numbers})"


def _against_vanishing(recipe: VariantParams, epochs: int) -> Remedies:
    doubled = f"{2 * recipe.units} units halve" if isinstance(recipe.units, int) else "twice the units halve"
    halved = f"gradients spread with depth over width: {doubled} it"
    return (
        recipe_remedies.rectified("a slope of 1 passes the error on"),
        recipe_remedies.wider(recipe, halved, "Hanin 2018, arXiv 1801.03744"),
        recipe_remedies.adam("its steps do not shrink with the gradient"),
        recipe_remedies.orthogonal("keeps lengths exactly"),
        recipe_remedies.residual(recipe, "an identity path passes the error on undiminished"),
        recipe_remedies.normalised("each layer's signals are brought back to one scale"),
        recipe_remedies.random_walk(recipe, "the gradient's length has no drift"),
        recipe_remedies.pretrained("layer_wise", "each layer learns while it is next to the output"),
    )


def _one_exploding(found: Evidence) -> str:
    if found["nonfinite_epoch"] is not None:
        return f"A loss, gradient or weight was first NaN or infinite at epoch {found['nonfinite_epoch']:.0f}."
    return f"The loss rose to {found['loss_growth']:.2g} times {reference(found)}."


def _one_born_dead(found: Evidence) -> str:
    return f"Layer {found['dead_layer']} was off on every row of the probe before the first step, and is at the end."


def _one_died(found: Evidence) -> str:
    after, by = found["died_after"], found["died_by"]
    off = f"Layer {found['dead_layer']} is off on every row of the probe at the end, so it gets no gradient from them."
    return off if by is None else f"{off} The first layer that stayed off went off {_when(after, by)}."


def _one_saturated(found: Evidence) -> str:
    share = 100 * found["saturated_share"]
    which = "a layer" if found["saturated_layer"] is None else f"layer {found['saturated_layer']}"
    when = "at the start, or for most of the training"
    return f"{share:.0f}% of the outputs of {which} lay where its activation is flat, {when}."


def _one_vanishing(found: Evidence) -> str:
    ratio, scale, said = found["gradient_ratio"], found["gradient_scale"], []
    if ratio is not None and found["smallest_layer"] is not None:
        said.append(f"The gradient of layer {found['smallest_layer']} is {ratio:.1g} of the output layer's.")
    if scale is not None:
        said.append(f"The largest hidden gradient is {scale:.1g} of {reference(found)}.")
    return " ".join(said)


def _numbers(setting: Setting) -> bool:
    return setting.has_numbers


def _feedforward(setting: Setting) -> bool:
    return setting.is_feedforward


def _recurrent(setting: Setting) -> bool:
    return setting.is_recurrent


TANH_CELLS = "`tanh` in recurrent layers, not `relu`: it has bounds, and is never off"
EXPLODING = Cause(
    "exploding",
    _explodes,
    BLACK,
    _say_exploding,
    _against_exploding,
    instead="it grows without bound",
    family="signals",
    says=_one_exploding,
    reads=("loss_growth",),
    tries=(
        Try("a tenth of the learning rate", "smaller_steps"),
        Try(
            "inputs, and the targets of a regression, scaled to mean 0 and standard deviation 1",
            "scaled_inputs",
            "scaled_targets",
            fits=_numbers,
        ),
        Try("gradients clipped by the optimizer's `global_clipnorm=1.0`", "clipped_gradients"),
        Try(TANH_CELLS, "bounded_cells", fits=_recurrent),
    ),
)
BORN_DEAD = Cause(
    "born_dead",
    _is_born_dead,
    VERMILION,  # dead in warm colours
    _say_born_dead,
    _against_born_dead,
    instead="a dead layer passes none at all",
    family="signals",
    says=_one_born_dead,
    reads=("born_dead",),
    tries=(
        Try("`leaky_relu` or `elu`, which are never off for good", "leaky_units", fits=_feedforward),
        Try(TANH_CELLS, fits=_recurrent),
        Try("more units in the layer: all of them are seldom off together", "wider_layers"),
        Try("a path around the layer (residual), or fewer layers", "residual", fits=_feedforward),
        Try("inputs scaled around 0, and biases that start at 0", "scaled_inputs", "fresh_kernels", fits=_numbers),
    ),
    layer="dead_layer",
    at_start=True,
)
DIED_IN_TRAINING = Cause(
    "died_in_training",
    _died,
    ORANGE,
    _say_died,
    _against_dying,
    instead="a dead layer passes none at all, however large it is elsewhere",
    family="signals",
    says=_one_died,
    reads=("born_dead",),
    tries=(
        Try("a tenth of the learning rate: a step too large can turn off a whole layer", "smaller_steps"),
        Try("`leaky_relu` or `elu`, which are never off for good", "leaky_units", fits=_feedforward),
        Try(TANH_CELLS, fits=_recurrent),
        Try("more units in the layer, or a path around it (residual)", "wider_layers", "residual"),
        Try("no rectifier on an output whose targets may be negative", "fitting_output"),
    ),
    layer="dead_layer",
)
SATURATED = Cause(
    "saturated",
    _is_saturated,
    PURPLE,
    _say_saturated,
    _against_saturation,
    instead="units sit where their activation is flat",
    family="signals",
    says=_one_saturated,
    reads=("saturated_share",),
    tries=(
        Try("inputs scaled to mean 0 and standard deviation 1", "scaled_inputs", fits=_numbers),
        Try(
            "kernels from `glorot_uniform`, which keep units where they have a slope",
            "fresh_kernels",
            fits=_feedforward,
        ),
        Try(
            "Keras's own kernels in recurrent layers: `glorot_uniform`, and `orthogonal` for the recurrent ones",
            "fresh_kernels",
            fits=lambda setting: not setting.is_feedforward,
        ),
        Try(
            "batch normalisation before the activation, or `relu` in hidden layers",
            "batch_normalization",
            "rectified_units",
            fits=_feedforward,
        ),
        Try("a `LayerNormalization` before or behind a recurrent layer", fits=_recurrent),
        Try("a smaller learning rate, where it came in training", "smaller_steps"),
    ),
    layer="saturated_layer",
    at_start=True,
)
VANISHING = Cause(
    "vanishing",
    _vanishes,
    GREEN,
    _say_vanishing,
    _against_vanishing,
    instead=None,
    family="signals",
    says=_one_vanishing,
    reads=("gradient_scale",),
    tries=(
        Try("`LSTM` or `GRU` layers instead of `SimpleRNN`, with `orthogonal` recurrent kernels", fits=_recurrent),
        Try("shorter sequences, or several steps put together as one", fits=_recurrent),
        Try("a `LayerNormalization` or a path (residual) around each of several recurrent layers", fits=_recurrent),
        Try(
            "`relu` with `he_normal` kernels in hidden layers, not sigmoid or tanh",
            "rectified_units",
            fits=_feedforward,
        ),
        Try("batch normalisation, or residual connections", "batch_normalization", "residual", fits=_feedforward),
        Try("Adam, whose steps do not shrink with the gradient", "adam"),
        Try("fewer or wider layers", fits=_feedforward),
    ),
    layer="smallest_layer",
    at_start=True,
)
