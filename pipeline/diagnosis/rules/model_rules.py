"""Causes in the model: an output that does not fit, equal units, and layers that are not trained."""

from functools import partial

import pandas as pd

from pipeline.diagnosis.palette import DARK_OLIVE, KHAKI, OLIVE, YELLOW
from pipeline.diagnosis.rules.cause import Advice, Cause, Evidence, number, verb
from pipeline.diagnosis.setting import Setting
from pipeline.history import record
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.remedies.recipe_changes import Against

# The last two are newer than the record's list; `recorder.output_facts` has the same names.
MISFITS = (
    *record.MISFITS,
    "probabilities that cannot come near 0 or 1",
    "outputs that depend on the other rows",
)
# What to use instead, for each of MISFITS.
FITTING = {
    "constant output": "`sigmoid` instead of `softmax` on one output unit for classes, or no activation for numbers",
    "constant loss": "one output unit with `sigmoid` and `binary_crossentropy`, or one unit per class with `softmax`",
    "outputs that are no probabilities": "`sigmoid` (two classes) or `softmax` (more) on the output, or a loss with "
    "`from_logits=True` on a linear one",
    "probabilities where the loss takes logits": "no activation on the output, or a loss without `from_logits`",
    "outputs that do not sum to 1": "`softmax` on the output, for one class per row",
    "outputs that always sum to 1": "instead of `softmax`, no activation on the output for numbers, or `sigmoid` "
    "with `binary_crossentropy` for several labels per row",
    "a rectified score": "`sigmoid` on the output instead of `relu`",
    "a loss whose arguments are swapped": "a loss that takes the targets first, then the outputs, as Keras gives them",
    "a loss that is no smaller where outputs are right": "a loss of Keras, or a loss that is smallest if outputs equal "
    "targets",
    "a loss that holds each output against all targets": "targets of the outputs' shape, (rows, 1) and not (rows,), or "
    "`keras.ops.squeeze(outputs, -1)` in the loss: otherwise their difference has the shape (rows, rows)",
    "probabilities that cannot come near 0 or 1": "one `softmax` or `sigmoid`, directly behind a last layer without an "
    "activation",
    "outputs that depend on the other rows": "`softmax` over the last axis (`axis=-1`), and no operation that mixes "
    "the rows of a batch: the first axis",
    "labels beyond the outputs": "one softmax unit per class, with labels from 0 and a sparse categorical "
    "cross-entropy",
}

# A constant cannot learn. These two are seen by the biases of the output layer, and an output without a bias, or a loss
# that reads other layers, has none to see.
CONSTANTS = tuple(MISFITS.index(name) for name in ("constant output", "constant loss"))
OF_OWN_LOSSES = (
    "a loss whose arguments are swapped",
    "a loss that is no smaller where outputs are right",
    "a loss that holds each output against all targets",
)


