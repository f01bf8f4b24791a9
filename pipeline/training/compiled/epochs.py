"""Train and measure one replica: the loops over epochs and batches.

Training and measuring are apart: `train` keeps the weights after each epoch, and `measure` reads them.
"""

from typing import NamedTuple

import numpy as np

from pipeline.training.compiled import outputs
from pipeline.training.compiled.compiling import compiled
from pipeline.training.compiled.measures import Limits, Records, add_activity, add_batch, set_activity, set_state
from pipeline.training.compiled.passes import DataParts, backward, forward, load_samples
from pipeline.training.compiled.shapes import MOST_SAMPLES, TILE, Block, Shape, aligned_zeros, weight_count
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
    """Sums over the blocks of a batch or of one part of the data.

    gradient: of the mean loss, float32 [entry].
    scores: see `outputs.add_scores`.
    on, below: see `measures.add_activity`.
    """

    gradient: np.ndarray
    scores: np.ndarray
    on: np.ndarray
    below: np.ndarray


def sums_of(plan: Plan) -> Sums:
    """Return arrays for sums."""
    layers, outputs = plan.shape.kernels.size, plan.shape.widths[-1]
    return Sums(
        aligned_zeros(weight_count(plan.shape)),
        np.zeros((3, max(2, outputs))),
        np.zeros(plan.shape.rows[-1], np.int64),
        np.zeros((layers, plan.limits.slopes.shape[1]), np.int64),
    )


@compiled
def predict(shape: Shape, weights: np.ndarray, data: DataParts, block: Block, predictions: np.ndarray) -> None:
    """Set predictions [sample, output] for the inputs of `data`."""
    for first in range(0, data.rows.size, MOST_SAMPLES):
        samples = min(MOST_SAMPLES, data.rows.size - first)
        load_samples(data, data.rows, first, samples, shape, block)
        forward(shape, weights, block, samples)
        outputs.predict(shape, block, samples)
        for s in range(samples):
            start = s // TILE * block.tile_size + shape.rows[-2] * TILE + s % TILE
            for k in range(predictions.shape[1]):
                predictions[first + s, k] = block.errors[start + k * TILE]


@compiled
def train(
    plan: Plan,
    orders: np.ndarray,
    is_recorded: np.ndarray,
    learner: Learner,
    block: Block,
    sums: Sums,
    states: np.ndarray,
    records: Records,
) -> None:
    """Train one replica for some epochs.

    Args:
        orders: the order of the training samples, int32 [epoch, sample].
        is_recorded: whether layer values are recorded after each epoch, bool [epoch].
        states: float32 [1 + epoch, entry], set to the weights before the first epoch and after each.
        records: set to the gradients' statistics in the recorded epochs; must be zero before.
    """
    record, weights = 0, learner.weights
    for epoch in range(orders.shape[0]):
        for e in range(weights.size):
            states[epoch, e] = weights[e]
        train_epoch(plan, orders[epoch], is_recorded[epoch], learner, block, sums.gradient, records, record)
        record += is_recorded[epoch]
    for e in range(weights.size):
        states[-1, e] = weights[e]


@compiled
def train_epoch(
    plan: Plan,
    order: np.ndarray,
    is_recorded: bool,
    learner: Learner,
    block: Block,
    gradient: np.ndarray,
    records: Records,
    record: int,
) -> None:
    """Train all batches of an epoch, also a short last batch; record the statistics of their gradients."""
    for start in range(0, order.size, plan.batch_size):
        end = min(start + plan.batch_size, order.size)
        gradient[:] = 0
        for first in range(start, end, MOST_SAMPLES):
            samples = min(MOST_SAMPLES, end - first)
            load_samples(plan.data, order, first, samples, plan.shape, block)
            forward(plan.shape, learner.weights, block, samples)
            outputs.output_error(plan.shape, block, samples, end - start)
            backward(plan.shape, learner.weights, block, samples, gradient)
        if is_recorded:
            add_batch(plan.shape, gradient, -(-order.size // plan.batch_size), records, record)
        step(plan.optimizer, learner.weights, gradient, learner.slots, learner.steps[0])
        learner.steps[0] += 1


@compiled
def measure(
    plan: Plan,
    is_recorded: np.ndarray,
    states: np.ndarray,
    block: Block,
    sums: Sums,
    curves: np.ndarray,
    records: Records,
) -> None:
    """Measure one replica after some epochs.

    Args:
        is_recorded: see `train`.
        states: see `train`.
        curves: float32 [epoch, curve], set to the loss and the scores of each part after each epoch.
        records: set to the values that describe the state after the recorded epochs.
    """
    shape, data, record = plan.shape, plan.data, 0
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
                set_activity(shape, samples, sums.on, sums.below, records, record)
                set_state(shape, plan.limits, weights, states[epoch], sums.gradient, records, record)
        record += is_recorded[epoch]


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
        load_samples(plan.data, plan.data.rows, start + first, count, plan.shape, block)
        forward(plan.shape, weights, block, count)
        outputs.add_scores(plan.shape, block, count, sums.scores)
        if is_probed:
            add_activity(plan.shape, plan.limits, block, count, sums.on, sums.below)
            outputs.output_error(plan.shape, block, count, samples)
            backward(plan.shape, weights, block, count, sums.gradient)
