"""Make the layer table of a watched model from Keras's graph or, without a graph, from measurements."""

from collections.abc import Collection, Sequence

from pipeline.history.record import HIDDEN, OUTPUT, Layer
from pipeline.recorder.activity import Activity
from pipeline.recorder.layers import Row
from pipeline.recorder.recorder import MeasuredState


def layer_table(rows: Sequence[Row], activity: Activity, states: Collection[MeasuredState]) -> list[Layer]:
    """Return a layer for each row; without a graph, the layer that was called last is the output."""
    judged_rows = [number for number in activity.order if rows[number].role in (HIDDEN, OUTPUT)]
    output = rows[judged_rows[-1]].owner if judged_rows else None
    layers = []
    for number, row in enumerate(rows):
        role, is_bypassed = row.role, row.is_bypassed
        if not row.is_structured:
            is_bypassed = is_bypassed or _is_dead_but_bypassed(number, activity.order, states)
            if role in (HIDDEN, OUTPUT) and output is not None:
                role = OUTPUT if row.owner is output else HIDDEN
        layers.append(row.as_layer(role, is_bypassed, has_activation=number in activity.measured_rows))
    return layers


def _is_dead_but_bypassed(number: int, order: Sequence[int], states: Collection[MeasuredState]) -> bool:
    """Return whether, at some epoch, the whole layer is dead and an earlier layer still has a gradient."""
    if number not in order:
        return False
    below = order[: order.index(number)]
    for state in states:
        gradient, dead = state.values.get("probe_gradient_mean_abs"), state.values.get("dead")
        if gradient is not None and dead is not None and dead[number] and (gradient[below] > 0).any():
            return True
    return False
