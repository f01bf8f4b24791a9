"""Measure what happens around one model while its `fit` runs: the facts that `fit_facts.py` names.

What is known before the first epoch is measured then, so that it can be reported then.
"""

from collections.abc import Mapping
from typing import Final

import keras
import numpy as np

from pipeline.foundations.untyped import Array, Batch
from pipeline.history.record import HIDDEN
from pipeline.recorder import input_facts, sequence_facts
from pipeline.recorder.accuracy_facts import accuracy_gap, accuracy_metrics, overlap_gap, overlap_metrics
from pipeline.recorder.entering_signal import EnteringSignal
from pipeline.recorder.fit_arguments import FitArguments
from pipeline.recorder.fit_end import is_backwards, stopping_callback
from pipeline.recorder.fit_hooks import FitHooks
from pipeline.recorder.guard import Guard
from pipeline.recorder.layers import Row, every_layer, output_dropout, rows
from pipeline.recorder.learning_rates import LearningRates
from pipeline.recorder.probe import ForwardPass, Probe, Rows, Tensors
from pipeline.recorder.recorder import Recorder
from pipeline.recorder.row_samples import FEWEST_ROWS, numeric_leaves, sampled
from pipeline.recorder.target_classes import class_weight_facts, classes_of
from pipeline.recorder.untracked_weights import UntrackedWeights
from pipeline.recorder.updates import Updates
from pipeline.recorder.validation_facts import input_shift, new_classes

ROUNDING: Final = 1e-3  # of two accuracies of the same rows; a larger difference has another reason


