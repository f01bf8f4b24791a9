"""Judge a watched fit of any task: choose its score, measure it, and fit the reference when it is needed.

Imports TensorFlow with the user's own settings.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final

import keras
import numpy as np

from pipeline.data.reference.reference import Reference
from pipeline.data.reference.yardstick import JudgedOutput
from pipeline.data.split.tasks import Task
from pipeline.foundations.untyped import Array, Batch
from pipeline.history import record
from pipeline.params.evaluation_params import SKILL, WORST_OUTPUT
from pipeline.recorder.curves import OUTPUT_SCORE, baseline_loss, single_scores
from pipeline.recorder.fit_arguments import FitArguments
from pipeline.recorder.guard import Guard
from pipeline.recorder.probe import ForwardPass, Probe, Rows
from pipeline.watch.judging.counted_rows import counted_rows
from pipeline.watch.judging.fit_reference import FitReference, ScoredOutput
from pipeline.watch.judging.judge import Judge, judge_of
from pipeline.watch.judging.loss_scale import LossScale
from pipeline.watch.judging.output_judge import OutputJudge, scale_of

UNSCALED: Final = LossScale(float("nan"), 0.0)  # no skill is known
JUDGED_PARTS: Final = ("validation", "train")  # the first one with rows judges


class FitJudging:
    """Judges one model; see `recorder.curves.Judging`."""

    def __init__(self, model: keras.Model, kind: str, guard: Guard) -> None:
        """Args: kind: the kind of task, see `scorer_of`."""
        self._model = model
        self._kind = kind
        self._guard = guard
        self._judge: Judge | None = None
        self._scales: dict[tuple[str, int], LossScale] = {}
        self._kept: dict[str, Array | None] = {}
        self._parts: dict[str, Rows] = {}
        self._probe: Probe | None = None
        self._reference = FitReference(guard)

    def fit_begins(self, arguments: FitArguments, data: tuple[Batch, Batch] | None) -> None:
        """Keep training rows for the reference."""
        self._reference.keep(arguments, data)

    @property
    def task(self) -> Task | None:
        """The model's task; None before the first measurement, or if no task fits."""
        scorer = None if self._judge is None else self._judge.scorer
        return None if scorer is None else scorer.task

    def begin(self, probe: Probe, part: str, data: Rows, outputs: Batch) -> float:
        """Choose the judge, measure the ends of the skill on a part's rows, and return the baseline loss."""
        self._probe, self._parts[part], self._kept[part] = probe, data, None
        with self._guard.optional("leave out padding"):
            self._kept[part] = counted_rows(self._model, probe, data)
        if self._judge is None:
            self._judge = Judge([], "its outputs could not be examined")
            with self._guard("choose a score"):
                self._judge = judge_of(self._model, probe, data, outputs, self._kind)
        for judge in self._judge.outputs:
            if judge.yardstick.score == SKILL:
                with self._guard.optional("measure the loss of the best constant outputs"):
                    self._scales[part, judge.place] = scale_of(judge, probe, data, outputs) or UNSCALED
        if len(self._judge.outputs) != 1:
            return float("nan")
        scale = self._scales.get((part, self._judge.outputs[0].place))
        if scale is not None:
            return scale.constant
        if self._judge.scorer is None or keras.tree.flatten(data.targets)[0] is None:
            return float("nan")
        return baseline_loss(self._judge.scorer, probe, data, outputs, self._guard)

    def scores(self, probe: Probe, part: str, data: Rows, forward: ForwardPass) -> dict[str, float]:
        """Return the scores of the only output by name; of several outputs, the score that judges each."""
        scores: dict[str, float] = {}
        for judge in self._judges:
            own = judge.scores(data, forward.outputs, self._kept.get(part))
            if judge.yardstick.score == SKILL:
                loss = forward.loss
                if judge.loss is not None:
                    loss = float(judge.loss_of(probe, data)(judge.output(forward.outputs)))
                own[SKILL] = self._scales.get((part, judge.place), UNSCALED).skill(loss)
            if len(self._judges) == 1:
                return own
            scores[f"output_{judge.place}"] = own[judge.yardstick.score]
        return scores

    def combined(self, curves: Mapping[str, float]) -> Mapping[str, float]:
        """Return the curves of one epoch; the scores of several outputs become that of the worst one."""
        combined = single_scores(curves)
        for part in self._parts:
            outputs = list(self._outputs(curves, part))
            if outputs:
                combined[f"{part}_{WORST_OUTPUT}"] = float(np.min([each.progress for each in outputs]))
        return combined

    def attributes(self, curves: Mapping[str, float]) -> dict[str, str | float]:
        """Return yardstick, reference and outputs as JSON, or why nothing can judge the model."""
        if self._judge is None:
            return {}
        yardstick = self._judge.yardstick
        if yardstick is None:
            return {record.UNJUDGED: self._judge.reason}
        attributes: dict[str, str | float] = {record.YARDSTICK: yardstick.model_dump_json()}
        outputs = list(self._outputs(curves, self._judged_part))
        if outputs:
            attributes[record.OUTPUTS] = json.dumps([each.model_dump() for each in outputs])
        elif (reference := self._reference_of(self._judge.outputs[0])) is not None:
            attributes[record.REFERENCE] = reference.model_dump_json()
        perfect = {part: scale.perfect for (part, _), scale in self._scales.items() if len(self._judges) == 1}
        if np.isfinite(self._scales.get(("train", self._judges[0].place), UNSCALED).constant) and not outputs:
            attributes[record.BASELINE_IS_KNOWN] = 1
        return attributes | {f"{part}_{record.PERFECT_LOSS}": value for part, value in perfect.items() if value}

    @property
    def _judges(self) -> tuple[OutputJudge, ...]:
        return () if self._judge is None else tuple(self._judge.outputs)

    @property
    def _judged_part(self) -> str:
        return next(part for part in JUDGED_PARTS if part in self._parts)

    def _outputs(self, curves: Mapping[str, float], part: str) -> Iterator[JudgedOutput]:
        """Yield the score of each of several outputs, and its bar."""
        for judge in self._judges:
            value = curves.get(f"{part}{OUTPUT_SCORE}{judge.place}")
            if value is not None:
                bar = judge.yardstick.bar(self._reference_of(judge))
                yield JudgedOutput(yardstick=judge.yardstick, value=value, bar=bar)

    def _reference_of(self, judge: OutputJudge) -> Reference | None:
        """Return the reference for one output, fitted at the first call."""
        if self._probe is None:
            return None
        validation, kept = self._parts.get("validation"), self._kept.get("validation")
        scale = self._scales.get(("validation", judge.place))
        output = ScoredOutput(judge, self._probe, self._parts["train"], validation, kept, scale)
        return self._reference.of(self._model, output)
