"""Score one output of a watched model.

Imports TensorFlow with the user's own settings.
"""

from dataclasses import dataclass
from math import prod

import keras
import numpy as np
import tensorflow as tf

from pipeline.data.reference.ranking_scores import mean_auc
from pipeline.data.reference.reference import ranking_scores
from pipeline.data.reference.yardstick import Yardstick
from pipeline.foundations.untyped import Array, Batch
from pipeline.params.evaluation_params import AUC, TOP_K
from pipeline.recorder.probe import Probe, Rows
from pipeline.recorder.scorer import Scorer
from pipeline.watch.judging.loss_scale import LossOf, LossScale, loss_scale


@dataclass(frozen=True)
class OutputJudge:
    """Judges one output.

    place: its place among the flat outputs, and among the flat targets.
    outputs: the model's outputs for no row.
    scorer: None if no task fits.
    loss: Keras's loss of this output alone; None for the model's only loss.
    reconstructs: whether the inputs are the targets.
    """

    place: int
    outputs: Batch
    yardstick: Yardstick
    scorer: Scorer | None
    loss: keras.losses.Loss | None = None
    reconstructs: bool = False

    def target(self, data: Rows) -> Array | None:
        """Return the targets of this output; None without any."""
        leaves = keras.tree.flatten(data.inputs if self.reconstructs else data.targets)
        leaf = leaves[0] if self.reconstructs else leaves[self.place]
        return None if leaf is None else np.asarray(leaf)

    def output(self, outputs: Batch) -> Array:
        """Return this output of all outputs."""
        return np.asarray(keras.tree.flatten(outputs)[self.place], np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of this output for one row."""
        return self.output(self.outputs).shape[1:]

    @property
    def steps(self) -> int:
        """The number of time steps with a target of their own; 0 if a row has one target."""
        is_class = self.scorer is not None and self.scorer.task.kind == "multiclass"
        has_steps = len(self.shape) == 2 and self.shape[0] > 1 and (is_class or self.shape[1] == 1)
        return self.shape[0] if has_steps and self.scorer is not None else 0

    @property
    def numbers(self) -> int:
        """The number of numbers in this output for one row."""
        return prod(self.shape)

    def loss_of(self, probe: Probe, data: Rows) -> LossOf:
        """Return the loss as a function of this output alone."""
        if self.loss is not None:
            target, loss = keras.tree.flatten(data.targets)[self.place], self.loss
            return lambda output: tf.cast(loss(target, output), tf.float32)
        return lambda output: probe.loss_tensor(data, keras.tree.pack_sequence_as(self.outputs, [output]))

    def scores(self, data: Rows, outputs: Batch, kept: Array | None) -> dict[str, float]:
        """Return the scores that need no loss, by name."""
        target, output = self.target(data), self.output(outputs)
        if target is None:
            return {}
        scores = {} if self.scorer is None else self.scorer.scores(target, output, kept)
        score = self.yardstick.score
        if score in (AUC, TOP_K):
            with np.errstate(all="ignore"):
                scores[score] = self._ranking(target, output, kept)
        return scores

    def _ranking(self, target: Array, output: Array, kept: Array | None) -> float:
        if self.scorer is None:  # several labels a row
            return mean_auc(target.reshape(-1, output.shape[-1]) == 1, output.reshape(-1, output.shape[-1]))
        labels = self.scorer.targets(target, output)
        flat = output.reshape(len(labels), -1).astype(np.float64)
        if self.scorer.from_logits and flat.shape[1] > 1:  # classes are compared between rows, too
            flat = np.exp(flat - flat.max(axis=1, keepdims=True))
            flat /= flat.sum(axis=1, keepdims=True)
        counts = self.scorer.counted(labels, kept)
        score = ranking_scores(self.scorer.task, self.yardstick.top_k)[self.yardstick.score]
        return score(labels[counts], flat[counts])


def scale_of(judge: OutputJudge, probe: Probe, data: Rows, outputs: Batch) -> LossScale | None:
    """Return the scale of the loss of an output on some rows; None if the loss cannot be called, or has no scale."""
    if judge.loss is None and not probe.has_loss:
        return None
    return loss_scale(judge.loss_of(probe, data), judge.target(data), judge.output(outputs))
