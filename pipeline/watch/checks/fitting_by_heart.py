"""Test whether the model can fit a few rows by heart: with its own optimizer, loss and training mode.

A model that cannot fit 64 rows will not fit more. The steps are limited by a count, so that the result depends on no
clock: STEPS at most, and fewer for a large model, whose multiplications are limited by MULTIPLICATIONS.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

import keras
import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Batch
from pipeline.recorder.layers import batch_size, rows
from pipeline.recorder.learning_rates import schedule_of
from pipeline.recorder.probe import Rows
from pipeline.watch.checks.check_line import FAULT, FINE, HINT, CheckLine, Level
from pipeline.watch.checks.first_steps import FirstSteps, quiet
from pipeline.watch.checks.one_check import Check, NotRunError

ROWS: Final = 64
STEPS: Final = 300
FEWEST_STEPS: Final = 50  # fewer steps prove nothing
MULTIPLICATIONS: Final = 5e11  # of all steps: some ten seconds on two cores
BACKWARD: Final = 3  # times a forward pass: a step with its gradients
UNMOVED: Final = 0.01  # a loss that falls by a smaller part of itself does not move
PART_FITTED: Final = 0.1  # of the way from the baseline loss to a perfect one; less is a hint
FALLING: Final = 0.05
WARM: Final = 0.1  # of the greatest learning rate: while a schedule warms up below it, the steps prove nothing


@dataclass(frozen=True)
class FittedRows:
    """The losses of the rows, in inference mode; in training mode if the training step computes the loss itself.

    before, after: before the first step, and after the last.
    baseline, perfect: the loss of the best constant outputs, NaN if unknown; and of perfect outputs.
    passes: the logged loss of each pass over the rows.
    """

    steps: int
    rows: int
    before: float
    after: float
    baseline: float
    perfect: float
    passes: Sequence[float]

    @property
    def part(self) -> float:
        """How far the loss fell from the baseline to a perfect loss, 1 at most; from the first loss if unknown."""
        top = self.baseline if np.isfinite(self.baseline) else self.before
        return (top - self.after) / (top - self.perfect) if top > self.perfect else float("nan")

    @property
    def still_falls(self) -> bool:
        """Whether the loss fell in the last quarter of the passes by more than FALLING of itself."""
        quarter = max(1, len(self.passes) // 4)
        before, last = (float(np.mean(each)) for each in (self.passes[-2 * quarter : -quarter], self.passes[-quarter:]))
        return before - last > FALLING * abs(before)

    @property
    def fall(self) -> float:
        """How far the loss fell, as a part of the first loss above a perfect one."""
        height = self.before - self.perfect
        return (self.before - self.after) / height if height > 0 else float("nan")


def _check_by_heart(steps: FirstSteps) -> CheckLine:
    """Train on the rows; the caller restores the model's state before and after it."""
    with quiet():
        fitted = _fit(steps)
    numbers: dict[str, float | str | None] = {
        "steps": float(fitted.steps), "rows": float(fitted.rows), "loss_before": fitted.before,
        "loss_after": fitted.after, "baseline_loss": fitted.baseline, "part_fitted": fitted.part,
    }  # fmt: skip
    constant = f" (best constant: {fitted.baseline:.3g})" if np.isfinite(fitted.baseline) else ""
    sentence = (
        f"in {fitted.steps} steps on {fitted.rows} rows the loss goes from {fitted.before:.3g} to "
        f"{fitted.after:.3g}{constant}."
    )
    level, cause, advice = _judgement(fitted, steps)
    return CheckLine(NAME, level, sentence, advice, cause, numbers)


def _judgement(fitted: FittedRows, steps: FirstSteps) -> tuple[Level, str | None, str]:
    """Return the level, the name of the cause and the advice."""
    if not np.isfinite(fitted.after):
        return FAULT, "exploding", "a tenth of the learning rate, or gradients clipped by `global_clipnorm=1.0`"
    if fitted.fall < -UNMOVED and not fitted.part > PART_FITTED:
        return HINT, "learning_rate_too_large", "a tenth of the learning rate"
    if fitted.fall < UNMOVED and not fitted.part > PART_FITTED:
        scale = steps.start_numbers["gradient_scale"]
        if scale is not None and float(scale) < steps.params.vanishing_scale:
            return FAULT, "vanishing", "see the line on the gradient, and use `relu` layers with default initializers"
        return FAULT, "learning_rate_too_small", "ten times the learning rate, and again, until the loss falls"
    if fitted.part < PART_FITTED and not fitted.still_falls:
        return (
            HINT,
            "learning_rate_too_small",
            "ten times the learning rate; look at gradient and penalties, too",
        )
    return FINE, None, ""


