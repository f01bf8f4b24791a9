"""The layer table of a watched model, from Keras's graph and, where that does not tell, from what was measured."""

from collections.abc import Collection, Sequence

from pipeline.history.record import HIDDEN, OUTPUT, Layer
from pipeline.recorder.activity import Activity
from pipeline.recorder.layers import Row
from pipeline.recorder.recorder import MeasuredState


def layer_table(rows: Sequence[Row], activity: Activity, states: Collection[MeasuredState]) -> list[Layer]:
    """Return a layer for each row; where Keras has no graph, the layer that was called last is the output."""
    judged = [number for number in activity.order if rows[number].role in (HIDDEN, OUTPUT)]
    output = rows[judged[-1]].owner if judged else None
    layers = []
    for number, row in enumerate(rows):
        role, is_bypassed = row.role, row.is_bypassed
        if not row.is_structured:
            is_bypassed = is_bypassed or _is_passed_by(number, activity.order, states)
            if role in (HIDDEN, OUTPUT) and output is not None:
                role = OUTPUT if row.owner is output else HIDDEN
        layers.append(row.described(role, is_bypassed, has_activation=number in activity.measured))
    return layers


def _is_passed_by(number: int, order: Sequence[int], states: Collection[MeasuredState]) -> bool:
    """Return whether, at some epoch at which all of the layer is dead, gradient still arrives below it."""
    if number not in order:
        return False
    below = order[: order.index(number)]
    for state in states:
        gradient, dead = state.values.get("probe_gradient_mean_abs"), state.values.get("dead")
        if gradient is not None and dead is not None and dead[number] and (gradient[below] > 0).any():
            return True
    return False
