"""Remedies for any Keras model that change its schedule of learning rates, and when `fit` ends."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import keras
import numpy as np

from pipeline.remedies.on_keras.keras_batches import batches
from pipeline.remedies.on_keras.keras_steps import optimizer_of, replace_optimizer, schedule_of
from pipeline.remedies.on_keras.trial import InapplicableError, Trial, callbacks_of, remove_callbacks
from pipeline.remedies.remedy import PATIENCE

POINTS: Final = 200  # steps at which a schedule is evaluated
ENDED: Final = 0.01  # of the greatest learning rate; a schedule below it has ended
UNKNOWN_STEPS: Final = 10_000  # steps to look at if the length of the training is unknown
RATE_CALLBACKS: Final = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def constant_rate(trial: Trial) -> Iterator[str]:
    """Keep the first learning rate, or the greatest if the schedule begins with a warm-up."""
    schedule = schedule_of(optimizer_of(trial))
    callbacks = [each for each in callbacks_of(trial) if isinstance(each, RATE_CALLBACKS)]
    if schedule is None and not callbacks:
        raise InapplicableError("its learning rate is constant already, or changed by code of your own")
    if schedule is None:
        rate = float(np.asarray(optimizer_of(trial).learning_rate))
        rate = max([rate, *(_first_rate(each, rate) for each in callbacks if hasattr(each, "schedule"))])
    else:
        rate = max(_rates(schedule, _steps(trial) or UNKNOWN_STEPS)[1])
    removed = " and ".join(dict.fromkeys(type(each).__name__ for each in (schedule, *callbacks) if each is not None))
    yield f"`learning_rate={rate:.3g}` in the optimizer, without {removed}"
    optimizer = optimizer_of(trial)
    replace_optimizer(trial, type(optimizer).from_config({**optimizer.get_config(), "learning_rate": rate}))
    remove_callbacks(trial, RATE_CALLBACKS)


def stretched_schedule(trial: Trial) -> Iterator[str]:
    """Stretch the optimizer's schedule, so that it ends when the training does."""
    schedule, steps = schedule_of(optimizer_of(trial)), _steps(trial)
    if schedule is None:
        raise InapplicableError("its optimizer has no schedule; only the author of a callback can stretch it")
    if steps is None:
        raise InapplicableError("the number of its steps is unknown")
    places, rates = _rates(schedule, steps)
    is_small = np.array(rates) < ENDED * max(rates)
    if not is_small[-1]:
        raise InapplicableError("its schedule lasts as long as the training")
    end = places[len(is_small) - np.argmin(is_small[::-1])]  # the first step from which all rates are small
    yield f"a schedule {steps / end:.3g} times as long: {steps} steps, not {end}"
    optimizer_of(trial).learning_rate = StretchedSchedule(schedule, steps / end)


def no_early_stopping(trial: Trial) -> Iterator[str]:
    """Remove EarlyStopping."""
    _early_stopping(trial)
    yield "no `EarlyStopping` in the `callbacks` of `fit`"
    remove_callbacks(trial, keras.callbacks.EarlyStopping)


def patient_stopping(trial: Trial) -> Iterator[str]:
    """Let EarlyStopping wait longer, count any improvement, and restore the best weights."""
    callbacks = _early_stopping(trial)
    if all(each.patience >= PATIENCE and not each.min_delta for each in callbacks):
        raise InapplicableError(f"its `EarlyStopping` has a patience of {callbacks[0].patience} already")
    patience = max(PATIENCE, 10 * max(each.patience for each in callbacks))
    yield f"`EarlyStopping(patience={patience}, min_delta=0, restore_best_weights=True)`"
    for each in callbacks:
        each.patience, each.min_delta, each.restore_best_weights = patience, 0, True


@keras.saving.register_keras_serializable("pipeline")
class StretchedSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule of learning rates that takes `factor` times as many steps."""

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, factor: float) -> None:
        self.schedule, self.factor = schedule, factor

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        return self.schedule(keras.ops.cast(step, "float32") / self.factor)

    def get_config(self) -> dict[str, Any]:
        """Return the config that Keras saves."""
        return {"schedule": keras.optimizers.schedules.serialize(self.schedule), "factor": self.factor}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "StretchedSchedule":
        """Return the schedule of a config."""
        return cls(keras.optimizers.schedules.deserialize(config["schedule"]), config["factor"])


def _early_stopping(trial: Trial) -> list[keras.callbacks.EarlyStopping]:
    callbacks = [each for each in callbacks_of(trial) if isinstance(each, keras.callbacks.EarlyStopping)]
    if not callbacks:
        raise InapplicableError("it has no `EarlyStopping`")
    return callbacks


def _steps(trial: Trial) -> int | None:
    """Return the number of steps of the training; None if it is unknown."""
    epochs, count = trial.arguments.get("epochs"), batches(trial)
    return None if epochs is None or count is None else int(epochs) * count


def _rates(schedule: Callable[[int], float], steps: int) -> tuple[list[int], list[float]]:
    """Return evenly spaced steps, the first and the last among them, and the learning rates at these steps."""
    places = sorted({int(each) for each in np.linspace(0, steps, POINTS)})
    return places, [float(schedule(each)) for each in places]


def _first_rate(callback: keras.callbacks.LearningRateScheduler, rate: float) -> float:
    """Return the learning rate that a LearningRateScheduler sets in the first epoch."""
    try:
        return float(callback.schedule(0, rate))
    except TypeError:  # as Keras does, for a function of the epoch only
        return float(callback.schedule(0))