def _fit(steps: FirstSteps) -> FittedRows:
    probe, judging = steps.watching.probe, steps.watching.judging
    data = _few_rows(steps)
    limit = _limit(steps, data)
    has_loss = probe is not None and probe.has_loss and data.targets is not None
    baseline, perfect, before = float("nan"), 0.0, float("nan")
    if probe is not None and has_loss:
        forward = probe.evaluate(probe.state(), data)
        before = forward.loss
        baseline = judging.begin(probe, "by_heart", data, forward.outputs)
        perfect = float(judging.attributes({}).get("by_heart_perfect_loss", 0.0))
    logged = list(_train(steps, data, limit))
    if probe is not None and has_loss:
        after = probe.evaluate(probe.state(), data).loss
    else:
        before, after = logged[0], logged[-1]
    return FittedRows(limit, data.size, before, after, baseline, perfect, logged)


def _few_rows(steps: FirstSteps) -> Rows:
    """Return ROWS rows of the probe, evenly from first to last; whole batches for a model with a fixed batch size."""
    data = steps.watching.probe_rows
    if data is None:
        raise NotRunError("no rows are known")
    fixed = batch_size(steps.model)
    count = min(data.size, ROWS if fixed is None else max(1, ROWS // fixed) * fixed)
    places = np.unique(np.linspace(0, data.size - 1, count).round().astype(int))
    return Rows(*keras.tree.map_structure(lambda leaf: None if leaf is None else tf.gather(leaf, places), tuple(data)))


def _limit(steps: FirstSteps, data: Rows) -> int:
    """Return the number of steps."""
    schedule = None if steps.model.optimizer is None else schedule_of(steps.model.optimizer)
    if schedule is not None:
        end = steps.fit.epochs * (steps.fit.steps_per_epoch or STEPS)
        rates = [float(np.asarray(schedule(int(each)))) for each in np.linspace(0, max(end, STEPS), 50)]
        if float(np.asarray(schedule(STEPS))) < WARM * max(rates) and float(np.asarray(schedule(0))) < WARM * max(
            rates
        ):
            raise NotRunError(f"the learning rate still warms up after {STEPS} steps")
    size = batch_size(steps.model) or min(steps.fit.batch_size, data.size)
    cost = BACKWARD * size * sum(_multiplications(row.owner, row.variable.shape) for row in rows(steps.model))
    limit = int(min(STEPS, MULTIPLICATIONS / max(cost, 1)))
    if limit < FEWEST_STEPS:
        raise NotRunError(f"the model is so large that only {limit} steps would be tried")
    return limit


def _multiplications(layer: keras.layers.Layer, shape: tuple[int, ...]) -> int:
    """Return how many multiplications a kernel takes for one row: its size times the places where it is applied."""
    try:
        places = [size or 1 for size in layer.output.shape[1:-1]]
    except (AttributeError, ValueError):  # the layer is not in a graph, or is called several times
        places = []
    return 0 if isinstance(layer, keras.layers.Embedding) else prod(shape) * prod(places)


def _train(steps: FirstSteps, data: Rows, limit: int) -> Iterator[float]:
    """Yield the logged losses of the passes over the rows."""
    model = steps.model
    model.train_function = None  # the present one was traced with hooks, and for rows in another form
    model.make_train_function()
    size = batch_size(model) or min(steps.fit.batch_size, data.size)
    dataset = tf.data.Dataset.from_tensor_slices(_packed(data)).shuffle(data.size, seed=0).repeat().batch(size)
    batches = iter(dataset)
    a_pass = max(1, data.size // size)
    calls = max(1, limit // model.steps_per_execution)
    for call in range(calls):
        if call % a_pass == 0:
            model.reset_metrics()
        logs = model.train_function(batches)
        if (call + 1) % a_pass == 0 or call + 1 == calls:
            yield float(np.asarray(_loss(logs)))


def _loss(logs: dict[str, Batch]) -> Batch:
    """Return the loss among the logs of a step; the sum of all losses if a training step of the user's names them."""
    if "loss" in logs:
        return logs["loss"]
    losses = [np.asarray(value) for name, value in logs.items() if "loss" in name]
    if not losses:
        raise NotRunError("the training step logs no loss")
    return np.sum(losses)


def _packed(data: Rows) -> Batch:
    packed: Batch = keras.utils.pack_x_y_sample_weight(*keras.tree.lists_to_tuples(tuple(data)))
    return packed  # a data set would stack the arrays of a list


NAME: Final = f"fitting {ROWS} rows by heart"
CHECK: Final = Check(NAME, _check_by_heart)