# The most frequent fault in publications. DeepLocalize, UMLAUT and NeuraLint detect it by the names of activation and
# loss; this rule measures the output's limits, and compares them with loss and targets. A linear output with a squared
# error on classes is accepted, because it can learn.
def _misfits(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return (evidence.output_misfit > 0) | (evidence.targets_beyond > params.targets_beyond)


def _sentence_on_output(rows: pd.DataFrame, bound: float | None) -> str:
    misfits = rows.output_misfit.dropna()
    has_misfit = bool((misfits > 0).any())
    misfit = MISFITS[int(misfits.mode().iloc[0])] if has_misfit else "targets outside the output's range"
    return f"{len(rows)} {verb(rows, 'has', 'have')} an output that does not fit loss and targets ({misfit})"


def _says_output(evidence: Evidence) -> str:
    sentences = []
    if evidence["output_misfit"]:
        misfit = MISFITS[int(number(evidence, "output_misfit"))]
        sentences.append(f"The output does not fit loss and targets: {misfit}. Use instead: {FITTING[misfit]}.")
    if evidence["targets_beyond"]:
        share = 100 * number(evidence, "targets_beyond")
        sentences.append(f"{share:.0f}% of the targets lie outside the output's range.")
    return " ".join(sentences)


def _has_misfit(name: str, setting: Setting) -> bool:
    return setting.number("output_misfit") == MISFITS.index(name)


OUTPUT_MISMATCH = Cause(
    "output_mismatch",
    "model",
    _misfits,
    YELLOW,
    _sentence_on_output,
    _says_output,
    means="the output layer, the loss and the targets do not fit each other: a constant output, no probabilities "
    "though the loss takes them, probabilities though it takes logits, sums that are not 1, labels beyond the outputs, "
    "targets outside the output's range, probabilities that cannot come near 0 or 1 (two softmax layers, or `relu` "
    "before `softmax`), or outputs that depend on the other rows of a batch",
    measured="The output's range is measured by changing the biases of the output layer, so this layer needs a bias. A "
    "loss of your own (a function, a `Loss`, a `compute_loss`) is also called with outputs that equal the targets. "
    "This finds swapped arguments, a loss that is no smaller than for a constant, and targets (n,) with outputs "
    "(n, 1), whose difference is (n, n). The last fault is also found in your own `train_step`.",
    condition="`output_misfit` > 0, or `targets_beyond` > `diagnosis.targets_beyond`",
    looks_like="Every prediction is the same, or never reaches the targets. With one softmax unit the loss may fall "
    "nevertheless, because Keras on TensorFlow computes cross-entropies from stored logits.",
    confused_with="`vanishing` and `dead_output`, its symptoms.",
    advice=(
        *(Advice(FITTING[each], fits=partial(_has_misfit, each)) for each in OF_OWN_LOSSES),
        Advice(
            "an output that fits the task: `sigmoid` on one unit with `binary_crossentropy` for two classes, "
            "`softmax` on one unit per class with a categorical cross-entropy for more, no activation with a squared "
            "error for numbers",
            "fitting_output",
            fits=lambda setting: not any(_has_misfit(each, setting) for each in OF_OWN_LOSSES),
        ),
        Advice(
            "scaled targets, if the output must stay bounded",
            "scaled_targets",
            fits=lambda setting: setting.number("targets_beyond") != 0,
        ),
    ),
    at_start=True,
    reads=("output_misfit", "targets_beyond"),
    is_refuted=lambda evidence: evidence["output_misfit"] in CONSTANTS,
)


def _is_output_dead(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.dead_output == 1


def _sentence_on_dead_output(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} {verb(rows, 'has', 'have')} a dead output: 0 with slope 0 on every training input"


DEAD_OUTPUT = Cause(
    "dead_output",
    "model",
    _is_output_dead,
    OLIVE,
    _sentence_on_dead_output,
    lambda evidence: "The output layer is dead: on every probe row it outputs 0, and passes no gradient back.",
    means="on every training input, the output is 0 and has slope 0",
    condition="`dead_output` is 1",
    looks_like="Every prediction is exactly 0.",
    confused_with="`born_dead`, which is about hidden layers.",
    advice=(
        Advice("no `relu` on the output: no activation for numbers, `sigmoid` for two classes", "fitting_output"),
        Advice("a smaller learning rate, if it died in training", "smaller_steps"),
    ),
    reads=("dead_output",),
)


# Units of a layer that start equal get equal gradients and stay equal (Goodfellow et al. 2016, section 8.4).
def _is_symmetric(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.equal_layer.notna()


def _sentence_on_symmetry(rows: pd.DataFrame, bound: float | None) -> str:
    layer = rows.equal_layer.median()
    return f"{len(rows)} {verb(rows, 'has', 'have')} a layer of equal units (layer {layer:.0f}): it works like one unit"


SYMMETRIC = Cause(
    "symmetric",
    "model",
    _is_symmetric,
    KHAKI,
    _sentence_on_symmetry,
    lambda evidence: (
        f"All units of layer {evidence['equal_layer']} have the same weights, so they get the same gradient and stay "
        "equal: the layer works like one unit."
    ),
    means="all units of a hidden layer start equal and stay equal, except for rounding",
    condition="`equal_layer` exists",
    looks_like="A network with hidden layers that fits no better than one with a single unit.",
    confused_with="`too_few_epochs` and `unexplained`. With dropout, units that start equal are no fault, because "
    "dropout makes them differ.",
    remedies=(Against("fresh_kernels", "random kernels make units differ"),),
    advice=(
        Advice("random kernels, such as Keras's default `glorot_uniform`; zeros only for biases", "fresh_kernels"),
    ),
    reads=("equal_layer",),
)


# If the network learns, layers were frozen on purpose; so this is no alarm.
def _is_frozen(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.frozen_layer.notna()


def _sentence_on_frozen(rows: pd.DataFrame, bound: float | None) -> str:
    layer = rows.frozen_layer.median()
    return f"{len(rows)} {verb(rows, 'has', 'have')} a frozen layer (layer {layer:.0f}): its weights never changed"


FROZEN = Cause(
    "frozen",
    "model",
    _is_frozen,
    DARK_OLIVE,
    _sentence_on_frozen,
    lambda evidence: f"Layer {evidence['frozen_layer']} has a gradient, but its weights changed in no recorded epoch.",
    means="a kernel, or an embedding's table, has a gradient but never changes, while other kernels change",
    condition="`frozen_layer` exists",
    looks_like="Only the last layers learn, and the loss stops falling early.",
    confused_with="`vanishing`. Layers may be frozen on purpose, so this is no alarm if the network learns.",
    advice=(
        Advice(
            "call `compile` again after you change `trainable`: the compiled training step does not see the change",
            "trained_layers",
        ),
        Advice("set `trainable = True` for the layers that the task needs, and use a smaller learning rate"),
    ),
    alarm=False,
)
