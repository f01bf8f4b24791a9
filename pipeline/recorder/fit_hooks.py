"""Install hooks in Keras's functions while `fit` runs: they measure gradients, and keep rows of batches.

Keras compiles the training step once and does not trace it again. So a step is measured only if it was traced with
these hooks; a later `fit` of the same model uses the step that the first `fit` traced.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import keras

from pipeline.foundations.untyped import Array, Batch, Logs
from pipeline.recorder.captured_rows import CapturedRows
from pipeline.recorder.fed_rows import FedRows, RowStatistics
from pipeline.recorder.guard import Guard
from pipeline.recorder.replaced_attributes import Change, replaced
from pipeline.recorder.step_gradients import StepGradients

# A `train_function` or `test_function`, which runs the next step of an epoch.
KerasFunction = Callable[[Iterator[Batch]], Logs]
HOOKED = "diagnosed"  # an attribute of a hooked function: Keras's own function


class _TracedSums(NamedTuple):
    """The sums to which a traced training step adds."""

    gradients: StepGradients
    rows: FedRows


_TRACED: WeakKeyDictionary[KerasFunction, _TracedSums] = WeakKeyDictionary()


def is_hooked(model: keras.Model) -> bool:
    """Return whether hooks are installed in the model."""
    return hasattr(model.train_function, HOOKED)


class FitHooks:
    """Installs and removes the hooks of one model."""

    def __init__(
        self,
        model: keras.Model,
        most: int,
        kernels: Callable[[], Sequence[keras.Variable]],
        before_step: Callable[[], None],
        before_loss: Callable[[], None],
        guard: Guard,
    ) -> None:
        """Prepare the hooks.

        Args:
            most: the largest number of rows to keep.
            kernels: see `StepGradients`.
            before_step: see `StepGradients`.
            before_loss: see `FedRows`.
        """
        self._model = model
        self._most = most
        self._kernels = kernels
        self._before_step = before_step
        self._before_loss = before_loss
        self._guard = guard
        self._sums: _TracedSums | None = None
        self._calls = 0  # of the training function
        self._captured: dict[str, CapturedRows] = {}
        self._undo: list[Callable[[], None]] = []

    def install(self, captured: Collection[str], is_fresh: bool) -> None:
        """Install the hooks, before the first step.

        Args:
            captured: the parts of the data whose rows are kept: `train`, `validation`. Keras must not have traced the
                function of any of them.
            is_fresh: whether Keras has never traced the training function.
        """
        model = self._model
        self._captured.pop("validation", None)  # left by an interrupted `fit`, whose validation data may differ
        self._captured |= {part: CapturedRows(self._most, self._guard) for part in captured}
        if "train" in captured:
            self._capture("train", "train")
        if model.train_function is not None:
            self._watch_steps(is_fresh or model.run_eagerly)

    def validation_begins(self) -> None:
        """Capture the rows of the first validation; Keras has just made `test_function`."""
        if "validation" in self._captured:
            self._capture("test", "validation")

    def captured(self, part: str) -> tuple[Batch, Batch, Batch] | None:
        """Return the kept inputs, targets and sample weights, and forget them; None if nothing was kept."""
        rows = self._captured.pop(part, None)
        return None if rows is None else rows.rows()

    def remove(self) -> None:
        """Remove the hooks and restore the model's functions."""
        while self._undo:
            self._undo.pop()()

    # Measurements of the hooks

    def restart_gradients(self, is_recorded: bool) -> None:
        """Set the sums of gradients to 0 for a new epoch, and add to them only if the epoch is recorded."""
        if self._sums is not None:
            self._sums.gradients.restart(is_recorded)

    def restart_rows(self) -> None:
        """Set the sums of rows to 0, for a new `fit`."""
        if self._sums is not None:
            self._sums.rows.restart()

    def pause_rows(self) -> None:
        """Add no more rows in this `fit`, unless their sums count its batches."""
        if self._sums is not None and self._model.steps_per_execution == 1:
            self._sums.rows.pause()

    def gradients(self) -> dict[str, Array]:
        """Return the epoch's gradient statistics, see `StepGradients.read`; empty if the step is not measured."""
        return {} if self._sums is None else self._sums.gradients.read()

    @property
    def has_all_pairs(self) -> bool:
        """Whether the training step subtracts every target from every output, see `StepGradients`."""
        return self._sums is not None and self._sums.gradients.has_all_pairs

    @property
    def batches(self) -> float | None:
        """The number of batches that `fit` ran; a difference counts within one `fit`. None if they are not counted."""
        if self._sums is None:
            return None
        steps = self._model.steps_per_execution
        # The last call of an epoch may run fewer steps; then the loss is computed once for each batch.
        return float(self._calls) if steps == 1 else self._sums.rows.batches or None

    @property
    def fed_facts(self) -> dict[str, float]:
        """Facts of the rows since `restart_rows`, see `FedRows.facts`; empty if the step is not measured."""
        return {} if self._sums is None else self._sums.rows.facts()

    def is_fed_with(self, statistics: RowStatistics | None) -> bool:
        """Return whether the rows of the epoch match the statistics, see `FedRows.match`."""
        return self._sums is not None and statistics is not None and self._sums.rows.match(statistics)

    # Installing

    def _capture(self, name: str, part: str) -> None:
        """Let Keras make its train or test function again, from a step that keeps its rows."""
        model, step = self._model, f"{name}_step"
        changes: list[Change] = [(model, step, self._captured[part].capturing(getattr(model, step)))]
        with replaced(changes):
            setattr(model, f"{name}_function", None)
            getattr(model, f"make_{name}_function")()
        self._wrap(name, lambda: changes)

    def _watch_steps(self, is_fresh: bool) -> None:
        model = self._model
        traced = getattr(model.train_function, HOOKED, model.train_function)
        if traced not in _TRACED and not is_fresh:
            self._guard.note(
                "the model was trained before without Diagnosis: gradients of the training are missing, because Keras "
                "does not re-trace a compiled step; compile the model again, or give Diagnosis to its first `fit`"
            )
            return
        if traced not in _TRACED:
            is_dense = bool(model.jit_compile)
            gradients = StepGradients(self._kernels, is_dense, self._before_step, self._guard)
            _TRACED[traced] = _TracedSums(gradients, FedRows(self._before_loss, self._guard))
        self._sums = sums = _TRACED[traced]
        self._wrap(
            "train", lambda: [*sums.gradients.changes(model.optimizer), *sums.rows.changes(model)], is_counted=True
        )

    def _wrap(self, name: str, changes: Callable[[], Sequence[Change]], is_counted: bool = False) -> None:
        """Wrap Keras's function, so that the changes hold during each call, and maybe count the calls."""
        model, attribute = self._model, f"{name}_function"
        function: KerasFunction = getattr(model, attribute)

        def hooked(iterator: Iterator[Batch]) -> Logs:
            with replaced(changes()):
                logs = function(iterator)
            self._calls += is_counted  # not after an error, such as the end of the data
            return logs

        def undo() -> None:
            if getattr(model, attribute) is hooked:
                setattr(model, attribute, function)

        setattr(hooked, HOOKED, getattr(function, HOOKED, function))
        setattr(model, attribute, hooked)
        self._undo.append(undo)
