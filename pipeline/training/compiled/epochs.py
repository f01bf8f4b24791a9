"""Train one replica: the loop over epochs and batches."""

from typing import NamedTuple

import numpy as np

from pipeline.training.compiled import outputs
from pipeline.training.compiled.compiling import compiled
from pipeline.training.compiled.measures import LayerRecord, Limits, add_batch, average, probe
from pipeline.training.compiled.passes import backward, forward, load_inputs
from pipeline.training.compiled.shapes import Buffers, Shape, buffers
from pipeline.training.compiled.steps import Optimizer, step


class DataParts(NamedTuple):
    """All parts of the data, joined along the samples, the training set first.

    inputs: float32 [input, sample].
    targets: float32 [output, sample].
    ends: the position after each part's last sample, int64 [part].
    """

    inputs: np.ndarray
    targets: np.ndarray
    ends: np.ndarray


class Plan(NamedTuple):
    """The settings and the data that all replicas of a variant share."""

    shape: Shape
    optimizer: Optimizer
    limits: Limits
    data: DataParts
    batch_size: int


class Learner(NamedTuple):
    """The state of one replica in training, changed in place.

    weights: float32 [entry].
    slots: the optimizer's state, float32 [slot, entry].
    steps: the number of steps so far, int64 [1].
    """

    weights: np.ndarray
    slots: np.ndarray
    steps: np.ndarray


def start(plan: Plan, learner: Learner, curves: np.ndarray, records: LayerRecord) -> None:
    """Measure the state before the first step; store it in curves [curve] and in the first row of `records`."""
    data = plan.data
    buffer = buffers(plan.shape, largest_part(data))
    gradient, record = np.empty_like(learner.weights), row_of(records, 0)
    probe(plan.shape, plan.limits, learner.weights, buffer, gradient, data.inputs, data.targets, data.ends[0], record)
    measure(plan, learner.weights, buffer, True, curves)


def predict(shape: Shape, weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Return predictions [output, sample] for inputs [input, sample]."""
    samples = inputs.shape[1]
    buffer = buffers(shape, samples)
    load_inputs(buffer, inputs, 0, samples)
    forward(shape, weights, buffer, samples)
    outputs.predict(shape, buffer, samples)
    return buffer.after[-1, : shape.widths[-1]]


@compiled
def largest_part(data: DataParts) -> int:
    """Return the number of samples of the largest part."""
    largest, first = 0, 0
    for end in data.ends:
        largest, first = max(largest, end - first), end
    return largest


@compiled
def train(
    plan: Plan,
    orders: np.ndarray,
    is_recorded: np.ndarray,
    learner: Learner,
    curves: np.ndarray,
    records: LayerRecord,
) -> None:
    """Train one replica for some epochs.

    Args:
        orders: the order of the training samples, int32 [epoch, sample].
        is_recorded: whether layer values are recorded after each epoch, bool [epoch].
        curves: float32 [epoch, curve], set to the loss and the scores of each part after each epoch.
        records: set to the values of the recorded epochs, [recorded epoch, ...]; must be zero before.
    """
    data, weights = plan.data, learner.weights
    batch = buffers(plan.shape, plan.batch_size)
    whole = buffers(plan.shape, largest_part(data))
    gradient, change, row = np.empty_like(weights), np.empty_like(weights), 0
    for epoch in range(orders.shape[0]):
        # After the last recorded epoch nothing is written to the row, so any row will do.
        record = row_of(records, min(row, records.weight_l1.shape[0] - 1))
        change[:] = weights
        train_epoch(plan, orders[epoch], is_recorded[epoch], learner, batch, gradient, record)
        if is_recorded[epoch]:
            change[:] = weights - change
            average(plan.shape, -(-orders.shape[1] // plan.batch_size), change, record)
            probe(plan.shape, plan.limits, weights, whole, gradient, data.inputs, data.targets, data.ends[0], record)
            row += 1
        measure(plan, weights, whole, is_recorded[epoch], curves[epoch])


@compiled
def train_epoch(
    plan: Plan,
    order: np.ndarray,
    is_recorded: bool,
    learner: Learner,
    buffer: Buffers,
    gradient: np.ndarray,
    record: LayerRecord,
) -> None:
    """Train all batches of an epoch, also a short last batch; add the statistics of their gradients to `record`."""
    data = plan.data
    targets = np.empty((data.targets.shape[0], plan.batch_size), np.float32)
    for first in range(0, order.size, plan.batch_size):
        samples = min(plan.batch_size, order.size - first)
        for s in range(samples):
            sample = order[first + s]
            for output in range(targets.shape[0]):
                targets[output, s] = data.targets[output, sample]
            for source in range(data.inputs.shape[0]):
                buffer.after[0, source, s] = data.inputs[source, sample]
        forward(plan.shape, learner.weights, buffer, samples)
        backward(plan.shape, learner.weights, buffer, targets, gradient, samples)
        if is_recorded:
            add_batch(plan.shape, gradient, record)
        step(plan.optimizer, learner.weights, gradient, learner.slots, learner.steps[0])
        learner.steps[0] += 1


@compiled
def measure(plan: Plan, weights: np.ndarray, buffer: Buffers, is_probed: bool, curves: np.ndarray) -> None:
    """Set `curves` to the loss and scores of every part.

    Args:
        is_probed: whether `buffer` holds the pre-activations of the training set, from a probe of the same weights.
    """
    data, first = plan.data, 0
    curves_per_part = curves.size // data.ends.size
    for part in range(data.ends.size):
        samples = data.ends[part] - first
        if part > 0 or not is_probed:
            load_inputs(buffer, data.inputs, first, samples)
            forward(plan.shape, weights, buffer, samples)
        part_curves = curves[part * curves_per_part : (part + 1) * curves_per_part]
        outputs.loss_and_scores(plan.shape, buffer, data.targets, first, samples, part_curves)
        first = data.ends[part]


@compiled
def row_of(records: LayerRecord, row: int) -> LayerRecord:
    """Return the row of one recorded epoch."""
    return LayerRecord(
        records.gradient_mean_abs[row],
        records.gradient_norm[row],
        records.gradient_zero_share[row],
        records.probe_gradient_mean_abs[row],
        records.dead_unit_share[row],
        records.weight_l1[row],
        records.weight_change_l1[row],
        records.saturated_share[row],
        records.gradient_histogram[row],
        records.weight_histogram[row],
    )
