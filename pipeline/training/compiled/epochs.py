"""Train and measure one replica: the loops over epochs and batches.

Training and measuring are apart: `train` keeps the weights after each epoch, and `measure` reads them.
"""

from typing import NamedTuple

import numpy as np

from pipeline.training.compiled import outputs
from pipeline.training.compiled.compiling import compiled, with_arrays
from pipeline.training.compiled.measures import (
    LayerRecord,
    Limits,
    add_activity,
    add_batch,
    average,
    set_activity,
    set_state,
)
from pipeline.training.compiled.passes import DataParts, backward, forward, load_samples
from pipeline.training.compiled.shapes import MOST_SAMPLES, TILE, Block, Shape, block_of
from pipeline.training.compiled.steps import Optimizer, step


class Plan(NamedTuple):
    """The settings and the data that all replicas of a variant share."""

    shape: Shape
    optimizer: Optimizer
    limits: Limits
    data: DataParts
    batch_size: int


class Learner(NamedTuple):
    """The state of one replica in training, changed in place.

    weights: float32 [entry], with the layout of `Shape`.
    slots: the optimizer's state, float32 [slot, entry].
    steps: the number of steps so far, int64 [1].
    """

    weights: np.ndarray
    slots: np.ndarray
    steps: np.ndarray


class Sums(NamedTuple):
    """Sums over the blocks of one part of the data.

    scores: see `outputs.add_scores`.
    gradient: of the mean loss, float32 [entry].
    on, below: see `measures.add_activity`.
    """

    scores: np.ndarray
    gradient: np.ndarray
    on: np.ndarray
    below: np.ndarray


@with_arrays
def predict(shape: Shape, weights: np.ndarray, data: DataParts, predictions: np.ndarray) -> None:
    """Set predictions [sample, output] for the inputs of `data`."""
    block = block_of(shape, data.rows.size)
    for first in range(0, data.rows.size, MOST_SAMPLES):
        samples = min(MOST_SAMPLES, data.rows.size - first)
        load_samples(data, data.rows, first, samples, shape.rows[-2], block)
        forward(shape, weights, block, samples)
        outputs.predict(shape, block, samples)
        for s in range(samples):
            start = s // TILE * block.tile_size + shape.rows[-2] * TILE + s % TILE
            for k in range(predictions.shape[1]):
                predictions[first + s, k] = block.errors[start + k * TILE]


@with_arrays
def train(
    plan: Plan, orders: np.ndarray, is_recorded: np.ndarray, learner: Learner, states: np.ndarray, records: LayerRecord
) -> None:
    """Train one replica for some epochs.

    Args:
        orders: the order of the training samples, int32 [epoch, sample].
        is_recorded: whether layer values are recorded after each epoch, bool [epoch].
        states: float32 [1 + epoch, entry], set to the weights before the first epoch and after each.
        records: set to the gradients' statistics in the recorded epochs, [recorded epoch, ...]; must be zero before.
    """
    block, gradient, row = block_of(plan.shape, plan.batch_size), np.empty_like(learner.weights), 0
    states[0] = learner.weights
    for epoch in range(orders.shape[0]):
        # After the last recorded epoch nothing is written to the row, so any row will do.
        record = row_of(records, min(row, records.weight_l1.shape[0] - 1))
        train_epoch(plan, orders[epoch], is_recorded[epoch], learner, block, gradient, record)
        if is_recorded[epoch]:
            average(-(-orders.shape[1] // plan.batch_size), record)
            row += 1
        states[1 + epoch] = learner.weights


@compiled
def train_epoch(
    plan: Plan,
    order: np.ndarray,
    is_recorded: bool,
    learner: Learner,
    block: Block,
    gradient: np.ndarray,
    record: LayerRecord,
) -> None:
    """Train all batches of an epoch, also a short last batch; add the statistics of their gradients to `record`."""
    for start in range(0, order.size, plan.batch_size):
        end = min(start + plan.batch_size, order.size)
        gradient[:] = 0
        for first in range(start, end, MOST_SAMPLES):
            samples = min(MOST_SAMPLES, end - first)
            load_samples(plan.data, order, first, samples, plan.shape.rows[-2], block)
            forward(plan.shape, learner.weights, block, samples)
            outputs.output_error(plan.shape, block, samples, end - start)
            backward(plan.shape, learner.weights, block, samples, gradient)
        if is_recorded:
            add_batch(plan.shape, gradient, record)
        step(plan.optimizer, learner.weights, gradient, learner.slots, learner.steps[0])
        learner.steps[0] += 1


@with_arrays
def measure(plan: Plan, is_recorded: np.ndarray, states: np.ndarray, curves: np.ndarray, records: LayerRecord) -> None:
    """Measure one replica after some epochs.

    Args:
        is_recorded: see `train`.
        states: see `train`.
        curves: float32 [epoch, curve], set to the loss and the scores of each part after each epoch.
        records: set to the values that describe the state after the recorded epochs, [recorded epoch, ...].
    """
    shape, data, row = plan.shape, plan.data, 0
    block = block_of(shape, data.rows.size)
    sums = sums_of(plan)
    curves_per_part = curves.shape[1] // data.ends.size
    for epoch in range(is_recorded.size):
        weights = states[1 + epoch]
        for part in range(data.ends.size):
            first, is_probed = data.ends[part - 1] if part > 0 else 0, part == 0 and is_recorded[epoch]
            samples = data.ends[part] - first
            measure_part(plan, weights, first, samples, is_probed, block, sums)
            part_curves = curves[epoch, part * curves_per_part : (part + 1) * curves_per_part]
            outputs.set_curves(shape, sums.scores, samples, data.squares[part], part_curves)
            if is_probed:
                record = row_of(records, row)
                set_activity(shape, samples, sums.on, sums.below, record)
                set_state(shape, plan.limits, weights, states[epoch], sums.gradient, record)
                row += 1


@compiled
def measure_part(
    plan: Plan, weights: np.ndarray, start: int, samples: int, is_probed: bool, block: Block, sums: Sums
) -> None:
    """Set `sums` for a part of the data, which begins at sample `start`.

    Args:
        is_probed: whether to sum gradients and activity too.
    """
    sums.scores[:] = 0
    if is_probed:
        sums.gradient[:], sums.on[:], sums.below[:] = 0, 0, 0
    for first in range(0, samples, MOST_SAMPLES):
        count = min(MOST_SAMPLES, samples - first)
        load_samples(plan.data, plan.data.rows, start + first, count, plan.shape.rows[-2], block)
        forward(plan.shape, weights, block, count)
        outputs.add_scores(plan.shape, block, count, sums.scores)
        if is_probed:
            add_activity(plan.shape, plan.limits, block, count, sums.on, sums.below)
            outputs.output_error(plan.shape, block, count, samples)
            backward(plan.shape, weights, block, count, sums.gradient)


@with_arrays
def sums_of(plan: Plan) -> Sums:
    """Return arrays for the sums over a part."""
    shape = plan.shape
    return Sums(
        np.empty((3, max(2, shape.widths[-1])), np.float64),
        np.empty(shape.biases[-1] + shape.rows[-1] - shape.rows[-2], np.float32),
        np.empty(shape.rows[-1], np.int64),
        np.empty((shape.widths.size - 1, plan.limits.slopes.shape[1]), np.int64),
    )


@with_arrays
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
