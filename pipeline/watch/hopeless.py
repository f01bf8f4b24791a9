"""Whether the failure of a training is certain."""

from typing import Any

import numpy as np

from pipeline.history.record import HIDDEN


def why(watching: Any, epochs: int) -> str | None:
    """A reason to stop, or None.

    Args:
        epochs: at so many recorded epochs in a row a layer must be dead.
    """
    states = watching.recorder.states
    if not states:
        return None
    loss = watching.recorder.logs.get(watching.epoch, {}).get("loss", 0.0)
    curves, _ = states[max(states)]
    if not np.isfinite([loss, curves.get("train_loss", 0.0)]).all():
        return "the loss is not finite"
    last = [values.get("dead") for epoch, (_, values) in sorted(states.items()) if epoch][-epochs:]
    if len(last) < epochs or any(each is None for each in last):
        return None
    for layer, dead in zip(watching.table, np.logical_and.reduce(last).tolist(), strict=True):
        if dead and layer.role == HIDDEN and not layer.bypassed:
            return f"layer {layer.path} is dead for {epochs} recorded epochs, and no path goes around it"
    return None
