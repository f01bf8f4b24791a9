"""Remedies for any Keras model that change its training steps: learning rate, optimizer, clipping, epochs."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from pipeline.remedies.on_keras.keras_compile import compile_again, compile_arguments
from pipeline.remedies.on_keras.trial import InapplicableError, KerasRemedy, Trial, callbacks_of, in_short
from pipeline.remedies.remedy import ADAM_RATE, CLIPPED, scaled_epochs


def times_learning_rate(factor: float) -> KerasRemedy:
    """Return the remedy that multiplies all learning rates, also those of a schedule or a LearningRateScheduler."""

    def remedy(trial: Trial) -> Iterator[str]:
        optimizer = optimizer_of(trial)
        schedule = schedule_of(optimizer)
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
    new, old = keras.optimizers.Adam(ADAM_RATE), optimizer_of(trial)
    rate = np.asarray(getattr(old, "learning_rate", np.nan))
    if type(old) is type(new) and np.allclose(rate, np.asarray(new.learning_rate)):
        raise InapplicableError(f"it is trained by Adam at {ADAM_RATE} already")
    at = "the learning rates of the LearningRateScheduler" if _schedulers(trial) else f"a learning rate of {ADAM_RATE}"
    yield f'`optimizer="adam"` in `compile`: Adam at {at}'
    replace_optimizer(trial, new)


def clipped_gradients(trial: Trial) -> Iterator[str]:
    """Clip the global norm of the gradient."""
    optimizer = optimizer_of(trial)
    if any(getattr(optimizer, name, None) for name in ("clipnorm", "global_clipnorm", "clipvalue")):
        raise InapplicableError("its gradients are clipped already")
    yield f"`global_clipnorm={CLIPPED}` in the optimizer"
    optimizer.global_clipnorm = CLIPPED


def step_each_batch(trial: Trial) -> Iterator[str]:
    """Change the weights after each batch, not after several."""
    optimizer = optimizer_of(trial)
    if not optimizer.gradient_accumulation_steps:
        raise InapplicableError("its optimizer changes the weights after each batch already")
    yield f"no `gradient_accumulation_steps={optimizer.gradient_accumulation_steps}` in the optimizer"
    optimizer.gradient_accumulation_steps = None


def unscaled_loss(trial: Trial) -> Iterator[str]:
    """Remove the optimizer's loss scaling, where the model's own `train_step` may not scale its loss."""
    if optimizer_of(trial) is trial.model.optimizer:
        raise InapplicableError("its optimizer expects no scaled loss")
    if type(trial.model).train_step is keras.Model.train_step:
        raise InapplicableError("Keras's own `train_step` scales its loss as the optimizer expects")
    compile_arguments(trial.model)
    yield "gradients of `self.optimizer.scale_loss(loss)` in `train_step`, or `auto_scale_loss=False` in `compile`"
    optimizer = optimizer_of(trial)
    plain = type(optimizer).from_config(optimizer.get_config())
    compile_again(trial.model, optimizer=plain, auto_scale_loss=False)


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


def optimizer_of(trial: Trial) -> keras.optimizers.Optimizer:
    """Return the optimizer itself, without the loss scaling that mixed precision puts around it."""
    optimizer = trial.model.optimizer
    return getattr(optimizer, "inner_optimizer", optimizer)


def replace_optimizer(trial: Trial, optimizer: keras.optimizers.Optimizer) -> None:
    """Give the model another optimizer, and keep the loss scaling of mixed precision."""
    has_loss_scale = optimizer_of(trial) is not trial.model.optimizer
    trial.model.optimizer = keras.optimizers.LossScaleOptimizer(optimizer) if has_loss_scale else optimizer


def _schedulers(trial: Trial) -> list[keras.callbacks.LearningRateScheduler]:
    return [each for each in callbacks_of(trial) if isinstance(each, keras.callbacks.LearningRateScheduler)]


def schedule_of(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.schedules.LearningRateSchedule | None:
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
