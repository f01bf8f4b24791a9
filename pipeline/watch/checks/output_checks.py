"""Checks of the outputs: their shapes, their range against loss and targets, metrics, and the loss at the start."""

from typing import Final

import keras
import numpy as np

from pipeline.diagnosis.rules.model_rules import DEAD_OUTPUT, FITTING, OUTPUT_MISMATCH
from pipeline.diagnosis.rules.signal_rules import EXPLODING
from pipeline.history import record
from pipeline.models.loss_names import DISTANCES, loss_of
from pipeline.watch.checks.check_line import FAULT, FINE, HINT, CheckLine, Level
from pipeline.watch.checks.data_checks import targets_of
from pipeline.watch.checks.first_steps import FirstSteps
from pipeline.watch.checks.one_check import (
    Check,
    NothingToCheckError,
    NotRunError,
    cause_check,
    expect_measured,
    holds,
    notice_check,
)

NO_BIAS: Final = NotRunError(
    "the output layer has no bias that could be moved, or there are several outputs or no targets"
)
LOSS_AT_START: Final = "loss at the start"
VARYING: Final = 1e-3  # a larger difference between outputs is no rounding
HIGH_START: Final = 10  # baseline losses; random weights usually start within a few


def _check_shapes(steps: FirstSteps) -> CheckLine:
    targets_of(steps)
    data, probe = steps.watching.probe_rows, steps.watching.probe
    if data is None or probe is None or data.targets is None:
        raise NotRunError("no rows are known")
    targets = keras.tree.flatten(data.targets)
    outputs = keras.tree.flatten(probe.evaluate(probe.state(), probe.few(data, 8)).outputs)
    if len(targets) != 1 or len(outputs) != 1:
        raise NotRunError("the model has several outputs or targets")
    target, output = (tuple(each[0].shape[1:]) for each in (targets, outputs))
    sentence = f"targets have the shape {_spelled(target)}, outputs {_spelled(output)}."
    are_equal = _without_ones(target) == _without_ones(output)
    if are_equal or loss_of(steps.model)[0] not in DISTANCES:
        return CheckLine("shapes", FINE, sentence)
    advice = "give targets the shape of the outputs: this loss compares each number of an output with its own target"
    return CheckLine("shapes", FAULT, sentence, advice, OUTPUT_MISMATCH.name)


def _spelled(shape: tuple[int, ...]) -> str:
    return f"({', '.join(['rows', *map(str, shape)])})"


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _is_refuted(steps: FirstSteps) -> bool:
    """Return whether outputs vary that should be constant, because more than the output layer decides on them."""
    data, probe = steps.watching.probe_rows, steps.watching.probe
    if steps.start_numbers["output_misfit"] != record.MISFITS.index("constant output") or data is None or probe is None:
        return False
    outputs = keras.tree.flatten(probe.evaluate(probe.state(), data).outputs)
    return any(np.ptp(np.asarray(each, np.float64), axis=0).max() > VARYING for each in outputs)


def _check_output(steps: FirstSteps) -> CheckLine:
    numbers = expect_measured(steps.start_numbers, ["output_misfit", "targets_beyond"], NO_BIAS)
    if not holds(OUTPUT_MISMATCH.rule, steps.start, steps) or _is_refuted(steps):
        return CheckLine("output", FINE, "the output layer fits the loss and the targets.", numbers=numbers)
    misfit = record.MISFITS[int(steps.start_numbers["output_misfit"] or 0)]
    beyond = 100 * float(steps.start_numbers["targets_beyond"] or 0)
    sentences = [f"output, loss and targets do not fit: {misfit}."] if misfit in FITTING else []
    sentences += [f"{beyond:.0f}% of the targets lie outside the output's range."] if beyond else []
    advice = FITTING.get(misfit, "no activation on the output for numbers, or targets scaled into its range")
    return CheckLine("output", FAULT, " ".join(sentences), advice, OUTPUT_MISMATCH.name, numbers)


def _check_start(steps: FirstSteps) -> CheckLine:
    loss = steps.curve("train_loss")
    if not record.is_loss_known(steps.history) or not steps.watching.probe or not steps.watching.probe.has_loss:
        raise NotRunError("the training step computes the loss itself")
    if not np.isfinite(loss):
        advice = "look for a division by 0, a logarithm of 0 or a root of 0 in the loss and in layers of your own"
        return CheckLine(LOSS_AT_START, FAULT, f"the loss is {loss} before the first step.", advice, EXPLODING.name)
    baseline = steps.history.attrs.get("train_constant_loss")
    if baseline is None or not record.is_baseline_known(steps.history):
        return CheckLine(LOSS_AT_START, FINE, f"the loss is {loss:.4g}; the baseline loss is unknown.")
    task = record.task_of(steps.history)
    # Rare classes have a small baseline loss; guessing among the classes is what random weights can do.
    usual = max(float(baseline), np.log(len(task.names))) if task.is_classification else float(baseline)
    perfect = float(steps.history.attrs.get(f"train_{record.PERFECT_LOSS}", 0.0))
    times = (loss - perfect) / (usual - perfect) if usual > perfect else 0.0
    numbers = {"loss": loss, "baseline_loss": float(baseline), "loss_growth": times}
    sentence = f"the loss is {loss:.4g} before the first step; the best constant prediction has {float(baseline):.4g}."
    if times <= HIGH_START:
        return CheckLine(LOSS_AT_START, FINE, sentence, numbers=numbers)
    advice = "scale inputs and targets to mean 0 and standard deviation 1, and use Keras's default initializers"
    level: Level = FAULT if times > steps.params.explosion_growth else HINT
    return CheckLine(LOSS_AT_START, level, sentence, advice, EXPLODING.name, numbers)


CHECKS: Final = (
    Check("shapes", _check_shapes),
    Check("output", _check_output),
    cause_check(
        "dead output",
        DEAD_OUTPUT,
        FAULT,
        ["dead_output"],
        lambda numbers: "the output passes a gradient back.",
        NothingToCheckError("the output layer has no activation"),
    ),
    notice_check(
        "metric",
        "misleading_metric",
        HINT,
        ["metric_gap", "accuracy_of_numbers"],
        lambda numbers: "the metrics of accuracy measure the accuracy of the predictions.",
        NothingToCheckError("no metric of accuracy is compiled that has a counterpart in the record"),
    ),
    Check(LOSS_AT_START, _check_start),
)
