"""At which epochs values by layer are recorded, by the pipeline and by the callback.

The callback skips more epochs where measuring would take too much of the training's time: `recorder/budget.py`.
"""

from pipeline.params.training_params import TrainingParams


def is_due(epoch: int, is_last: bool, first: int, every: int) -> bool:
    """Return whether values by layer are recorded after an epoch: 0 and the `first` ones, every `every`th, the last."""
    return epoch <= first or epoch % every == 0 or is_last


def is_recorded(epoch: int, params: TrainingParams) -> bool:
    """Return whether the pipeline records values by layer after an epoch."""
    return is_due(epoch, epoch == params.epochs, params.record_first, params.record_every)


def recorded_epochs(params: TrainingParams) -> list[int]:
    """Return all recorded epochs of the pipeline, in order."""
    return [epoch for epoch in range(params.epochs + 1) if is_recorded(epoch, params)]
