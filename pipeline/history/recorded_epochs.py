"""Decide at which epochs the values of layers are recorded."""

from pipeline.params.training_params import TrainingParams


def is_recorded(epoch: int, params: TrainingParams) -> bool:
    """Whether layers are recorded at this epoch: 0, the first ones, then every `record_every`-th, and the last."""
    return epoch <= params.record_first or epoch % params.record_every == 0 or epoch == params.epochs


def recorded_epochs(params: TrainingParams) -> list[int]:
    """Return all recorded epochs, in order."""
    return [epoch for epoch in range(params.epochs + 1) if is_recorded(epoch, params)]
