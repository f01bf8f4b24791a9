"""Decide whether a training is certain to fail, so that it can stop."""

from typing import TYPE_CHECKING

import numpy as np

from pipeline.history.record import HIDDEN

if TYPE_CHECKING:
    from pipeline.recorder.watching import Watching


def why_hopeless(watching: "Watching", epochs: int) -> str | None:
    """Return the reason to stop, or None.

    Args:
        watching: the record of the model.
        epochs: at how many recorded epochs in a row a layer must be dead.
    """
    states = watching.recorder.states
    if not states:
        return None
    loss = watching.recorder.logs.get(watching.epoch, {}).get("loss", 0.0)
    if not np.isfinite([loss, states[max(states)].curves.get("train_loss", 0.0)]).all():
        return "the loss is NaN or infinite"
    last = [states[epoch].values.get("dead") for epoch in sorted(states) if epoch][-epochs:]
    known = [dead for dead in last if dead is not None]
    if len(known) < epochs:
        return None
    for layer, is_dead in zip(watching.table, np.logical_and.reduce(known).tolist(), strict=True):
        if is_dead and layer.role == HIDDEN and not layer.bypassed:
            return f"layer {layer.path} is dead for {epochs} recorded epochs, and no skip connection bypasses it"
    return None
