"""Choose how a watched model is judged, by its compiled losses and metrics, and score its outputs.

* A compiled metric of ranking (AUC, top-k accuracy): that score.
* Classes with a metric of accuracy or with a loss alone: balanced accuracy. Numbers with a distance as the loss: R².
* Any other loss (counts, quantiles, densities, several labels a row, robust losses): the skill of the loss.
* Targets that equal the inputs: the skill of the loss, or R² if the loss has no scale. No targets, and outputs in the
  shape of the inputs: R² of the reconstruction.
* Several outputs: each by its own score; the worst output decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Final

import keras
import numpy as np

from pipeline.data.reference.yardstick import LEAST_SKILL, Yardstick
from pipeline.foundations.untyped import Array, Batch
from pipeline.models.loss_names import CLASSES, DISTANCES, ROBUST, TWO_CLASSES, loss_of, named_loss
from pipeline.params.evaluation_params import AUC, SKILL, TOP_K, WORST_OUTPUT
from pipeline.recorder.probe import Probe, Rows
from pipeline.recorder.scorer import AUTO, Scorer, reconstruction_scorer, scorer_for
from pipeline.watch.judging.compiled_metrics import TOP, is_accuracy, is_of_ranking, losses_of, metrics_of, output_names
from pipeline.watch.judging.loss_scale import same_shape
from pipeline.watch.judging.output_judge import OutputJudge, scale_of

KNOWN_LOSSES: Final = (*TWO_CLASSES, *CLASSES, *DISTANCES)
BY_SKILL: Final = Yardstick(score=SKILL, usual=LEAST_SKILL)
BY_AUC: Final = Yardstick(score=AUC, guess=0.5, usual=0.75)
PROBABILITY_MARGIN: Final = 1e-3  # outputs so far outside 0 to 1 are no probabilities


@dataclass(frozen=True)
class Judge:
    """Judges a model by its outputs.

    outputs: the judges of its outputs; empty if they cannot be judged.
    reason: why the outputs cannot be judged; "" if they can be.
    """

    outputs: Sequence[OutputJudge]
    reason: str = ""

    @property
    def yardstick(self) -> Yardstick | None:
        """The yardstick of the model; None if it cannot be judged."""
        if len(self.outputs) > 1:
            return Yardstick(score=WORST_OUTPUT, guess=0.0, usual=1.0)
        return self.outputs[0].yardstick if self.outputs else None

    @property
    def scorer(self) -> Scorer | None:
        """The scorer of the only output; None if there are several, or if no task fits."""
        return self.outputs[0].scorer if len(self.outputs) == 1 else None


def judge_of(model: keras.Model, probe: Probe, data: Rows, outputs: Batch, kind: str) -> Judge:
    """Return the judge of a compiled model.

    Args:
        data: rows of inputs and targets.
        outputs: the model's outputs for these rows.
        kind: the kind of task; AUTO infers it from the loss and the targets.
    """
    targets = keras.tree.flatten(data.targets)
    flat = [np.asarray(each) for each in keras.tree.flatten(outputs)]
    if all(each is None for each in targets):
        return _without_targets(data, outputs)
    if len(flat) == 1 and len(targets) == 1:
        judge = _autoencoder_judge(probe, data, outputs) or _output_judge(model, probe, data, outputs, 0, None, kind)
        return Judge([judge]) if judge else Judge([], _why_not(probe))
    losses = losses_of(model, outputs)
    if len(targets) != len(flat) or len(losses) != len(flat):
        return Judge([], "it is unknown which loss belongs to which of its outputs")
    judges = []
    for place, (name, loss) in enumerate(zip(output_names(model, outputs), losses, strict=True)):
        if loss is not None and targets[place] is not None:
            judge = _output_judge(model, probe, data, outputs, place, loss, AUTO)
            if judge is None:
                return Judge([], f"no score fits its output `{name}`: {_why_not(probe)}")
            judges.append(replace(judge, yardstick=judge.yardstick.model_copy(update={"name": name})))
    return Judge(judges, "" if judges else "none of its outputs has a loss")


def _autoencoder_judge(probe: Probe, data: Rows, outputs: Batch) -> OutputJudge | None:
    """Return the judge of an autoencoder, whose targets are its inputs; None for another model."""
    inputs, (target,) = keras.tree.flatten(data.inputs), keras.tree.flatten(data.targets)
    if len(inputs) != 1 or inputs[0].shape != target.shape or prod(target.shape[1:]) < 2:
        return None
    values, (output,) = np.asarray(target), keras.tree.flatten(outputs)
    if values.dtype.kind != "f" or np.asarray(output).shape != values.shape or not np.array_equal(inputs[0], values):
        return None
    by_values = OutputJudge(
        0, _empty_outputs(outputs), Yardstick(score="r2", usual=LEAST_SKILL), reconstruction_scorer()
    )
    by_loss = replace(by_values, yardstick=BY_SKILL)
    return by_values if scale_of(by_loss, probe, data, outputs) is None else by_loss


def _without_targets(data: Rows, outputs: Batch) -> Judge:
    """Return the judge of a model without targets: by the output that has the shape of its only input."""
    inputs = [np.asarray(each) for each in keras.tree.flatten(data.inputs)]
    shapes = [np.shape(each) for each in keras.tree.flatten(outputs)]
    if len(inputs) != 1 or inputs[0].dtype.kind != "f" or inputs[0].shape not in shapes:
        return Judge([], "it has no targets, and its outputs do not have the shape of its inputs")
    yardstick, place = Yardstick(score="r2", usual=LEAST_SKILL), shapes.index(inputs[0].shape)
    scorer = reconstruction_scorer()
    return Judge([OutputJudge(place, _empty_outputs(outputs), yardstick, scorer, reconstructs=True)])


def _output_judge(
    model: keras.Model,
    probe: Probe,
    data: Rows,
    outputs: Batch,
    place: int,
    loss: keras.losses.Loss | None,
    kind: str,
) -> OutputJudge | None:
    """Return the judge of one output; None if no score fits it.

    Args:
        loss: the loss of this output alone; None for the model's only loss.
    """
    name, from_logits = loss_of(model) if loss is None else named_loss(loss)
    target = np.asarray(keras.tree.flatten(data.targets)[place])
    output = np.asarray(keras.tree.flatten(outputs)[place], np.float32)
    ignored_class = getattr(getattr(model, "loss", None) if loss is None else loss, "ignore_class", None)
    scorer = scorer_for(name, from_logits, target, output, kind, ignored_class)
    metrics = metrics_of(model, place)
    by_loss = OutputJudge(place, _empty_outputs(outputs), BY_SKILL, scorer, loss)
    if scorer is None and any(map(is_of_ranking, metrics)) and _has_several_labels(target, output):
        return replace(by_loss, yardstick=BY_AUC)
    prefers_loss = scorer is None or (kind == AUTO and _is_score_misleading(name, from_logits, scorer, output, metrics))
    if not probe.has_loss and scorer is not None and _may_be_embedding(scorer, target, output, metrics):
        return None
    if prefers_loss and scale_of(by_loss, probe, data, outputs) is not None:
        return by_loss
    if scorer is None and same_shape(target, output) is not None and np.ptp(target, axis=0).max() > 0:
        # The loss cannot be called, or no constant minimizes it (a mean of signed errors has no minimum): judge by R².
        scorer = scorer_for(name, from_logits, target, output, "regression")
    return None if scorer is None else replace(by_loss, yardstick=_yardstick(scorer, metrics), scorer=scorer)


def _is_score_misleading(
    name: str, from_logits: bool, scorer: Scorer, output: Array, metrics: Sequence[keras.metrics.Metric]
) -> bool:
    """Return whether the task's score misleads: the loss is robust, or custom on outputs that are no probabilities."""
    if name in ROBUST:
        return True
    is_probability = output.min() >= -PROBABILITY_MARGIN and output.max() <= 1 + PROBABILITY_MARGIN
    is_custom = name not in KNOWN_LOSSES and not from_logits
    is_of_classes = scorer.task.is_classification  # an embedding has labels, too, but its units are no classes
    return is_of_classes and is_custom and not is_probability and not any(map(is_accuracy, metrics))


