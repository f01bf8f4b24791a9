"""At which epochs values by layer are recorded."""

from pipeline.params.training_params import TrainingParams


def is_recorded(epoch: int, params: TrainingParams) -> bool:
    """Whether values by layer are recorded after this epoch: at 0, the first epochs, every so many, and the last."""
    return epoch <= params.record_first or epoch % params.record_every == 0 or epoch == params.epochs


def recorded_epochs(params: TrainingParams) -> list[int]:
    """All recorded epochs, in order."""
    return [epoch for epoch in range(params.epochs + 1) if is_recorded(epoch, params)]
