"""The loop over epochs and batches of one replica."""

from typing import NamedTuple

import numpy as np

from pipeline.training.compiled.compiling import compiled
from pipeline.training.compiled.elementwise import activate
from pipeline.training.compiled.measures import LayerRecord, Limits, add_batch, average, loss_and_accuracy, probe
from pipeline.training.compiled.passes import Shape, Signals, backward, forward, show, signals
from pipeline.training.compiled.stack import ACTIVATIONS
from pipeline.training.compiled.steps import Optimizer, step


class Data(NamedTuple):
    """inputs, test_inputs: [input, sample]; labels, test_labels: [sample]; float32."""

    inputs: np.ndarray
    labels: np.ndarray
    test_inputs: np.ndarray
    test_labels: np.ndarray


class Plan(NamedTuple):
    """What all replicas share."""

    shape: Shape
    optimizer: Optimizer
    limits: Limits
    data: Data
    batch_size: int


class Learner(NamedTuple):
    """One replica in the middle of its training, changed in place.

    weights: float32 [entry]. slots: the optimizer's, float32 [slot, entry]. steps: int64 [1], taken so far.
    """

    weights: np.ndarray
    slots: np.ndarray
    steps: np.ndarray


def start(plan: Plan, learner: Learner, curves: np.ndarray, records: LayerRecord) -> None:
    """Measure the state before the first step: fills curves [4] and the first row of `records`."""
    room = signals(plan.shape, max(plan.data.labels.size, plan.data.test_labels.size))
    gradient = np.empty_like(learner.weights)
    probe(plan.shape, plan.limits, learner.weights, room, gradient, *plan.data[:2], row_of(records, 0))
    measure(plan, learner.weights, room, True, curves)


def predict(shape: Shape, weights: np.ndarray, inputs: np.ndarray, probabilities: np.ndarray) -> None:
    """Fill probabilities [sample], of label 1, for inputs [input, sample]."""
    room = signals(shape, inputs.shape[1])
    show(room, inputs)
    forward(shape, weights, room, inputs.shape[1])
    activate(ACTIVATIONS.index("sigmoid"), room.before[-1, 0], probabilities)


@compiled
def train(
    plan: Plan,
    orders: np.ndarray,
    is_recorded: np.ndarray,
    learner: Learner,
    curves: np.ndarray,
    records: LayerRecord,
) -> None:
    """Some epochs.

    Args:
        orders: int32 [epoch, sample], of the training samples. is_recorded: bool [epoch].
        curves: float32 [epoch, 4], filled: loss and accuracy on the train set, then on the test set, after each epoch.
        records: with an axis more in front, filled: a row for each recorded epoch; zero before.
    """
    data, weights = plan.data, learner.weights
    batch = signals(plan.shape, plan.batch_size)
    whole = signals(plan.shape, max(data.labels.size, data.test_labels.size))
    gradient, change, row = np.empty_like(weights), np.empty_like(weights), 0
    for epoch in range(orders.shape[0]):
        # After the last recorded epoch: some row, which nobody fills.
        record = row_of(records, min(row, records.weight_l1.shape[0] - 1))
        for e in range(weights.size):
            change[e] = -weights[e]
        train_epoch(plan, orders[epoch], is_recorded[epoch], learner, batch, gradient, record)
        if is_recorded[epoch]:
            for e in range(weights.size):
                change[e] += weights[e]
            average(plan.shape, -(-orders.shape[1] // plan.batch_size), change, record)
            probe(plan.shape, plan.limits, weights, whole, gradient, data.inputs, data.labels, record)
            row += 1
        measure(plan, weights, whole, is_recorded[epoch], curves[epoch])


@compiled
def train_epoch(
    plan: Plan,
    order: np.ndarray,
    is_recorded: bool,
    learner: Learner,
    room: Signals,
    gradient: np.ndarray,
    record: LayerRecord,
) -> None:
    """All batches of an epoch, the short last one too; adds what is recorded of their gradients."""
    data, labels = plan.data, np.empty(plan.batch_size, np.float32)
    for first in range(0, order.size, plan.batch_size):
        samples = min(plan.batch_size, order.size - first)
        for s in range(samples):
            sample = order[first + s]
            labels[s] = data.labels[sample]
            for source in range(data.inputs.shape[0]):
                room.after[0, source, s] = data.inputs[source, sample]
        forward(plan.shape, learner.weights, room, samples)
        backward(plan.shape, learner.weights, room, labels, gradient, samples)
        if is_recorded:
            add_batch(plan.shape, gradient, record)
        step(plan.optimizer, learner.weights, gradient, learner.slots, learner.steps[0])
        learner.steps[0] += 1


@compiled
def measure(plan: Plan, weights: np.ndarray, room: Signals, is_probed: bool, curves: np.ndarray) -> None:
    """Loss and accuracy on both sets; where the state was just probed, the training set's logits are there."""
    shape, data = plan.shape, plan.data
    output, samples = shape.sizes.size - 2, data.labels.size
    if not is_probed:
        show(room, data.inputs)
        forward(shape, weights, room, samples)
    curves[0], curves[1] = loss_and_accuracy(room.before[output, 0, :samples], data.labels)
    samples = data.test_labels.size
    show(room, data.test_inputs)
    forward(shape, weights, room, samples)
    curves[2], curves[3] = loss_and_accuracy(room.before[output, 0, :samples], data.test_labels)


@compiled
def row_of(records: LayerRecord, row: int) -> LayerRecord:
    """One recorded epoch's part."""
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
