"""One model as it is watched: what is put in place while `fit` runs, what is measured at its epochs, and the record.

Imports TensorFlow as the user has set it up, and sets nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import keras
import numpy as np
import xarray as xr

from pipeline.history.record import HIDDEN, OUTPUT, Layer
from pipeline.models.objective import Objective, objective_of
from pipeline.recorder import inputs_and_outputs
from pipeline.recorder.activity import Activity
from pipeline.recorder.budget import Budget
from pipeline.recorder.captured_rows import CapturedRows, KeptWeights
from pipeline.recorder.fed_rows import Described, FedRows
from pipeline.recorder.guard import Guard
from pipeline.recorder.layers import Row, batch_size, has_modes, rows, states
from pipeline.recorder.probe import Probe, Rows, Seen
from pipeline.recorder.recorder import Recorder
from pipeline.recorder.replaced_attributes import replaced
from pipeline.recorder.step_gradients import TakenGradients

# Training functions that were traced while they were watched, with what they add to: a later `fit` goes on with them.
_TRACED: WeakKeyDictionary[Any, tuple[TakenGradients, FedRows]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Options:
    """As `Diagnosis` takes them.

    is_due: whether values by layer are wanted after an epoch, which may be the last one. every_curve: whether losses
    and scores are measured after each. rows: of the probe, at most.
    """

    task: str
    is_due: Callable[[int, bool], bool]
    max_overhead: float | None
    histograms: bool
    rows: int
    every_curve: bool = False


class Known(NamedTuple):
    """What a caller knows who trains the model himself: the whole parts of the data, by name, and what the model is to
    do with them."""

    parts: Mapping[str, Rows]
    objective: Objective


class Watching:
    """A model from its first watched `fit` on; several continue one record.

    recorder: what was measured. epoch: how many epochs are behind the present state.
    """

    def __init__(
        self,
        model: keras.Model,
        given: tuple[Any, Any] | None,
        options: Options,
        guard: Guard,
        known: Known | None = None,
    ) -> None:
        """Args: `given` are inputs and targets, of which some rows are the probe; `known` is what curves are of, by
        default the probe and rows of fit's own validation data."""
        self.recorder = Recorder()
        self.epoch = 0
        self._model = model
        self._options = options
        self._guard = guard
        self._rows: list[Row] = []
        self._probe: Probe | None = None
        self._budget = Budget(options.max_overhead)
        self._initial: list[Any] | None = None
        self._kept: KeptWeights | None = None
        self._before: Sequence[Any] | None = None
        self._objective = None if known is None else known.objective
        self._constant: dict[str, float] = {}
        # Curves are of these ...
        self._parts = {} if known is None else {name: self._in_batches(part) for name, part in known.parts.items()}
        self._sample: Rows | None = None  # ... and values by layer of this
        self._captured: dict[str, CapturedRows] = {}
        self._taken: TakenGradients | None = None
        self._fed: FedRows | None = None
        self._described: Described | None = None  # of what the record's training loss is of
        self._is_first_epoch = False
        self._undo: list[Callable[[], None]] = []
        self._offset: int | None = None
        self._is_due = False
        self._has_looked_at_sides = False
        self.probed = "no rows"
        if given is not None:
            self._look_at_rows(*given)
            with guard("use the given rows"):
                self._sample = data = self._spread(*given)
                whole = self._parts.get("train")
                if whole is None or whole.size == data.size:
                    self._parts["train"] = data
                self.probed = f"{data.size:,} given rows" if whole is None else "all rows of its part"
            with guard.beside("find whether `fit` trains on the given rows"):
                self._described = Described.of(given[0], given[1], are_all=True)
        if model.built:
            self._kernels()
            self._initial = self._probe.state() if self._probe is not None else None

    def _kernels(self) -> list[keras.Variable]:
        """Of the built model; one that is built by its first batch comes here then."""
        if self._probe is None:
            self._rows = rows(self._model)
            if not self._rows:
                raise ValueError("no layer of the model has a kernel")
            self._probe = Probe(self._model, self._rows, self._options.histograms)
            self.recorder.sides["has_modes"] = float(has_modes(self._model))
        return [row.variable for row in self._rows]

    def _keep_initial(self) -> None:
        """In the first step of a model that its first batch has built, whose weights nobody has seen before."""
        if self._initial is None and not self.recorder.states:
            if self._kept is None:
                self._kept = KeptWeights(self._model.weights)
            self._kept.keep()

    # What is in place while `fit` runs

    def begin(self, is_fresh: bool, tests_are_fresh: bool) -> None:
        """Put in place what looks at the gradients, and at the rows where none were given.

        Args:
            is_fresh, tests_are_fresh: whether the functions that train and test were never traced.
        """
        self._offset = None
        model = self._model
        if is_fresh and self._sample is None and not model.jit_compile:
            self._captured["train"] = CapturedRows(self._options.rows, self._guard)
            self._remake("train")
        if model.train_function is not None:
            self._look_at_gradients(is_fresh or model.run_eagerly)
        if tests_are_fresh and not model.jit_compile:
            self._captured["validation"] = CapturedRows(self._options.rows, self._guard)
        elif "validation" not in self._parts:
            self._captured.pop("validation", None)

    def validation_begins(self) -> None:
        """The first time, keep its rows; the function that tests was made just now, and never traced."""
        if "validation" in self._captured and "validation" not in self._parts:
            self._remake("test", "validation")

    def validation_ends(self) -> None:
        """Take the rows that were kept."""
        kept = self._captured.pop("validation", None)
        if kept is not None and kept.data() is not None:
            self._parts["validation"] = self._in_batches(Rows.of(*kept.close()))

    def end(self) -> None:
        """Everything as it was."""
        while self._undo:
            self._undo.pop()()

    def _remake(self, name: str, part: str = "train") -> None:
        """Let Keras make its untraced function anew, of a step that keeps its rows."""
        model, kept = self._model, self._captured[part]
        step = getattr(model, f"{name}_step")
        keeping = partial(replaced, [(model, f"{name}_step", kept.keep(step))])
        with keeping():
            setattr(model, f"{name}_function", None)
            getattr(model, f"make_{name}_function")()
        self._wrap(name, [keeping])

    def _look_at_gradients(self, is_fresh: bool) -> None:
        model = self._model
        function = model.train_function
        inner = next((each for each in (function, getattr(function, "diagnosed", None)) if each in _TRACED), None)
        if inner is not None:
            self._taken, self._fed = taken, fed = _TRACED[inner]
        elif not is_fresh:
            self._guard.say("the training step was traced before it was watched: its gradients are not seen")
            return
        else:
            self._taken = taken = TakenGradients(
                self._kernels, bool(model.jit_compile), self._keep_initial, self._guard
            )
            self._fed = fed = FedRows(self._guard)
            _TRACED[getattr(function, "diagnosed", function)] = taken, fed
        self._wrap("train", [lambda: taken.seen(model.optimizer), lambda: fed.seen(model)])

    def _wrap(self, name: str, contexts: Sequence[Callable[[], Any]]) -> None:
        """For the length of each call of Keras's function, and no longer, what looks is in place."""
        model, attribute = self._model, f"{name}_function"
        function = getattr(model, attribute)

        def watched(iterator: Any) -> Any:
            with ExitStack() as stack:
                for context in contexts:
                    stack.enter_context(context())
                return function(iterator)

        watched.diagnosed = getattr(function, "diagnosed", function)  # type: ignore[attr-defined]

        def undo() -> None:
            if getattr(model, attribute) is watched:
                setattr(model, attribute, function)

        setattr(model, attribute, watched)
        self._undo.append(undo)

    # What is measured

    def epoch_begins(self, epoch: int, is_last: bool) -> None:
        """Args: `epoch` counts from 0, as Keras's does."""
        self._is_first_epoch = self._offset is None
        if self._offset is None:
            self._offset = self.epoch - epoch
            if self._fed is not None:
                self._fed.restart()
        number = self._offset + epoch + 1
        wanted = self._options.is_due(number, is_last)
        self._is_due = wanted and (is_last or self._budget.is_enough)
        if self._is_due:
            with self._budget.measuring(whole=False):
                if self._before is None and self._probe is not None:
                    self._before = self._probe.kernels(self._probe.state())
                if self._taken is not None:
                    self._taken.restart()
        self._budget.epoch_begins()

    def epoch_ends(self, epoch: int, logs: Mapping[str, Any]) -> bool:
        """Log and, where it is time, measure; returns whether it was."""
        self._budget.epoch_ends()
        self.epoch = (self._offset or 0) + epoch + 1
        self.recorder.log(self.epoch, logs)
        kept = self._captured.pop("train", None)
        if kept is not None and kept.data() is not None:
            captured = kept.close()
            self._look_at_rows(*captured[:2])
            self._sample = self._parts["train"] = data = self._in_batches(Rows.of(*captured))
            self.probed = f"{data.size:,} rows of the first batches"
            self._described = Described.of(captured[0], captured[1], are_all=False)
        if self._is_first_epoch:
            self._look_at_what_is_fed()
        if self._probe is None:
            return False
        if not self._is_due:
            if self._options.every_curve:
                self.record_initial()
                state = self._probe.state()
                self.recorder.add(self.epoch, self._curves(self._probe, state), {})
            self._before = None
            return self._options.every_curve
        if self._kept is not None:
            self._initial, self._kept = self._kept.weights, None
        compiles = self._initial is not None
        with nullcontext() if compiles else self._budget.measuring():
            self.record_initial()
            self._record(self._probe, self.epoch, self._before)
        return True

    def finish(self) -> None:
        """Measure the last state, if an epoch that nobody knew to be the last one was not recorded; of a `fit` without
        an epoch that is the state before the first step, where there are rows to measure it on."""
        if not self.epoch and self._sample is not None:
            self.record_initial()
        is_measured = any(self.recorder.states.get(self.epoch, ({}, {}))[1])
        if self._probe is not None and self.epoch and not is_measured:
            self.record_initial()
            self._record(self._probe, self.epoch, None)

    def record_initial(self) -> None:
        """The state before the first step, kept until there are rows to measure it on."""
        if self._initial is not None and self._probe is not None:
            self._record(self._probe, 0, None, self._initial)
            if self._before is None and self.epoch == 1:
                self._before = self._probe.kernels(self._initial)
            self._initial = None

    def _record(self, probe: Probe, epoch: int, before: Sequence[Any] | None, state: list[Any] | None = None) -> None:
        """Measure a state, the present one by default."""
        state = probe.state() if state is None else state
        curves: dict[str, float] = {}
        values: dict[str, np.ndarray] = {}
        with self._guard("measure on the probe"):
            curves, values = self._measured(probe, state, before)
        if not values:
            values = probe.weigh(state, before)
        if epoch and self._taken is not None and before is not None:
            values |= self._taken.read()
        self.recorder.add(epoch, curves, values)
        self._before = probe.kernels(state) if epoch else self._before

    def _measured(self, probe: Probe, state: list[Any], before: Sequence[Any] | None) -> tuple[dict, dict]:
        """Curves, and values by layer."""
        if "measure on the probe" in self._guard.failed or self._sample is None:
            return {}, {}
        seen, values = probe.measure(state, self._sample, before)
        if not self._has_looked_at_sides:
            self._look_at_sides(probe, self._sample)
        return self._curves(probe, state, seen), values

    def _look_at_rows(self, inputs: Any, targets: Any) -> None:
        with self._guard.beside("compare the targets with the inputs"):
            self.recorder.sides |= inputs_and_outputs.of_rows(inputs, targets)

    def _look_at_sides(self, probe: Probe, data: Rows) -> None:
        """Once, at the first state that is measured."""
        self._has_looked_at_sides = True
        with self._guard.beside("measure the scale of the inputs"):
            self.recorder.sides |= inputs_and_outputs.of_inputs(self._model, self._rows, probe, data)
        with self._guard.beside("find the kind of the inputs"):
            self.recorder.sides |= inputs_and_outputs.of_kind(self._model, data)
        with self._guard.beside("measure the range of the outputs"):
            has_all_pairs = self._taken is not None and self._taken.has_all_pairs
            self.recorder.sides |= inputs_and_outputs.of_outputs(self._model, self._rows, probe, data, has_all_pairs)

    def _look_at_what_is_fed(self) -> None:
        """In the first epoch of each `fit`: whether all of them trained on the rows of the record."""
        seen, known = self._fed, self._described
        are_the_same = seen is not None and known is not None and seen.are(known)
        self.recorder.sides["logged_alike"] = min(float(are_the_same), self.recorder.sides.get("logged_alike", 1.0))

    def _in_batches(self, data: Rows) -> Rows:
        """The first rows, in whole batches where the model takes batches of a fixed size.

        Raises:
            ValueError: there is not one batch.
        """
        batch = batch_size(self._model) if self._model.built else None
        if batch is None:
            return data
        if data.size < batch:
            raise ValueError(f"{data.size} rows: the model takes batches of {batch} rows")
        return data.some(0, data.size // batch * batch)

    def _spread(self, inputs: Any, targets: Any) -> Rows:
        """At most so many rows as the options say, evenly from first to last: of rows sorted by their labels each label
        has its share. Stateful layers need rows that follow each other: the first ones."""
        count = len(keras.tree.flatten(inputs)[0])
        most = min(self._options.rows, count)
        places = np.unique(np.linspace(0, count - 1, most).round().astype(int))
        if self._model.built and states(self._model):
            places = np.arange(min(count, max(most, batch_size(self._model) or 1)))

        def some(leaf: Any) -> Any:
            return None if leaf is None else np.asarray(leaf)[places]

        return self._in_batches(Rows.of(*keras.tree.map_structure(some, (inputs, targets, None))))

    def _curves(self, probe: Probe, state: list[Any], sampled: Seen | None = None) -> dict[str, float]:
        """Losses and scores of all parts.

        Args:
            sampled: what was seen of the sample in this state already.
        """
        curves: dict[str, float] = {}
        for part, data in self._parts.items():
            seen = sampled if sampled is not None and data is self._sample else probe.look(state, data)
            if part not in self._constant:
                self._learn_objective(probe, part, data, seen.outputs)
            if probe.has_loss:
                curves[f"{part}_loss"] = seen.loss
            if self._objective is not None:
                scores = self._objective.scores(data.targets, seen.outputs)
                curves |= {f"{part}_{name}": value for name, value in scores.items()}
        if not probe.has_loss:
            self._guard.say("the model's `compute_loss` gives no loss: no gradient of the probe, and fit's own loss")
        return curves

    def _learn_objective(self, probe: Probe, part: str, data: Rows, outputs: Any) -> None:
        model = self._model
        if self._objective is None:
            self._objective = objective_of(model, data.targets, outputs, self._options.task)
        self._constant[part] = np.nan
        if self._objective is None:
            return
        (given,) = keras.tree.flatten(outputs)
        (targets,) = keras.tree.flatten(data.targets)
        values = self._objective.targets(targets, given)
        self._constant[part] = self._objective.task.constant_loss(values)
        with self._guard("measure the baseline loss"):
            constant = self._objective.constant_outputs(targets, given)
            self._constant[part] = probe.loss_of(data, keras.tree.pack_sequence_as(outputs, [constant]))

    # What there is to see

    @property
    def history(self) -> xr.Dataset:
        """The record so far."""
        constants = dict(self._constant)
        if np.isnan(constants.get("train", np.nan)):  # nothing to compare with but the beginning
            states = self.recorder.states
            first = states[min(states)][0].get("train_loss") if states else None
            first = self.recorder.logs.get(1, {}).get("loss") if first is None else first
            constants["train"] = first if first is not None and np.isfinite(first) else 1.0
        task = None if self._objective is None else self._objective.task
        return self.recorder.history(self.table, task, constants, self.probed)

    @property
    def table(self) -> list[Layer]:
        """The layer table. Where Keras's graph does not say what goes around a layer, the record does."""
        order, measured = ([], []) if self._probe is None else (self._activity.order, self._activity.measured)
        judged = [number for number in order if self._rows[number].role in (HIDDEN, OUTPUT)]
        layers = []
        for number, row in enumerate(self._rows):
            bypassed = row.bypassed or (not row.structured and self._is_passed_by(number))
            layer = row.described(number in measured, bypassed)
            if not row.structured and row.role in (HIDDEN, OUTPUT) and judged:
                owner = self._rows[judged[-1]].owner
                layer = _with_role(layer, OUTPUT if row.owner is owner else HIDDEN)
            layers.append(layer)
        return layers

    @property
    def _activity(self) -> Activity:
        assert self._probe is not None
        return self._probe.activity

    def _is_passed_by(self, number: int) -> bool:
        """Whether gradient arrives below the layer at some epoch at which all of it is dead."""
        order = self._activity.order
        if number not in order:
            return False
        below = order[: order.index(number)]
        for _, values in self.recorder.states.values():
            gradient = values.get("probe_gradient_mean_abs")
            if gradient is not None and "dead" in values and values["dead"][number] and (gradient[below] > 0).any():
                return True
        return False


def _with_role(layer: Layer, role: str) -> Layer:
    return Layer(layer.path, layer.kind, role, layer.units, layer.trainable, layer.bypassed, layer.has_activation)
