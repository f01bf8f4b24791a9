"""Check a model before its `fit`: run the first batches and the checks, and restore the model."""

from dataclasses import replace
from typing import Final

import keras

from pipeline.diagnosis.causes import TABLE
from pipeline.diagnosis.rules.optimisation_rules import LEARNING_RATE_TOO_LARGE
from pipeline.foundations.errors import first_line, without_colours
from pipeline.foundations.untyped import FitKeywords
from pipeline.history.record import MISFITS
from pipeline.recorder.guard import Guard
from pipeline.watch.checks import batch_checks, data_checks, layer_checks, output_checks, step_checks
from pipeline.watch.checks.check_line import FAULT, FINE, HINT, NOT_RUN, CheckLine, FitChecks, in_order
from pipeline.watch.checks.first_steps import FirstSteps, UnwatchableError, first_steps, quiet
from pipeline.watch.checks.fitting_by_heart import CHECK as BY_HEART
from pipeline.watch.checks.model_state import ModelState
from pipeline.watch.checks.one_check import Check
from pipeline.watch.checks.output_checks import LOSS_AT_START
from pipeline.watch.checks.trial_fit import TRIAL_BATCHES, TrialFit

CHECKS: Final[tuple[Check, ...]] = (
    *data_checks.CHECKS,
    *output_checks.CHECKS,
    *batch_checks.CHECKS,
    *layer_checks.CHECKS,
    *step_checks.CHECKS,
)
FIRST_BATCHES: Final = "first batches"  # the name of the line if they fail
FAILED_ADVICE: Final = "run the script without --check to see where the error is raised"


def check_fit(model: keras.Model, arguments: FitKeywords, fit: int | None = None, task: str = "auto") -> FitChecks:
    """Check a `fit` that has not begun, and restore the model, its optimizer and the random generators.

    Args:
        arguments: the arguments of `fit`, by name.
        fit: see `FitChecks`.
        task: the kind of task, see `Diagnosis`.
    """
    trial_fit = TrialFit(arguments)
    with quiet(), Guard().optional("build the model"):
        trial_fit.build(model)
    state = ModelState(model)
    try:
        lines = _lines(model, trial_fit, task, state)
    finally:
        state.restore(is_last=True)
    return FitChecks(model.name, in_order(lines), fit)


def _lines(model: keras.Model, fit: TrialFit, task: str, state: ModelState) -> list[CheckLine]:
    """Return the lines of all checks."""
    names = [each.name for each in (*CHECKS, BY_HEART)]
    try:
        steps = first_steps(model, fit, task)
    except UnwatchableError as reason:
        return [CheckLine(name, NOT_RUN, f"{reason}.") for name in names]
    except Exception as error:  # of the user's model, loss or data: `fit` would fail, too
        text = first_line(ValueError(without_colours(error)))[:300]
        sentence = f"`fit` fails within the first {TRIAL_BATCHES} batches: {type(error).__name__}: {text}"
        missing = [CheckLine(name, NOT_RUN, "The first batches fail.") for name in names]
        return [
            CheckLine(FIRST_BATCHES, FAULT, sentence, "run the script without --check for the whole error"),
            *missing,
        ]
    lines = [each.run(steps) for each in CHECKS]
    by_heart = _by_heart(steps, state)
    if by_heart.level in (FAULT, HINT) and any(line.level == FAULT for line in lines):
        by_heart = replace(by_heart, advice="mend the other faults first, and check again")
    return [*(_without_harm(line, by_heart, steps) for line in lines), by_heart]


def _without_harm(line: CheckLine, by_heart: CheckLine, steps: FirstSteps) -> CheckLine:
    """Return a line as `fine` that the rows fitted by heart refute.

    Signals of layers and large steps do no harm if the rows were fitted; the rules of the diagnosis have nearly the
    same exception, see `Cause.needs_misfit`. A loss that fell is not constant: it reads other layers than the output.
    """
    part, before, after = (by_heart.numbers.get(name) for name in ("part_fitted", "loss_before", "loss_after"))
    cause = next((each for each in TABLE if each.name == line.cause), None)
    if cause is None or part is None or before is None or after is None:
        return line
    is_signal = cause.family == "signals" and cause.needs_misfit and line.name != LOSS_AT_START
    is_harmless = (is_signal or cause is LEARNING_RATE_TOO_LARGE) and float(part) > steps.params.harmless_fit
    is_loss_constant = line.numbers.get("output_misfit") == MISFITS.index("constant loss")
    if not is_harmless and not (is_loss_constant and float(after) < float(before)):
        return line
    sentence = f"{line.sentence} It does no harm: {by_heart.name} succeeds."
    return CheckLine(line.name, FINE, sentence, numbers=line.numbers)


def _by_heart(steps: FirstSteps, state: ModelState) -> CheckLine:
    if not state.has_all_weights:
        return CheckLine(BY_HEART.name, NOT_RUN, "The first step builds the model, so its first weights are not known.")
    state.restore()
    return BY_HEART.run(steps)
