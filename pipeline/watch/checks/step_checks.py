"""Checks of the steps: learning rate and schedule, lost updates, penalties, early stopping."""

from typing import Final

import keras
import numpy as np

from pipeline.diagnosis.rules.cause import number
from pipeline.diagnosis.rules.optimisation_rules import LEARNING_RATE_TOO_LARGE
from pipeline.diagnosis.rules.step_rules import (
    LEARNING_RATE_ENDED,
    LOST_UPDATES,
    OVER_REGULARISED,
    STOPPED_EARLY,
    has_rate_ended,
)
from pipeline.recorder.fit_end import is_backwards
from pipeline.recorder.learning_rates import PLACES, rate_facts, schedule_of
from pipeline.watch.checks.check_line import FAULT, FINE, HINT, CheckLine
from pipeline.watch.checks.first_steps import FirstSteps
from pipeline.watch.checks.one_check import (
    Check,
    NothingToCheckError,
    NotRunError,
    advice_against,
    cause_check,
    expect_measured,
    holds,
)
from pipeline.watch.checks.trial_fit import TrialFit

HEAVY: Final = 0.9  # share of penalties in the loss at the start; they fall fast, so half of the loss is no fault yet
READ_EPOCHS: Final = 200  # epochs at which a schedule is read, evenly from first to last
MOST_EPOCHS: Final = 10_000  # for which a callback's function is called


def _check_rate(steps: FirstSteps) -> CheckLine:
    optimizer = steps.model.optimizer
    if optimizer is None or steps.learning_rate is None:
        raise NotRunError("the model has no compiled optimizer")
    rate, name = steps.learning_rate, type(optimizer).__name__
    numbers = {"learning_rate": rate, "first_change": steps.numbers["first_change"]}
    sentence = f"{name} has the learning rate {rate:.3g}."
    if rate == 0 and schedule_of(optimizer) is None:
        return CheckLine("learning rate", FAULT, sentence, "a learning rate above 0", "lost_updates", numbers)
    if steps.numbers["first_change"] is not None and holds(LEARNING_RATE_TOO_LARGE.rule, steps.after, steps):
        change = number(steps.numbers, "first_change")
        grown = "became NaN or infinite" if not np.isfinite(change) else f"changed by {change:.2g} times its size"
        sentence = f"{name} has the learning rate {rate:.3g}: within the first batches a kernel {grown}."
        advice = advice_against(LEARNING_RATE_TOO_LARGE, steps)
        return CheckLine("learning rate", FAULT, sentence, advice, LEARNING_RATE_TOO_LARGE.name, numbers)
    return CheckLine("learning rate", FINE, sentence, numbers=numbers)


def _check_schedule(steps: FirstSteps) -> CheckLine:
    rates = _rates(steps)
    first, last, greatest = rates[0], rates[-1], max(rates)
    facts = rate_facts(rates[PLACES:], greatest)
    numbers = {"first_rate": first, "last_rate": last, "greatest_rate": greatest, **facts}
    epochs = steps.fit.epochs
    sentence = f"the learning rate goes from {first:.3g} to {last:.3g} in {epochs} epochs (greatest: {greatest:.3g})."
    if not facts or not holds(has_rate_ended, steps.after.assign(**facts), steps):
        return CheckLine("schedule", FINE, sentence, numbers=numbers)
    sentence += f" For {100 * facts['rate_ended_share']:.0f}% of the epochs it is below 1% of the greatest."
    is_in_steps = schedule_of(steps.model.optimizer) is not None
    advice = advice_against(LEARNING_RATE_ENDED, steps) if is_in_steps else "a slower decay, or a least learning rate"
    return CheckLine("schedule", FAULT, sentence, advice, LEARNING_RATE_ENDED.name, numbers)


