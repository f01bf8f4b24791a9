"""The Keras callback: why does this training fail, and what fixes it?

diagnosis = Diagnosis(x_train, y_train)
model.fit(x_train, y_train, validation_data=(x_val, y_val), epochs=50, callbacks=[diagnosis])
print(diagnosis.verdict)
"""

import copy
import os
import sys
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import keras
import xarray as xr

from pipeline.foundations.errors import UserError
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.file import check
from pipeline.params.shipped import shipped
from pipeline.recorder.guard import Guard
from pipeline.watch.arguments import Arguments, expect_arrays
from pipeline.watch.verdict import Verdict, judge, nothing

WATCH: Final = "watch this model"  # what is guarded where nothing can be recorded without it


class Diagnosis(keras.callbacks.Callback):
    """Records the gradients, activations and weights of every layer while `fit` runs, and says what is wrong.

    It changes no weight by a bit and raises nothing into the training: what cannot be watched is left out and named
    once. Needs Keras on TensorFlow. A copy, also by `pickle`, keeps the arguments and the record, and is of no model.

    Args:
        x, y: training data as `fit` takes them, as arrays; at most `rows` of them, evenly from first to last, are the
            probe. Without them the first batches of `fit` are.
        learned: the training has learned if its final score is above this: a number for the task's main score, or
            another score with its number, such as `{"balanced_accuracy": 0.8}`; halfway from guessing to the best by
            default. On the validation data, or on the probe's rows where there are none.
        task: `binary`, `multiclass` or `regression`; by default from the compiled loss and the targets.
        mlflow: whether to write a run to MLflow while it trains; by default where a run is active or
            MLFLOW_TRACKING_URI is set.
        tensorboard: the folder of TensorBoard's logs, in which a run `diagnosis` is written while it trains.
        record_every: epochs from one recorded epoch to the next; the first and the last are always recorded.
        max_overhead: the share of the training's time that measuring may take; beyond it fewer epochs are recorded.
        histograms: whether to record histograms of weights and gradients.
        rows: of the probe, at most.
        stop_when_hopeless: end a training whose failure is certain: a loss that is not finite, or a layer that no path
            goes around and that is dead at `hopeless_epochs` recorded epochs in a row.

    Raises:
        UserError: an argument is invalid.
    """

    def __init__(
        self,
        x: Any = None,
        y: Any = None,
        *,
        learned: float | Mapping[str, float] | None = None,
        task: str = "auto",
        mlflow: bool | None = None,
        tensorboard: str | os.PathLike[str] | None = None,
        record_every: int = 1,
        max_overhead: float = 0.1,
        histograms: bool = True,
        rows: int = 1024,
        stop_when_hopeless: bool = False,
        hopeless_epochs: int = 5,
    ) -> None:
        super().__init__()
        given = {name: each for name, each in locals().items() if name in Arguments.model_fields}
        self._arguments = check(given, "", Arguments)
        expect_arrays(x, y)
        self._thresholds = check(shipped()["diagnosis"], "diagnosis", DiagnosisParams)
        self._given = None if x is None else (x, y)
        self._guard = Guard()
        self._record: xr.Dataset | None = None  # the record, in a copy
        self._watching: Any = None
        self._watched_model: Any = None
        self._sinks: list[Any] = []
        self._has_begun = False
        self._fresh = (True, True)
        self._at_exit: weakref.finalize | None = None
        self._judged: tuple[tuple[int, int, int], Verdict] | None = None

    # Results

    @property
    def verdict(self) -> Verdict:
        """What became of the training, its cause, the evidence and what to try; `print` shows it as text."""
        if not self.is_recorded:
            return nothing(self._why_nothing(), self._guard.notes)
        recorder = None if self._watching is None else self._watching.recorder
        known = (*((0, 0) if recorder is None else (len(recorder.states), recorder.last)), len(self._guard.notes))
        if self._judged is None or self._judged[0] != known:
            self._judged = known, judge(self.history, self._arguments.learned, self._thresholds, self._guard.notes)
        return self._judged[1]

    @property
    def outcome(self) -> str | None:
        """`learned`, `not_learned`, or None where no rule says."""
        return self.verdict.outcome

    @property
    def cause(self) -> str | None:
        """Why it has not learned: a name of the table of causes; None where it has, or nobody knows."""
        return self.verdict.cause

    @property
    def evidence(self) -> dict[str, Any]:
        """The numbers that the cause follows from, by name; layers by their paths, None where there is no number."""
        return dict(self.verdict.evidence)

    @property
    def history(self) -> xr.Dataset:
        """The record, as `read_history` gives one: curves by epoch, values by layer and recorded epoch.

        Raises:
            UserError: nothing is recorded yet.
        """
        if not self.is_recorded:
            raise UserError(f"history: {self._why_nothing()}")
        if self._watching is None and self._record is not None:
            return self._record
        return self._watching.history

    def report(self, path: str | os.PathLike[str]) -> None:
        """Write the page: one HTML file that needs no network.

        Raises:
            UserError: nothing is recorded, or `path` is a folder.
        """
        from pipeline.watch.page import write

        write(self, Path(path))

    def _repr_html_(self) -> str:
        """In a notebook: the verdict and two small figures."""
        from pipeline.watch.page import fragment

        return fragment(self)

    @property
    def is_recorded(self) -> bool:
        """Whether anything was measured."""
        if self._watching is None:
            return self._record is not None
        return bool(self._watching.recorder.states)

    @property
    def watching(self) -> Any:
        """The model as it is watched; None before the first `fit`."""
        return self._watching

    @property
    def thresholds(self) -> DiagnosisParams:
        """Of the shipped params.yaml."""
        return self._thresholds

    def close(self) -> None:
        """Restore what was touched, where `fit` ended by an error; Keras tells no callback of that."""
        self._close(finished=False)

    # Keras's hooks

    def set_model(self, model: keras.Model) -> None:
        """Before Keras makes its functions: one that is there was traced without being watched, or is ours."""
        super().set_model(model)
        self._fresh = (
            getattr(model, "train_function", 0) is None,
            getattr(model, "test_function", 0) is None,
        )

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Put everything in place."""
        self._close(finished=False)  # what an interrupted `fit` may have left
        self._has_begun = True
        with self._guard(WATCH):
            self._expect_watchable()
            if self._watching is None or self._watched_model is not self.model:
                self._watching = self._watch()
                self._watched_model = self.model
            self._at_exit = _when_fit_ends(self)
            self._watching.begin(*self._fresh)
            self._sinks = self._opened()
            return
        if self._watching is not None:  # an error has ended the context
            self._watching.end()

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """The first validation is where its rows are seen."""
        if self._at_exit is not None:
            with self._guard("keep rows of the validation data"):
                self._watching.validation_begins()

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """They are taken."""
        if self._at_exit is not None:
            with self._guard("keep rows of the validation data"):
                self._watching.validation_ends()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """What the epoch changes is measured from here."""
        if self._at_exit is not None:
            with self._guard("record this epoch"):
                self._watching.epoch_begins(epoch, epoch + 1 == self.params.get("epochs"))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Measure."""
        if self._at_exit is None:
            return
        with self._guard("record this epoch"):
            if self._watching.epoch_ends(epoch, logs or {}):
                self._show()
        if self._arguments.stop_when_hopeless:
            with self._guard("decide whether the training is hopeless"):
                self._stop_if_hopeless(self._arguments.hopeless_epochs)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Everything as it was."""
        self._close(finished=True)

    # Copies

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the model and what watches it, which neither `copy` nor `pickle` can take along."""
        record = self.history if self.is_recorded else None
        nothing_watched: dict[str, Any] = {
            "_model": None,
            "_watching": None,
            "_watched_model": None,
            "_at_exit": None,
            "_sinks": [],
        }
        return {**vars(self), **nothing_watched, "_record": record, "_guard": copy.deepcopy(self._guard)}

    # Internals

    def _why_nothing(self) -> str:
        """Why nothing is recorded, in words."""
        if not self._has_begun:
            return "nothing is recorded yet: no `fit` has begun with this callback (`callbacks=[diagnosis]`)"
        failed = self._guard.failed
        why = failed.get(WATCH) or "; ".join(failed.values()) or "`fit` ended before its first epoch did"
        return f"nothing was recorded: {why}"

    def _watch(self) -> Any:
        from pipeline.recorder.watching import Options, Watching

        chosen = self._arguments
        options = Options(
            chosen.task,
            lambda epoch, is_last: is_last or epoch == 1 or epoch % chosen.record_every == 0,
            chosen.max_overhead,
            chosen.histograms,
            chosen.rows,
        )
        return Watching(self.model, self._given, options, self._guard)

    def _expect_watchable(self) -> None:
        """Raises: UserError: the model cannot be watched; the guard notes it."""
        if keras.backend.backend() != "tensorflow":
            raise UserError(f"Keras runs on {keras.backend.backend()}, and only its TensorFlow backend can be watched")
        if self.model.distribute_strategy.num_replicas_in_sync > 1:
            raise UserError("tf.distribute trains it on several devices")
        if hasattr(self.model.train_function, "diagnosed"):
            raise UserError("another Diagnosis watches this fit")
        own = {id(each) for each in vars(self.model).values() if isinstance(each, keras.optimizers.Optimizer)}
        if len(own) > 1:
            self._guard.say("several optimizers: only the gradients that `model.optimizer` gets are seen")
        if self.model.jit_compile and self._given is None:
            self._guard.say("jit_compile: no probe without given rows: Diagnosis(x_train, y_train)")

    def _opened(self) -> list[Any]:
        """Where the record is shown while it grows."""
        sinks: list[Any] = []
        if self._arguments.tensorboard is not None:
            with self._guard("write to TensorBoard"):
                from pipeline.watch.tensorboard import Events

                sinks.append(Events(self._arguments.tensorboard))
        with self._guard("write to MLflow"):
            from pipeline.watch.mlflow_run import LiveRun, is_wanted

            if is_wanted(self._arguments.mlflow):
                sinks.append(LiveRun(self, self._guard))
        return sinks

    def _show(self) -> None:
        for sink in self._sinks:
            with self._guard(f"write to {sink.name}"):
                sink.show(self._watching)

    def _stop_if_hopeless(self, epochs: int) -> None:
        from pipeline.watch.hopeless import why

        reason = why(self._watching, epochs)
        if reason:
            self.model.stop_training = True
            self._guard.say(f"stopped after {self._watching.epoch} epochs: {reason}")

    def _close(self, finished: bool) -> None:
        """After `fit`, however it ended."""
        if self._at_exit is None:
            return
        self._at_exit.detach()
        self._at_exit = None
        with self._guard("restore the model's functions"):
            self._watching.end()
        if finished:
            with self._guard("record the last epoch"):
                self._watching.finish()
        sinks, self._sinks = self._sinks, []
        for sink in sinks:
            with self._guard(f"write to {sink.name}"):
                sink.close(self, finished)


def _when_fit_ends(diagnosis: Diagnosis) -> weakref.finalize:
    """Restores what was touched also where `fit` ends by an error or Ctrl-C, of which Keras tells no callback.

    Keras's list of callbacks lives as long as the call of `fit`.
    """
    frame = sys._getframe(1)
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, keras.callbacks.CallbackList):
            return weakref.finalize(owner, diagnosis._close, finished=False)
        frame = frame.f_back  # type: ignore[assignment]
    return weakref.finalize(diagnosis.model, lambda: None)
