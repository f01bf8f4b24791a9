"""Decide after which epochs the values of layers are recorded, in the pipeline and in the callback.

The callback skips some of these epochs if measuring takes too much of the training's time; see `recorder/budget.py`.
"""

from pipeline.params.training_params import TrainingParams


def is_due(epoch: int, is_last: bool, first: int, every: int) -> bool:
    """Return whether layers are recorded after `epoch`: one of 0 to `first`, a multiple of `every`, or the last."""
    return epoch <= first or epoch % every == 0 or is_last


def is_recorded(epoch: int, params: TrainingParams) -> bool:
    """Return whether the pipeline records the values of layers after an epoch."""
    return is_due(epoch, epoch == params.epochs, params.record_first, params.record_every)


def recorded_epochs(params: TrainingParams) -> list[int]:
    """Return all recorded epochs of the pipeline, in order."""
    return [epoch for epoch in range(params.epochs + 1) if is_recorded(epoch, params)]