def _rates(steps: FirstSteps) -> list[float]:
    """Return PLACES learning rates within the first epoch, then those at the ends of epochs, evenly to the last.

    Raises:
        NothingToCheckError: the learning rate is constant.
        NotRunError: the number of batches in an epoch is unknown.
    """
    optimizer, fit = steps.model.optimizer, steps.fit
    schedule = None if optimizer is None else schedule_of(optimizer)
    by_callback = [each for each in _callbacks(fit) if isinstance(each, keras.callbacks.LearningRateScheduler)]
    if by_callback and steps.learning_rate is not None:
        rates = [steps.learning_rate]
        first = int(fit.arguments.get("initial_epoch") or 0)
        for epoch in range(first, first + min(fit.epochs, MOST_EPOCHS)):
            rates.append(_scheduled(by_callback[-1], epoch, rates[-1]))
        return rates[:1] * (PLACES - 1) + rates[1:2] + rates[1:]
    if schedule is None:
        raise NothingToCheckError("the optimizer has no schedule")
    if fit.steps_per_epoch is None:
        raise NotRunError("the number of batches in an epoch is unknown: set `steps_per_epoch`")
    ends = np.unique(np.linspace(1, fit.epochs, READ_EPOCHS).round().astype(int)) * fit.steps_per_epoch
    places = [*np.linspace(0, ends[0], PLACES).astype(int).tolist(), *ends.tolist()]
    return [float(np.asarray(schedule(place))) for place in places]


def _scheduled(callback: keras.callbacks.LearningRateScheduler, epoch: int, rate: float) -> float:
    """Return the learning rate of an epoch, as the callback computes it: its function may take one argument."""
    try:
        return float(callback.schedule(epoch, rate))
    except TypeError:
        return float(callback.schedule(epoch))


def _callbacks(fit: TrialFit) -> list[keras.callbacks.Callback]:
    callbacks = fit.arguments.get("callbacks") or []
    return list(getattr(callbacks, "callbacks", None) or keras.tree.flatten(callbacks))


def _check_stopping(steps: FirstSteps) -> CheckLine:
    stopping = [each for each in _callbacks(steps.fit) if isinstance(each, keras.callbacks.EarlyStopping)]
    if not stopping:
        raise NothingToCheckError("`fit` gets no `EarlyStopping`")
    for each in stopping:
        if is_backwards(each):
            sentence = f"`EarlyStopping` takes worse for better: `monitor={each.monitor!r}`, `mode={each.mode!r}`."
            advice = "`mode='max'` for a number that should rise, and `mode='min'` for a loss"
            return CheckLine("early stopping", FAULT, sentence, advice, STOPPED_EARLY.name)
    patience = min(each.patience for each in stopping)
    return CheckLine("early stopping", FINE, f"the shortest patience is {patience} epochs.")


def _check_regularisation(steps: FirstSteps) -> CheckLine:
    missing = NotRunError("penalties and dropout were not measured")
    numbers = expect_measured(steps.start_numbers, ["penalty_share", "dropout_rate"], missing)
    penalty, dropout = (float(steps.start_numbers[name] or 0) for name in ("penalty_share", "dropout_rate"))
    if penalty > HEAVY or dropout > steps.params.dropped:
        says = OVER_REGULARISED.says(steps.start_numbers)
        advice = advice_against(OVER_REGULARISED, steps)
        return CheckLine("regularisation", HINT, says, advice, OVER_REGULARISED.name, numbers)
    sentence = f"penalties are {100 * penalty:.0f}% of the loss at the start, and dropout is at most {dropout:g}."
    return CheckLine("regularisation", FINE, sentence, numbers=numbers)


CHECKS: Final = (
    Check("learning rate", _check_rate),
    Check("schedule", _check_schedule),
    Check("early stopping", _check_stopping),
    cause_check(
        "updates",
        LOST_UPDATES,
        FAULT,
        ["updates_applied", "step_ratio", "largest_change"],
        lambda numbers: "the optimizer applied the steps of the first batches.",
        NotRunError("the steps could not be counted"),
        at_start=False,
    ),
    Check("regularisation", _check_regularisation),
)
