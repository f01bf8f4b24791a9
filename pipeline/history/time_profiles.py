"""The record of recurrent layers by time step: how much gradient reaches each step, gates and states.

A record of a model with recurrent layers has the variables of TIME_VALUES over BY_TIME. The dimension `recurrent`
counts the calls of recurrent layers in the order of the pass: a layer that is called twice has two profiles. Reading
needs no TensorFlow.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import xarray as xr

from pipeline.history.record import SLOPE_FRACTIONS
from pipeline.history.thinning import evenly_spaced

RECURRENT_CALL: Final = "recurrent"
TIME: Final = "time"
BY_TIME: Final = ("replica", "recorded_epoch", RECURRENT_CALL, TIME)
MOST_STEPS: Final = 100  # recorded of a sequence, evenly spaced, the first and the last among them
SMALL_SHARE: Final = 1e-3  # of the greatest gradient of all steps; a step with less counts as out of reach
GATE_SLOPE: Final = SLOPE_FRACTIONS[4]  # 0.06, as `diagnosis.saturated_slope` of the shipped params.yaml

# Let x_it be the input of a recurrent layer for row i at step t, h_it the layer's output, F the number of features of
# x_it, and L_i the loss of row i; dL_i/dx_it is the gradient of the mean loss of N rows, times N. Steps count in the
# order in which the layer reads them: with `go_backwards` it reads the last step of the sequence first. Masked steps
# are left out. Each row is aligned at its last step that is not masked, so that step T is the last one of every row.
#
#   gradient_by_time       mean over rows and features of |dL_i/dx_it|
#   gradient_norm_by_time  mean over rows of the L2 norm of dL_i/dx_it
#   saturated_gates        share of all pairs (row, unit) of the gates whose |f'| < 0.06 max |f'|, as `saturated_share`
#                          of `record`; a simple cell has no gates, so its units count
#   state_norm             mean over rows of the L2 norm of h_it
#
# How to read them: in a layer whose last output alone is used, the norm at step t against that at step T is how much
# the network can still learn from step t. A norm that changes by a constant factor a step is a straight line on a
# logarithmic axis. Theory's numbers are about the norm. With one input feature both differ by chance from step to step.
TIME_VALUES: Final = {
    "gradient_by_time": "mean |gradient| of a row's loss by the layer's input at each time step",
    "gradient_norm_by_time": "L2 norm of the gradient of a row's loss by the layer's input at each time step",
    "saturated_gates": "share of the gates' values (row, unit) that are saturated at each time step",
    "state_norm": "L2 norm of the layer's output at each time step",
}
RECURRENT_PATH: Final = "recurrent_path"
PATH_TEXT: Final = "path of the layer's first kernel in the layer table; from the second call on with the call's number"
CALL: Final = " (call "  # what follows the path of a layer that is called again


class RecurrentCall(NamedTuple):
    """A call of a recurrent layer.

    path: see PATH_TEXT.
    length: the number of time steps.
    """

    path: str
    length: int

    @classmethod
    def of(cls, path: str, number: int, length: int) -> "RecurrentCall":
        """Return the call of a layer with this number, counted from 1."""
        return cls(path if number == 1 else f"{path}{CALL}{number})", length)

    @property
    def steps(self) -> np.ndarray:
        """The recorded steps, counted from 1."""
        return evenly_spaced(np.arange(1, self.length + 1), MOST_STEPS)


class Reach(NamedTuple):
    """How far back the gradient of a profile reaches, from its greatest value at the step `peak`.

    first: the earliest step whose value is at least SMALL_SHARE of the greatest.
    decades: log10 of the greatest value at a later step / the value at the earliest step: positive if the gradient
        shrinks on its way back. Where it becomes 0, the earliest step that is not 0 counts.
    factor: the mean factor of the gradient from a step to the step before it: below 1 if it shrinks; 1 for one step.
    last: the last step.
    """

    first: int
    decades: float
    factor: float
    last: int

    @property
    def in_words(self) -> str:
        """Words such as "halves every 2.2 steps on its way back; steps 1 to 98 of 120 get less than 0.1% of ..."."""
        steps = math.log(2) / abs(math.log(self.factor)) if self.factor != 1 else math.inf
        course = f"{'halves' if self.factor < 1 else 'doubles'} every {steps:.2g} steps on its way back"
        course = "hardly changes on its way back" if steps > self.last else course
        if self.first == 1:
            return f"{course}; all {self.last} steps get at least 0.1% of the greatest gradient"
        before = "step 1" if self.first == 2 else f"steps 1 to {self.first - 1}"
        gets = "gets" if self.first == 2 else "get"
        return f"{course}; {before} of {self.last} {gets} less than 0.1% of the greatest gradient"


def with_time_profiles(
    history: xr.Dataset, calls: Sequence[RecurrentCall], values: Mapping[str, np.ndarray]
) -> xr.Dataset:
    """Return the history with the values of recurrent layers by time step; unchanged without a recurrent layer.

    Args:
        values: [replica, recorded epoch, call, place among the call's `steps`], by the names of TIME_VALUES; NaN where
            there is no value.
    """
    if not calls or not values:
        return history
    every_step = np.unique(np.concatenate([call.steps for call in calls])).astype(np.int32)
    variables: dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, str]]] = {}
    for name, measured in values.items():
        placed = np.full((*measured.shape[:2], len(calls), len(every_step)), np.nan, np.float32)
        for number, call in enumerate(calls):
            placed[:, :, number, np.isin(every_step, call.steps)] = measured[:, :, number, : len(call.steps)]
        variables[name] = (BY_TIME, placed, {"long_name": TIME_VALUES[name]})
    paths = np.asarray([call.path for call in calls])
    variables[RECURRENT_PATH] = ((RECURRENT_CALL,), paths, {"long_name": PATH_TEXT})
    numbers = np.arange(1, len(calls) + 1, dtype=np.int32)
    return history.assign_coords({RECURRENT_CALL: numbers, TIME: every_step}).assign(variables)


def path_of_layer(path_of_call: str) -> str:
    """Return the path of the layer, without the number of its call."""
    return path_of_call.partition(CALL)[0]


def has_time_profiles(history: xr.Dataset) -> bool:
    """Return whether the record has the gradient by time step."""
    return "gradient_norm_by_time" in history


def reach(steps: np.ndarray, norms: np.ndarray) -> Reach | None:
    """Return how far back a gradient reaches; None without two steps of finite values or if all are 0.

    Args:
        steps: the recorded steps, in increasing order.
        norms: the gradient at these steps, such as `gradient_norm_by_time`; NaN where it is unknown.
    """
    is_known = np.isfinite(norms)
    steps, values = steps[is_known], norms[is_known].astype(np.float64)
    if len(values) < 2 or not (values > 0).any():
        return None
    large = steps[values >= SMALL_SHARE * values.max()]
    positive = np.flatnonzero(values > 0)
    earliest = int(positive[0])
    later = earliest + int(values[earliest:].argmax())
    if later == earliest:  # the gradient grows on its way back: compare with the last step that has one
        later = int(positive[-1])
    decades = float(np.log10(values[later] / values[earliest]))
    distance = int(steps[later] - steps[earliest])
    factor = 10 ** (-decades / distance) if distance else 1.0
    return Reach(int(large[0]), decades, factor, int(steps[-1]))
