"""Remedies for any Keras model that change its training steps: learning rate, optimizer, clipping, epochs."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from pipeline.remedies.on_keras.trial import InapplicableError, KerasRemedy, Trial, in_short
from pipeline.remedies.remedy_registry import ADAM_RATE, CLIPPED, scaled_epochs


def times_learning_rate(factor: float) -> KerasRemedy:
    """Return the remedy that multiplies all learning rates, also those of a schedule or a LearningRateScheduler."""

    def remedy(trial: Trial) -> Iterator[str]:
        optimizer = _optimizer(trial)
        schedule = _schedule(optimizer)
        callbacks = _schedulers(trial)
        before = None if schedule is not None else float(np.asarray(optimizer.learning_rate))
        changes = [
            f"{factor:g} times the learning rates of the {type(each).__name__}"
            for each in (schedule, *callbacks)
            if each is not None
        ]
        if before is not None and not callbacks:
            changes = [f"`learning_rate={before * factor:.3g}` in the optimizer, not {before:.3g}"]
        yield "; ".join(changes)
        optimizer.learning_rate = ScaledSchedule(schedule, factor) if before is None else before * factor
        for each in callbacks:
            each.schedule = _scaled(each.schedule, factor)

    return remedy


def times_epochs(factor: float) -> KerasRemedy:
    """Return the remedy that multiplies the epochs."""

    def remedy(trial: Trial) -> Iterator[str]:
        before = int(trial.arguments.get("epochs", 1))
        after = scaled_epochs(before, factor)
        if after == before:
            raise InapplicableError("it has one epoch, which cannot become fewer")
        yield f"`epochs={after}` in `fit`, not {before}"
        trial.arguments["epochs"] = after

    return remedy


def adam(trial: Trial) -> Iterator[str]:
    """Replace the optimizer by Adam, and keep the loss scaling of mixed precision."""
    new, old = keras.optimizers.Adam(ADAM_RATE), _optimizer(trial)
    rate = np.asarray(getattr(old, "learning_rate", np.nan))
    if type(old) is type(new) and np.allclose(rate, np.asarray(new.learning_rate)):
        raise InapplicableError(f"it is trained by Adam at {ADAM_RATE} already")
    has_loss_scale = old is not trial.model.optimizer
    at = "the learning rates of the LearningRateScheduler" if _schedulers(trial) else f"a learning rate of {ADAM_RATE}"
    yield f'`optimizer="adam"` in `compile`: Adam at {at}'
    trial.model.optimizer = keras.optimizers.LossScaleOptimizer(new) if has_loss_scale else new


def clipped_gradients(trial: Trial) -> Iterator[str]:
    """Clip the global norm of the gradient."""
    optimizer = _optimizer(trial)
    if any(getattr(optimizer, name, None) for name in ("clipnorm", "global_clipnorm", "clipvalue")):
        raise InapplicableError("its gradients are clipped already")
    yield f"`global_clipnorm={CLIPPED}` in the optimizer"
    optimizer.global_clipnorm = CLIPPED


@keras.saving.register_keras_serializable("pipeline")
class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule of learning rates times a factor."""

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, factor: float) -> None:
        self.schedule, self.factor = schedule, factor

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        return self.factor * self.schedule(step)

    def get_config(self) -> dict[str, Any]:
        """Return the config that Keras saves."""
        return {"schedule": keras.optimizers.schedules.serialize(self.schedule), "factor": self.factor}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ScaledSchedule":
        """Return the schedule of a config."""
        return cls(keras.optimizers.schedules.deserialize(config["schedule"]), config["factor"])


def _optimizer(trial: Trial) -> keras.optimizers.Optimizer:
    """Return the optimizer itself, without the loss scaling that mixed precision puts around it."""
    optimizer = trial.model.optimizer
    return getattr(optimizer, "inner_optimizer", optimizer)


def _schedulers(trial: Trial) -> list[keras.callbacks.LearningRateScheduler]:
    callbacks = keras.tree.flatten(trial.arguments.get("callbacks"))
    return [each for each in callbacks if isinstance(each, keras.callbacks.LearningRateScheduler)]


def _schedule(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.schedules.LearningRateSchedule | None:
    """Return a copy of the optimizer's schedule of learning rates; None if the learning rate is a number.

    Raises:
        InapplicableError: Keras cannot copy the schedule.
    """
    if isinstance(optimizer.learning_rate, keras.Variable):
        return None
    try:
        schedule = keras.optimizers.schedules.deserialize(optimizer.get_config()["learning_rate"])
    except Exception as error:
        raise InapplicableError(f"Keras cannot copy its schedule of learning rates ({in_short(error)})") from None
    if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        raise InapplicableError("its learning rate is a function, not a Keras schedule")
    return schedule


def _scaled(schedule: Callable[..., float], factor: float) -> Callable[..., float]:
    """Return a LearningRateScheduler's function times a factor; it takes the epoch, and perhaps the learning rate."""

    def scaled(epoch: int, *rate: float) -> float:
        return factor * schedule(epoch, *(each / factor for each in rate))

    return scaled