class AroundModel:
    """Measures the facts of the fits of one model, and adds them to the record; each may be missing.

    arguments: the arguments of the latest `fit`.
    is_own_stop: whether `Diagnosis` itself, and no other callback, ended the latest `fit`.
    """

    def __init__(self, model: keras.Model, recorder: Recorder, hooks: FitHooks, kind: str, guard: Guard) -> None:
        """Prepare the measurements.

        Args:
            kind: the kind of task, or `auto`.
        """
        self.arguments = FitArguments()
        self.is_own_stop = False
        self._model = model
        self._recorder = recorder
        self._hooks = hooks
        self._kind = kind
        self._guard = guard
        self._rates = LearningRates(model)
        self._untracked = UntrackedWeights(model)
        self._updates = Updates(model, hooks)
        self._training: tuple[list[Array], Array | None] | None = None  # numeric inputs, and the class of each row
        self._is_entering_measured = False

    # Before the first epoch

    def begin(self, arguments: FitArguments, data: tuple[Batch, Batch] | None) -> None:
        """Start a `fit`, and measure its rows as far as they are known.

        Args:
            data: inputs and targets that the user gave to `Diagnosis`; None without any.
        """
        self.arguments, self.is_own_stop = arguments, False
        facts, texts = self._recorder.fit_facts, self._recorder.fit_texts
        for name in (
            "stopped_by_callback",
            "stop_patience",
            "stop_is_backwards",
            "class_weight_missing",
            "class_weight_unknown",
            "weighted_share",
        ):
            facts.pop(name, None)  # an earlier `fit` is over
        texts.pop("stopped_by", None)
        with self._guard.optional("read the learning rate"):
            self._rates.begin()
        with self._guard.optional("read the loss scale"):
            self._updates.begin()
        layers = every_layer(self._model)
        normalising = [each for each in layers if isinstance(each, keras.layers.BatchNormalization)]
        facts["uses_batch_statistics"] = float(any(each.trainable for each in normalising))
        dropout_rates = [each.rate for each in layers if isinstance(each, keras.layers.Dropout)]
        facts["dropout_rate"] = max(dropout_rates, default=0.0)
        facts["output_dropout"] = output_dropout(self._model)
        with self._guard.optional("read the weights of the losses"):
            weights = keras.tree.flatten(getattr(self._model._compile_loss, "_user_loss_weights", None))
            if len(weights) > 1:
                facts["idle_outputs"] = float(sum(each == 0 for each in weights))
            elif len(getattr(self._model, "outputs", None) or ()) > 1:
                facts["idle_outputs"] = 0.0
        with self._guard.optional("examine the states of recurrent layers"):
            facts |= sequence_facts.state_facts(self._model, arguments)
        self._training = None
        training = (arguments.x, arguments.y) if arguments.has_arrays else data
        if training is not None:
            self.measure_training(*training)
        if arguments.validation_arrays is not None:
            self.measure_validation(*arguments.validation_arrays)

    def measure_training(self, inputs: Batch, targets: Batch) -> None:
        """Measure training rows, once for each `fit`."""
        if self._training is not None:
            return
        self._training = [], None
        facts = self._recorder.fit_facts
        with self._guard.optional("measure the training rows"):
            layers = every_layer(self._model)
            kinds = [
                (leaf, input_facts.kind_of_leaf(sampled(leaf, FEWEST_ROWS), layers)) for leaf in numeric_leaves(inputs)
            ]
            numbers = [leaf for leaf, kind in kinds if kind != "ids"]
            self._training = numbers, classes_of(self._model, targets, self._kind)
            facts |= input_facts.row_norms(numbers)
            facts |= sequence_facts.padding_share([leaf for leaf, kind in kinds if kind in ("sequences", "ids")])
        with self._guard.optional("compare the class weights with the targets"):
            facts |= class_weight_facts(targets, self.arguments.class_weight)

    def measure_validation(self, inputs: Batch, targets: Batch) -> None:
        """Compare validation rows with the training rows, if these are known."""
        if self._training is None:
            return
        numbers, classes = self._training
        with self._guard.optional("compare the validation rows with the training rows"):
            facts = self._recorder.fit_facts
            facts |= input_shift(numbers, numeric_leaves(inputs))
            facts |= new_classes(classes, classes_of(self._model, targets, self._kind))

    # While a step is traced

    def look_at_step(self) -> None:
        """Look for untracked weights in the step that is being traced."""
        with self._guard.optional("look for weights that Keras does not track"):
            self._untracked.look()

    # At an epoch

    def epoch_begins(self) -> None:
        """Start to count the updates of an epoch."""
        with self._guard.optional("count the updates of the weights"):
            self._updates.epoch_begins()

    def epoch_ends(self, epoch: int, first: int) -> dict[str, float]:
        """Measure an epoch, and return the learning rate as a number to log, if it is known.

        Args:
            epoch: from 0, as Keras counts.
            first: the first epoch of this `fit`.
        """
        facts = self._recorder.fit_facts
        facts["epochs_run"] = float(epoch + 1 - first)
        if self.arguments.epochs is not None:
            facts["epochs_asked"] = float(self.arguments.epochs - first)
        if self._untracked.share is not None:
            facts["untracked_share"] = self._untracked.share
        with self._guard.optional("count the updates of the weights"):
            facts |= self._updates.epoch_ends()
        with self._guard.optional("read the learning rate"):
            rate = self._rates.epoch_ends()
            facts |= self._rates.facts
            return {} if rate is None else {"learning_rate": rate}
        return {}

    def measure_fed(self, captured: tuple[Batch, Batch, Batch] | None) -> None:
        """Measure the rows that the first epoch of a `fit` was fed.

        Args:
            captured: inputs, targets and weights of the first batches; None if these rows are known already.
        """
        with self._guard.optional("measure the order and the weights of the rows"):
            self._recorder.fit_facts |= self._hooks.fed_facts
        if captured is None:
            return
        with self._guard.optional("compare the fed targets with their inputs"):
            facts = input_facts.of_rows(*captured[:2])
            if "targets_told" in facts:
                self._recorder.fit_facts["fed_told"] = facts["targets_told"]

    # At a measured state

    def measure_state(self, probe: Probe, data: Rows, forward: ForwardPass) -> None:
        """Measure penalties, the type of the weights, and, once, what enters the first layers."""
        facts, total = self._recorder.fit_facts, forward.loss + forward.penalties
        if np.isfinite(total) and total > 0:
            # A strong penalty may leave so little of a layer that it is small at the end.
            before = facts.get("penalty_share", 0.0) if self._recorder.last_epoch > 1 else 0.0
            facts["penalty_share"] = max(before, forward.penalties / total)
            of_weights = 0.0
            if forward.penalties > 0:
                of_weights = sum(float(each.regularizer(each)) for each in self._model.weights if each.regularizer)
            share = max(0.0, forward.penalties - of_weights) / total
            facts["activity_share"] = max(facts.get("activity_share", 0.0), share)
        weights = self._model.trainable_variables
        facts["half_weights"] = float(any(str(each.dtype) in ("float16", "bfloat16") for each in weights))
        if self._is_entering_measured:
            return
        self._is_entering_measured = True
        with self._guard.optional("measure what enters the first kernel"):
            entering = EnteringSignal(self._model, rows(self._model), probe, data)
            facts |= entering.masks()
            self._recorder.facts |= entering.scale()
            facts |= entering.spread()

    def measure_shrinking(self, layer_rows: list[Row]) -> None:
        """Compare the hidden kernels at the last measured state with those before the first step."""
        states = self._recorder.states
        before, now = states[min(states)], states[max(states)]
        hidden = [place for place, row in enumerate(layer_rows) if row.role == HIDDEN]
        if min(states) != 0 or not hidden or not before.values or not now.values:
            return
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = now.values["weight_l1"][hidden] / before.values["weight_l1"][hidden]
        if np.isfinite(shares).any():
            self._recorder.fit_facts["weight_shrink"] = float(np.nanmin(shares))

    def measure_metrics(
        self, probe: Probe, state: Tensors, parts: Mapping[str, Rows], curves: dict[str, float]
    ) -> None:
        """Compare the user's metrics of accuracy with the accuracy of the record, on the same rows.

        Args:
            curves: losses and scores of this state.
        """
        with self._guard.optional("compare the model's metrics with the record"):
            metrics, overlaps = accuracy_metrics(self._model), overlap_metrics(self._model)
            part = "validation" if "validation" in parts else "train"
            if (not metrics and not overlaps) or part not in parts:
                return
            facts, data = self._recorder.fit_facts, parts[part]
            outputs = probe.evaluate(state, data).outputs
            for overlap in overlaps:
                self._add_gap(overlap, overlap_gap(overlap, data.targets, outputs))
            if not metrics:
                return
            accuracy = curves.get(f"{part}_accuracy")
            # For one-hot labels with a squared error the record has R², but accuracy measures them well.
            are_labels = all(np.isin(leaf, (0, 1)).all() for leaf in keras.tree.flatten(data.targets))
            facts["accuracy_of_numbers"] = float("train_r2" in curves and not are_labels)
            if accuracy is None:
                return
            if any(np.ndim(each) > 2 for each in keras.tree.flatten(outputs)):
                return  # for several predictions a row, masks decide which ones count
            for metric in metrics:
                self._add_gap(metric, accuracy_gap(metric, data.targets, outputs, accuracy))

    def _add_gap(self, metric: keras.metrics.Metric, gap: float) -> None:
        facts = self._recorder.fit_facts
        if gap > max(facts.get("metric_gap", 0.0), ROUNDING):
            self._recorder.fit_texts["misleading_metric"] = metric.name
        facts["metric_gap"] = max(facts.get("metric_gap", 0.0), gap)

    # After the last epoch

    def end(self) -> None:
        """Find out whether another callback stopped `fit`, and forget the user's rows."""
        facts = self._recorder.fit_facts
        is_stopped = bool(self._model.stop_training) and not self.is_own_stop
        facts["stopped_by_callback"] = float(is_stopped)
        with self._guard.optional("find the callback that stopped `fit`"):
            if is_stopped and (callback := stopping_callback(self.arguments.callbacks or ())) is not None:
                self._recorder.fit_texts["stopped_by"] = type(callback).__name__
                if (backwards := is_backwards(callback)) is not None:
                    facts["stop_is_backwards"] = float(backwards)
                patience = getattr(callback, "patience", None)
                if isinstance(patience, int | float):
                    facts["stop_patience"] = float(patience)
        self.arguments = FitArguments()
        self._training = None
