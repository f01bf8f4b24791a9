"""Checks of the layers: what nothing trains, dead and saturated layers, and how far the gradient reaches."""

from typing import Final

import numpy as np

from pipeline.diagnosis.rules.cause import number
from pipeline.diagnosis.rules.dead_layer_rules import BORN_DEAD
from pipeline.diagnosis.rules.model_rules import CONSTANTS, FROZEN, SYMMETRIC
from pipeline.diagnosis.rules.signal_rules import SATURATED, VANISHING
from pipeline.diagnosis.rules.step_rules import UNTRACKED_WEIGHTS
from pipeline.foundations.untyped import Array
from pipeline.history.record import BESIDE, HIDDEN
from pipeline.watch.checks.check_line import FAULT, FINE, HINT, CheckLine
from pipeline.watch.checks.first_steps import FirstSteps
from pipeline.watch.checks.one_check import Check, NothingToCheckError, NotRunError, advice_against, cause_check, holds

SHOWN: Final = 4  # layers in one line


def _check_trained(steps: FirstSteps) -> CheckLine:
    """Return the line on kernels that never change: frozen on purpose, or by mistake."""
    if "frozen_layer" not in steps.after or "weight_change_l1" not in steps.history:
        raise NotRunError("changes of weights were not measured")
    if holds(FROZEN.rule, steps.after, steps) and not _is_frozen_on_purpose(steps):
        advice = advice_against(FROZEN, steps)
        numbers = {"frozen_layer": steps.numbers["frozen_layer"]}
        return CheckLine("trained layers", FAULT, FROZEN.says(steps.numbers), advice, FROZEN.name, numbers)
    untrained = [layer.path for layer in steps.table if not layer.trainable]
    if untrained:
        sentence = f"{len(untrained)} of {len(steps.table)} kernels have `trainable=False`: {_names(untrained)}."
        return CheckLine("trained layers", FINE, sentence)
    changes = steps.history.weight_change_l1.values[0]
    still = [layer.path for layer, change in zip(steps.table, changes.T, strict=True) if not np.nansum(change)]
    if still:
        sentence = f"{len(still)} of {len(steps.table)} kernels did not change in the first batches: {_names(still)}."
        return CheckLine("trained layers", FINE, f"no kernel is frozen by mistake; {sentence}")
    return CheckLine("trained layers", FINE, "every kernel changed in the first batches.")


def _is_frozen_on_purpose(steps: FirstSteps) -> bool:
    """Return whether the frozen layer was untrainable when the model was compiled, so the user knows of it."""
    frozen = steps.numbers["frozen_layer"]
    return any(layer.path == frozen and not layer.trainable for layer in steps.table)


def _check_gradients(steps: FirstSteps) -> CheckLine:
    """Return the line on kernels without any gradient, before the first step and after the first batches."""
    gradients = _gradients(steps)
    if steps.start_numbers["dead_layer"] is not None:
        raise NotRunError("dead layers stop the gradient: see the line on dead layers")
    if steps.start_numbers["output_misfit"] in CONSTANTS:
        raise NotRunError("a constant output passes no gradient: see the line on the output")
    is_trained = [layer.trainable and layer.role != BESIDE for layer in steps.table]
    has_no_gradient = (gradients == 0).all(axis=0) & np.array(is_trained)
    paths = [layer.path for layer, is_missing in zip(steps.table, has_no_gradient, strict=True) if is_missing]
    if not paths:
        return CheckLine("layers without gradient", FINE, "every trained kernel has a gradient.")
    sentence = f"{len(paths)} of {len(steps.table)} kernels have a gradient of exactly 0: {_names(paths)}."
    advice = (
        "connect these layers to the output that the loss reads, without `stop_gradient`, `argmax`, `round` or NumPy"
    )
    return CheckLine("layers without gradient", FAULT, sentence, advice, "vanishing", {"layers": ", ".join(paths)})


def _check_reach(steps: FirstSteps) -> CheckLine:
    gradients = _gradients(steps)[0]
    numbers = {
        layer.path: float(value)
        for layer, value in zip(steps.table, gradients, strict=True)
        if layer.role != BESIDE and np.isfinite(value)
    }
    if all(layer.role == BESIDE for layer in steps.table):
        raise NothingToCheckError("the model has only embeddings and scales, whose gradients no rule judges")
    if not numbers and steps.start_numbers["nonfinite_share"]:
        raise NotRunError("rows with NaN or infinite numbers make all gradients NaN")
    if not numbers:
        advice = "look for a division by 0, a logarithm of 0 or a root of 0 in the loss and in layers of your own"
        return CheckLine("gradient", FAULT, "all gradients are NaN or infinite.", advice, "exploding")
    if not any(layer.role == HIDDEN for layer in steps.table):
        raise NothingToCheckError("the model has no hidden layer")
    if not any(numbers.values()):
        raise NotRunError("all gradients are exactly 0: see the lines on dead layers and on the output")
    # A large kernel has a small mean gradient, so before training only comparisons between layers count.
    if holds(VANISHING.rule, steps.start.assign(gradient_scale=np.nan), steps):
        says = VANISHING.says(steps.start_numbers)
        return CheckLine("gradient", HINT, says, advice_against(VANISHING, steps), VANISHING.name, numbers)
    places = list(numbers)
    first, last = places[0], places[-1]
    sentence = f"the mean |gradient| is {numbers[first]:.2g} in {first} and {numbers[last]:.2g} in {last}."
    return CheckLine("gradient", FINE, sentence, numbers=numbers)


def _gradients(steps: FirstSteps) -> Array:
    """Return the mean |gradient| on the probe, [recorded epoch, layer].

    Raises:
        NotRunError: it was not measured.
    """
    if "probe_gradient_mean_abs" not in steps.history:
        raise NotRunError("the training step computes the loss itself, so no gradient was measured on the probe")
    gradients: Array = steps.history.probe_gradient_mean_abs.values[0]
    return gradients


def _names(paths: list[str]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return f"{', '.join(paths[:SHOWN])}{more}"


CHECKS: Final = (
    cause_check(
        "untracked weights",
        UNTRACKED_WEIGHTS,
        FAULT,
        ["untracked_share"],
        lambda numbers: "Keras tracks all weights that the training step reads.",
        NotRunError("the training step was not traced here"),
        at_start=False,
    ),
    Check("trained layers", _check_trained),
    Check("layers without gradient", _check_gradients),
    cause_check(
        "dead layers",
        BORN_DEAD,
        FAULT,
        ["born_dead"],
        lambda numbers: "no hidden layer is dead.",
        NotRunError("no hidden layer has an activation that was measured"),
    ),
    cause_check(
        "equal units",
        SYMMETRIC,
        FAULT,
        ["first_gradient"],
        lambda numbers: "the units of each layer differ.",
        NotRunError("weights were not measured"),
        at_start=False,
    ),
    cause_check(
        "saturated layers",
        SATURATED,
        HINT,
        ["saturated_share"],
        lambda numbers: f"at most {100 * number(numbers, 'saturated_share'):.0f}% of a layer's outputs are saturated.",
        NotRunError("no hidden layer has an activation that was measured"),
    ),
    Check("gradient", _check_reach),
)