def _may_be_embedding(scorer: Scorer, target: Array, output: Array, metrics: Sequence[keras.metrics.Metric]) -> bool:
    """Return whether units of an output without a known loss may be no classes: spare units that do not sum to 1."""
    has_spare_units = scorer.task.kind == "multiclass" and target.size < output.size
    has_spare_units = has_spare_units and target.max() + 1 < output.shape[-1]
    are_probabilities = output.min() >= -PROBABILITY_MARGIN and np.allclose(output.sum(axis=-1), 1, atol=0.01)
    return bool(has_spare_units and not are_probabilities and not any(map(is_accuracy, metrics)))


def _yardstick(scorer: Scorer, metrics: Sequence[keras.metrics.Metric]) -> Yardstick:
    """Return the yardstick of the score that the compiled metrics ask for."""
    if not scorer.task.is_classification:
        return Yardstick.of_task(scorer.task)
    if any(map(is_of_ranking, metrics)):
        return BY_AUC
    top = [each for each in metrics if isinstance(each, TOP)]
    others = [each for each in metrics if is_accuracy(each) and not isinstance(each, TOP)]
    if top and not others and scorer.task.kind == "multiclass":
        count = int(getattr(top[0], "_fn_kwargs", {}).get("k", 5))
        guess = min(1.0, count / scorer.task.outputs)
        return Yardstick(score=TOP_K, guess=guess, usual=(1 + guess) / 2, top_k=count)
    return Yardstick.of_task(scorer.task)


def _has_several_labels(target: Array, output: Array) -> bool:
    return target.shape == output.shape and target.shape[-1] > 1 and bool(np.isin(target, (0, 1)).all())


def _empty_outputs(outputs: Batch) -> Batch:
    """Return the outputs without rows: only their structure and shapes."""
    return keras.tree.map_structure(lambda each: np.asarray(each)[:0], outputs)


def _why_not(probe: Probe) -> str:
    """Return why no score fits an output, in words."""
    if not probe.has_loss:
        return "its training step computes the loss itself, and its outputs are neither like its targets nor classes"
    return "its loss gives no baseline: for constant outputs it is 0, has no minimum, or is the same as for any others"
