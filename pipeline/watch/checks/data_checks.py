"""Checks of the rows: NaN, scales, classes, weights, validation rows, and whether quick models can predict them."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from pipeline.diagnosis.rules.cause import Evidence, join, number
from pipeline.diagnosis.rules.data_rules import NON_FINITE_DATA, UNSCALED_INPUTS, UNSCALED_TARGETS
from pipeline.diagnosis.rules.label_rules import IMBALANCED, UNRELATED_LABELS, are_fed_labels_unrelated
from pipeline.diagnosis.rules.row_rules import (
    NO_SIGNAL,
    ORDERED_BATCHES,
    OUTLIER_ROWS,
    SHIFTED_VALIDATION,
    are_validation_rows_unlike,
    says_validation,
)
from pipeline.evaluation.learned import reference_in_words
from pipeline.foundations.untyped import Batch
from pipeline.recorder import input_facts
from pipeline.recorder.target_classes import classes_of
from pipeline.watch.checks.check_line import FAULT, FINE, HINT, CheckLine, Level
from pipeline.watch.checks.first_steps import FirstSteps
from pipeline.watch.checks.one_check import (
    Check,
    NothingToCheckError,
    NotRunError,
    advice_against,
    cause_check,
    expect_measured,
    holds,
    notice_check,
)
from pipeline.watch.judging.compiled_metrics import is_accuracy, metrics_of

MAJORITY: Final = 0.9  # a larger class hides the others: always predicting it is right in nine of ten rows
NO_LOSS: Final = NotRunError("the training step does not call `compute_loss`")
SHUFFLE_STREAM: Final = ORDERED_BATCHES.advice[1].words
UNUSUAL_WEIGHT: Final = 10.0  # a mean weight of rows above it, or below its inverse, acts like another learning rate


def _check_validation_numbers(steps: FirstSteps) -> CheckLine:
    data = steps.fit.arguments.get("validation_data")
    if data is None:
        raise NothingToCheckError("`fit` gets no validation data")
    if not isinstance(data, tuple | list):
        raise NotRunError("the validation data are no arrays")
    share = input_facts.of_rows(data[0], data[1] if len(data) > 1 else None)["nonfinite_share"]
    numbers = {"validation_nonfinite_share": share}
    if share == 0:
        return CheckLine("validation numbers", FINE, "no validation row has NaN or infinite numbers.", numbers=numbers)
    sentence = f"{100 * share:.2g}% of the validation rows hold a number that is NaN or infinite."
    advice = advice_against(NON_FINITE_DATA, steps)
    return CheckLine("validation numbers", FAULT, sentence, advice, NON_FINITE_DATA.name, numbers)


def _scale_in_words(numbers: Evidence) -> str:
    return (
        join(
            [
                f"the inputs of the first kernel have an RMS of {number(numbers, 'input_scale'):.2g}"
                if numbers["input_scale"] is not None
                else "",
                f"one column varies {10 ** number(numbers, 'input_decades'):.2g} times as much as a typical one"
                if numbers["input_decades"] is not None
                else "",
            ]
        )
        + "."
    )


def targets_of(steps: FirstSteps) -> Batch:
    """Return the targets: all of them if they are arrays, or else those of the probe's rows.

    Raises:
        NotRunError: there are no targets.
    """
    targets = steps.fit.arguments.get("y") if steps.fit.has_arrays else None
    if targets is None and (data := steps.watching.probe_rows) is not None:
        targets = data.targets
    if targets is None:
        raise NotRunError("`fit` gets no targets")
    return targets


def _check_classes(steps: FirstSteps) -> CheckLine:
    classes = classes_of(steps.model, targets_of(steps), "auto")
    if classes is None:
        raise NothingToCheckError("the targets are not one class for each row")
    labels, counts = np.unique(classes, return_counts=True)
    share, rarest = counts.max() / counts.sum(), counts.min() / counts.sum()
    numbers = {"classes": float(len(labels)), "largest_class_share": float(share), "rarest_class_share": float(rarest)}
    sentence = (
        f"{len(labels)} classes; the largest, {labels[counts.argmax()]}, has {100 * share:.3g}% of the rows, the "
        f"rarest, {labels[counts.argmin()]}, {100 * rarest:.3g}%."
        if share > rarest
        else f"{len(labels)} classes of equal size."
    )
    if len(labels) == 1:
        return _one_class(steps, labels[0], numbers)
    is_weighted = any(steps.fit.arguments.get(name) is not None for name in ("class_weight", "sample_weight"))
    has_accuracy = any(map(is_accuracy, metrics_of(steps.model, 0)))  # which hides rare classes; a loss or AUC does not
    if share > MAJORITY and has_accuracy and not is_weighted:
        return CheckLine("classes", HINT, sentence, advice_against(IMBALANCED, steps), IMBALANCED.name, numbers)
    return CheckLine("classes", FINE, sentence, numbers=numbers)


def _one_class(steps: FirstSteps, label: int, numbers: Mapping[str, float]) -> CheckLine:
    if steps.fit.has_arrays:
        sentence = f"all rows have the same class, {label}."
        return CheckLine("classes", FAULT, sentence, "look for the rows of the other classes", None, numbers)
    sentence = f"all rows of the first batches have the same class, {label}."
    return CheckLine("classes", FAULT, sentence, SHUFFLE_STREAM, ORDERED_BATCHES.name, numbers)


def _check_row_weights(steps: FirstSteps) -> CheckLine:
    numbers = expect_measured(steps.numbers, ["row_weight"], NO_LOSS)
    weight = number(steps.numbers, "row_weight")
    sentence = f"the mean weight of a row is {weight:.3g}."
    if 1 / UNUSUAL_WEIGHT <= weight <= UNUSUAL_WEIGHT:
        return CheckLine("row weights", FINE, sentence, numbers=numbers)
    level: Level = FAULT if weight < steps.params.lost_scale else HINT
    advice = "divide `sample_weight` or `class_weight` by its mean over the rows, so that rows weigh 1"
    return CheckLine("row weights", level, sentence, advice, "lost_updates", numbers)


def _check_validation_rows(steps: FirstSteps) -> CheckLine:
    if steps.fit.arguments.get("validation_data") is None:
        raise NothingToCheckError("`fit` gets no validation data")
    reads = ["validation_shift", "validation_spread", "validation_new_classes"]
    numbers = expect_measured(
        steps.numbers, reads, NotRunError("the validation rows, or the training rows, were not read as numbers")
    )
    if not holds(are_validation_rows_unlike, steps.after, steps):
        return CheckLine("validation rows", FINE, "validation rows are like training rows.", numbers=numbers)
    sentence, advice = says_validation(steps.numbers), advice_against(SHIFTED_VALIDATION, steps)
    level: Level = FAULT if (steps.numbers["validation_new_classes"] or 0) else HINT
    return CheckLine("validation rows", level, sentence, advice, SHIFTED_VALIDATION.name, numbers)


def _check_labels(steps: FirstSteps) -> CheckLine:
    missing = NotRunError("inputs or targets are no numbers, or the rows are too few")
    measured = expect_measured(steps.numbers, ["targets_told", "fed_told", "reference_gain"], missing)
    if holds(are_fed_labels_unrelated, steps.after, steps):
        sentence = "the targets follow from the inputs, but not in the rows that `fit` is fed."
        advice = "augment, shuffle or sort inputs and labels together"
        return CheckLine("labels", FAULT, sentence, advice, UNRELATED_LABELS.name, measured)
    if steps.setting.has_numbers() and holds(NO_SIGNAL.rule, steps.after, steps):  # no quick model multiplies ids
        sentence = "neither a quick model nor similar rows predict the targets better than chance."
        return CheckLine("labels", HINT, sentence, advice_against(UNRELATED_LABELS, steps), NO_SIGNAL.name, measured)
    told = steps.numbers["targets_told"]
    if told is None:
        return CheckLine("labels", FINE, "quick models predict the targets.", numbers=measured)
    sentence = f"targets of similar rows are {float(told):.1f} standard deviations more alike than shuffled targets."
    return CheckLine("labels", FINE, sentence, numbers=measured)


def _check_reference(steps: FirstSteps) -> CheckLine:
    if steps.rule is None or steps.rule.reference is None:
        raise NotRunError("no quick model can be scored like this output")
    if steps.rule.reference.skipped:
        raise NotRunError(f"no quick model was fitted: {steps.rule.reference.skipped}")
    sentence = reference_in_words(steps.rule).removeprefix("For comparison, ")
    numbers: dict[str, float | str | None] = dict(steps.rule.references.items())
    advice = "expect the network to reach this at least"
    return CheckLine("reference", FINE, sentence, advice, numbers=numbers)


CHECKS: Final = (
    cause_check(
        "numbers",
        NON_FINITE_DATA,
        FAULT,
        ["nonfinite_share"],
        lambda numbers: "no training row that was read has NaN or infinite numbers.",
        NotRunError("the rows were not read as numbers"),
        at_start=False,
    ),
    Check("validation numbers", _check_validation_numbers),
    cause_check(
        "input scale",
        UNSCALED_INPUTS,
        HINT,
        ["input_scale", "input_decades"],
        _scale_in_words,
        NotRunError("the first layer is an embedding or normalises its inputs, or has no kernel"),
    ),
    cause_check(
        "target scale",
        UNSCALED_TARGETS,
        HINT,
        ["target_scale"],
        lambda numbers: f"the targets have an RMS of {number(numbers, 'target_scale'):.2g}.",
        NothingToCheckError("the targets are no numbers with one scale"),
    ),
    cause_check(
        "largest row",
        OUTLIER_ROWS,
        HINT,
        ["largest_row"],
        lambda numbers: f"the largest row's norm is {number(numbers, 'largest_row'):.2g} times the median row's.",
        NothingToCheckError("the inputs are no numbers"),
        at_start=False,
    ),
    Check("classes", _check_classes),
    notice_check(
        "class weights",
        "ignored_class_weight",
        FAULT,
        ["class_weight_missing"],
        lambda numbers: "the keys of `class_weight` are classes of the targets.",
        NothingToCheckError("`fit` gets no `class_weight`"),
    ),
    Check("row weights", _check_row_weights),
    Check("validation rows", _check_validation_rows),
    Check("labels", _check_labels),
    Check("reference", _check_reference),
)
