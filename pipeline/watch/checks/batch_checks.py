"""Checks of the batches: their order and size, the states between them, and padding."""

from typing import Final

import keras
import numpy as np

from pipeline.diagnosis.rules.cause import number
from pipeline.diagnosis.rules.inference_rules import BATCH_STATISTICS
from pipeline.diagnosis.rules.row_rules import ORDERED_BATCHES, SHUFFLED_STATE, UNMASKED_PADDING, says_order
from pipeline.foundations.untyped import Batch
from pipeline.recorder.fed_rows import FedRows
from pipeline.recorder.guard import Guard
from pipeline.recorder.target_classes import classes_of
from pipeline.watch.checks.check_line import FAULT, FINE, HINT, CheckLine, Level
from pipeline.watch.checks.data_checks import NO_LOSS, SHUFFLE_STREAM, targets_of
from pipeline.watch.checks.first_steps import FirstSteps
from pipeline.watch.checks.one_check import (
    Check,
    NothingToCheckError,
    NotRunError,
    advice_against,
    cause_check,
    expect_measured,
)
from pipeline.watch.checks.trial_fit import TrialFit

ORDER_BATCHES: Final = 64  # batches, evenly from first to last, of rows that are not shuffled


def _check_order(steps: FirstSteps) -> CheckLine:
    order = _order_of_all(steps.fit) if _is_unshuffled(steps.fit) else None
    if order is None and (fed := steps.numbers["batch_order"]) is not None:
        order = float(fed)
    numbers = {**steps.numbers, "batch_order": None if order is None else max(0.0, order)}
    missing = NotRunError("the first batches are too few or too small, or all their targets are equal")
    measured = expect_measured(numbers, ["batch_order"], missing)
    if number(numbers, "batch_order") <= steps.params.ordered_share:
        return CheckLine("order of batches", FINE, says_order(numbers), numbers=measured)
    level: Level = HINT if classes_of(steps.model, targets_of(steps), "auto") is None else FAULT
    advice = advice_against(ORDERED_BATCHES, steps) if steps.fit.has_arrays else SHUFFLE_STREAM
    return CheckLine("order of batches", level, says_order(numbers), advice, ORDERED_BATCHES.name, measured)


def _is_unshuffled(fit: TrialFit) -> bool:
    return fit.has_arrays and fit.arguments.get("y") is not None and not fit.arguments.get("shuffle", True)


def _order_of_all(fit: TrialFit) -> float | None:
    """Return `batch_order` of arrays that are not shuffled, from batches of the whole epoch."""
    inputs, targets, size = fit.arguments["x"], fit.arguments["y"], fit.batch_size
    count = fit.steps_per_epoch or 1
    rows = FedRows(lambda: None, Guard())
    for place in np.unique(np.linspace(0, count - 1, ORDER_BATCHES).round().astype(int)).tolist():
        rows.add(_batch(inputs, place, size), _batch(targets, place, size), None)
    return rows.facts().get("batch_order")


def _batch(values: Batch, place: int, size: int) -> Batch:
    rows = slice(place * size, (place + 1) * size)
    return keras.tree.map_structure(lambda leaf: keras.ops.convert_to_tensor(np.asarray(leaf[rows])), values)


def _check_size(steps: FirstSteps) -> CheckLine:
    numbers = expect_measured(steps.numbers, ["batch_rows"], NO_LOSS)
    rows = number(steps.numbers, "batch_rows")
    sentence = f"a batch has {rows:.3g} rows."
    if rows >= steps.params.small_batch or not steps.numbers["uses_batch_statistics"]:
        return CheckLine("batch size", FINE, sentence, numbers=numbers)
    sentence = f"a layer normalises by the statistics of a batch, and a batch has {rows:.3g} rows."
    advice = advice_against(BATCH_STATISTICS, steps)
    return CheckLine("batch size", HINT, sentence, advice, BATCH_STATISTICS.name, numbers)


CHECKS: Final = (
    Check("order of batches", _check_order),
    Check("batch size", _check_size),
    cause_check(
        "recurrent states",
        SHUFFLED_STATE,
        FAULT,
        ["shuffles_state"],
        lambda numbers: "no recurrent layer carries states between shuffled batches.",
        NothingToCheckError("the model has no stateful recurrent layer"),
        at_start=False,
    ),
    cause_check(
        "padding",
        UNMASKED_PADDING,
        HINT,
        ["padding_share"],
        lambda numbers: f"{100 * number(numbers, 'padding_share'):.0f}% of the steps are padding.",
        NothingToCheckError("the inputs are no sequences"),
        at_start=False,
    ),
)
