"""Causes that lie in the model as it is built and compiled: its output, its symmetry, and what of it is trained."""

from functools import partial

import pandas as pd

from pipeline.diagnosis.rules.cause import Cause, Evidence, Try, no_parameter, verb
from pipeline.diagnosis.setting import Setting
from pipeline.foundations.colours import DARK_OLIVE, KHAKI, OLIVE, YELLOW
from pipeline.history.record import MISFITS
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.variant_params import VariantParams
from pipeline.remedies import recipe_remedies
from pipeline.remedies.recipe_remedies import Remedies

# What to do against each of MISFITS, by its name.
FITTING = {
    "constant output": "`sigmoid` instead of `softmax` on one output unit (classes), or none (numbers)",
    "constant loss": "one output unit with `sigmoid` and `binary_crossentropy`, or one unit a class with `softmax`",
    "outputs that are no probabilities": "`sigmoid` (two classes) or `softmax` (more) on the output, or a loss with "
    "`from_logits=True` on a linear one",
    "probabilities where the loss takes logits": "no activation on the output, or a loss without `from_logits`",
    "outputs that do not sum to 1": "`softmax` on the output, for one class a row",
    "outputs that always sum to 1": "instead of `softmax`, no activation on the output for numbers, or `sigmoid` "
    "with `binary_crossentropy` for several labels a row",
    "a rectified score": "`sigmoid` on the output instead of `relu`",
    "a loss whose arguments are swapped": "a loss that takes the targets first, then the outputs, as Keras gives them",
    "a loss that is no smaller where outputs are right": "a loss of Keras's own, or one that is least where "
    "the outputs are the targets",
    "a loss that holds each output against all targets": "targets of the outputs' shape, (rows, 1) and not (rows,), or "
    "`keras.ops.squeeze(outputs, -1)` in the loss: else their difference has the shape (rows, rows)",
    "labels beyond the outputs": "one softmax unit a class, with labels from 0 and a sparse categorical cross-entropy",
}

OF_OWN_LOSSES = (
    "a loss whose arguments are swapped",
    "a loss that is no smaller where outputs are right",
    "a loss that holds each output against all targets",
)


# Published as the most frequent fault of all (DeepLocalize, UMLAUT, NeuraLint have it as rules on names). Here the
# outputs are measured at their limits, and held against loss and targets. A linear output with a squared error on
# classes is let pass, for it can learn.
def _misfits(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return (evidence.output_misfit > 0) | (evidence.targets_beyond > params.targets_beyond)


def _say_misfit(rows: pd.DataFrame, bound: float | None) -> str:
    known = rows.output_misfit.dropna()
    what = MISFITS[int(known.mode().iloc[0])] if (known > 0).any() else "targets beyond the output's range"
    return f"{len(rows)} {verb(rows, 'has', 'have')} an output that does not fit loss and targets ({what})"


def _one_misfit(found: Evidence) -> str:
    beyond = found["targets_beyond"] or 0
    seen = []
    if found["output_misfit"]:
        misfit = MISFITS[int(found["output_misfit"])]
        seen.append(f"The output does not fit loss and targets: {misfit}. What fits: {FITTING[misfit]}.")
    if beyond:
        seen.append(f"{100 * beyond:.0f}% of the targets lie outside what the output can give.")
    return " ".join(seen)


def _has_misfit(name: str, setting: Setting) -> bool:
    return setting.number("output_misfit") == MISFITS.index(name)


OUTPUT_MISMATCH = Cause(
    "output_mismatch",
    _misfits,
    YELLOW,
    _say_misfit,
    no_parameter,
    instead="no gradient can bring the output where the targets are",
    family="model",
    says=_one_misfit,
    reads=("output_misfit", "targets_beyond"),
    tries=(
        *(Try(FITTING[each], fits=partial(_has_misfit, each)) for each in OF_OWN_LOSSES),
        Try(
            "an output that fits the task: `sigmoid` on one unit with `binary_crossentropy` for two classes, "
            "`softmax` on one unit a class with a categorical cross-entropy for more, no activation with a squared "
            "error for numbers",
            "fitting_output",
            fits=lambda setting: not any(_has_misfit(each, setting) for each in OF_OWN_LOSSES),
        ),
        Try(
            "scaled targets, where a bounded output is wanted",
            "scaled_targets",
            fits=lambda setting: setting.number("targets_beyond") != 0,
        ),
    ),
    at_start=True,
)


def _output_is_dead(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.dead_output == 1


def _say_dead_output(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} {verb(rows, 'has', 'have')} a dead output: 0 on every training input, without a slope"


DEAD_OUTPUT = Cause(
    "dead_output",
    _output_is_dead,
    OLIVE,
    _say_dead_output,
    no_parameter,
    instead="a dead output sends none back",
    family="model",
    says=lambda found: "The output layer is off on every row of the probe: it gives 0, and no gradient leaves it.",
    reads=("dead_output",),
    tries=(
        Try("no `relu` on the output: none for numbers, `sigmoid` for two classes", "fitting_output"),
        Try("a smaller learning rate, where it died in training", "smaller_steps"),
    ),
)


# Units of a layer that begin equal get equal gradients and stay equal (Goodfellow et al. 2016, section 8.4).
def _is_symmetric(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.equal_layer.notna()


def _say_symmetric(rows: pd.DataFrame, bound: float | None) -> str:
    layer = rows.equal_layer.median()
    return f"{len(rows)} {verb(rows, 'has', 'have')} a layer of equal units (layer {layer:.0f}): it counts as one unit"


def _against_symmetry(recipe: VariantParams, epochs: int) -> Remedies:
    return (recipe_remedies.scaled_kernels("random kernels make units differ", output_too=True),)


SYMMETRIC = Cause(
    "symmetric",
    _is_symmetric,
    KHAKI,
    _say_symmetric,
    _against_symmetry,
    instead="all units of a layer get the same one",
    family="model",
    says=lambda found: (
        f"All units of layer {found['equal_layer']} have the same weights, so they get the same gradient and stay "
        "equal: the layer counts as one unit."
    ),
    reads=("equal_layer",),
    tries=(
        Try("random kernels, such as Keras's own, `glorot_uniform`; zeros serve for biases alone", "fresh_kernels"),
    ),
)


# A body that is frozen on purpose is no fault where the network learns, so this is no alarm.
def _is_frozen(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.frozen_layer.notna()


def _say_frozen(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} {verb(rows, 'has', 'have')} a frozen layer ({rows.frozen_layer.median():.0f}): it never moved"


FROZEN = Cause(
    "frozen",
    _is_frozen,
    DARK_OLIVE,
    _say_frozen,
    no_parameter,
    instead="it reaches a layer that is not trained",
    family="model",
    says=lambda found: f"Layer {found['frozen_layer']} has a gradient, and its kernel moved in no recorded epoch.",
    tries=(
        Try(
            "`compile` again after `trainable` was changed: the training step keeps what it was compiled with",
            "trained_layers",
        ),
        Try("`trainable = True` for the layers that the task needs, with a smaller learning rate"),
    ),
    alarm=False,
)
