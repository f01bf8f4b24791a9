"""Watch `fit` by a Keras callback, which reports why the training fails and what fixes it.

diagnosis = Diagnosis(x_train, y_train)
model.fit(x_train, y_train, validation_data=(x_val, y_val), epochs=50, callbacks=[diagnosis])
print(diagnosis.verdict)
"""

import copy
import os
import weakref
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import keras
import xarray as xr

from pipeline.foundations.errors import UserError
from pipeline.foundations.untyped import Attributes, Batch, Logs, Unchecked
from pipeline.history.recorded_epochs import is_due
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.file import check
from pipeline.params.shipped import shipped
from pipeline.recorder.guard import LOG, Guard
from pipeline.watch.arguments import Arguments, Learned, expect_arrays
from pipeline.watch.fit_verdict import Verdict, unrecorded
from pipeline.watch.hopeless import why_hopeless
from pipeline.watch.sinks import Sink, open_sinks
from pipeline.watch.verdict import early_notices, epochs_in_words, judge, may_have_early_notices
from pipeline.watch.watchable import expect_watchable, when_fit_ends

if TYPE_CHECKING:
    from pipeline.recorder.watching import Watching
    from pipeline.watch.checks.check_line import FitChecks

# Guarded actions, as messages name them.
WATCH: Final = "watch this model"
RECORD: Final = "record this epoch"
VALIDATE: Final = "keep rows of the validation data"
RECORD_FIRST: Final = 1  # first epochs that are always recorded


class Diagnosis(keras.callbacks.Callback):
    """Record the gradients, activations and weights of every layer while `fit` runs, and report what is wrong.

    It changes no bit of any weight and raises no error into the training: a quantity that cannot be watched is left out
    and logged once. Needs Keras on TensorFlow. A copy, also by `pickle`, keeps the arguments and the record, and
    watches no model.

    Args:
        x: inputs of the training data, as arrays. At most `rows` of their rows, evenly from first to last, are the
            probe, on which layers are measured; without `x`, the probe is rows of the first batches of `fit`.
        y: targets of the training data, as arrays.
        learned: the training has learned if its final score is above this: a number for the task's main score, or
            another score with its number, such as `{"balanced_accuracy": 0.8}`; by default halfway from guessing to the
            best, or to what quick models reach on the same rows. The compiled loss and metrics choose the default
            score. The score is measured on the validation data or, without validation data, on the probe.
        task: `binary`, `multiclass` or `regression`; by default inferred from the compiled loss and the targets.
        mlflow: whether to write a run to MLflow during the training; by default if a run is active or
            MLFLOW_TRACKING_URI is set.
        tensorboard: a folder of TensorBoard logs, to which a run `diagnosis` is written during the training.
        record_every: record every n-th epoch, and always the first and the last.
        max_overhead: the largest measuring time, its start included, as a fraction of the training time; beyond it,
            fewer epochs are recorded. A short training takes the start and, by default, at most as long again for
            its epochs. Below 1, the probe has fewer rows where each row takes long.
        histograms: whether to record histograms of weights and gradients.
        rows: the largest number of rows in the probe.
        stop_when_hopeless: whether to end a training that is certain to fail: its loss is NaN or infinite, or a layer
            that no skip connection bypasses is dead at `hopeless_epochs` recorded epochs in a row.
        hopeless_epochs: see `stop_when_hopeless`.

    Raises:
        UserError: an argument is invalid.
    """

    def __init__(
        self,
        x: Batch = None,
        y: Batch = None,
        *,
        learned: Learned = None,
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
        arguments = {name: value for name, value in locals().items() if name in Arguments.model_fields}
        self._arguments = check(arguments, "", Arguments)
        expect_arrays(x, y)
        self._thresholds = check(shipped()["diagnosis"], "diagnosis", DiagnosisParams)
        self._data = None if x is None else (x, y)
        self._guard = Guard()
        self._record: xr.Dataset | None = None  # the history of a copy, which watches no model
        self._watching: Watching | None = None
        self._watched_model: keras.Model | None = None
        self._sinks: list[Sink] = []
        self._has_begun = False
        self._has_logged_notices = False  # of the current `fit`
        self._is_fresh, self._is_test_fresh = True, True  # whether Keras has never traced the function
        self._at_exit: weakref.finalize | None = None  # set while a watched `fit` runs
        # The latest verdict, and the progress at which it was made.
        self._cached_verdict: tuple[tuple[int, int, int], Verdict] | None = None

    # Results

    @property
    def verdict(self) -> Verdict:
        """The outcome, the cause, the evidence and the remedies to try; `print` shows them as text."""
        if not self.is_recorded:
            return unrecorded(self._why_nothing(), self._guard.notes)
        recorder = None if self._watching is None else self._watching.recorder
        progress = (
            *((0, 0) if recorder is None else (len(recorder.states), recorder.last_epoch)),
            len(self._guard.notes),
        )
        if self._cached_verdict is None or self._cached_verdict[0] != progress:
            verdict = judge(self.history, self._arguments.learned, self._thresholds, self._guard.notes)
            self._cached_verdict = progress, verdict
        return self._cached_verdict[1]

    @property
    def outcome(self) -> str | None:
        """`learned`, `not_learned`, or None if no rule applies."""
        return self.verdict.outcome

    @property
    def cause(self) -> str | None:
        """The name of the cause of the failure, as in the table of causes; None if it learned or no rule applies."""
        return self.verdict.cause

    @property
    def notices(self) -> dict[str, str]:
        """What harms the training, whatever its outcome: sentences by the notice's name; empty if nothing does."""
        return dict(self.verdict.notices)

    @property
    def evidence(self) -> dict[str, float | str | None]:
        """The numbers behind the cause, by name; a layer is given by its path, and NaN as None."""
        return dict(self.verdict.evidence)

    @property
    def history(self) -> xr.Dataset:
        """The record, as from `read_history`: curves by epoch, values by layer and recorded epoch.

        Raises:
            UserError: nothing is recorded yet.
        """
        if self._watching is None and self._record is not None:
            return self._record
        if self._watching is None or not self.is_recorded:
            raise UserError(f"history: {self._why_nothing()}")
        return self._watching.history

    def report(self, path: str | os.PathLike[str]) -> None:
        """Write the report as one HTML file that needs no network.

        Raises:
            UserError: nothing is recorded, or `path` is a folder.
        """
        from pipeline.watch.page import write

        write(self, Path(path))

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: the verdict and two small figures."""
        from pipeline.watch.page import fragment

        return fragment(self)

    @property
    def is_recorded(self) -> bool:
        """Whether anything was measured."""
        if self._watching is None:
            return self._record is not None
        return bool(self._watching.recorder.states)

    @property
    def watching(self) -> "Watching | None":
        """The `Watching` of the model; None before the first `fit`."""
        return self._watching

    @property
    def thresholds(self) -> DiagnosisParams:
        """The thresholds of the shipped params.yaml."""
        return self._thresholds

    @staticmethod
    def check(
        model: keras.Model,
        x: Batch,
        y: Batch = None,
        validation_data: Batch = None,
        *,
        task: str = "auto",
        **arguments: Unchecked,
    ) -> "FitChecks":
        """Check a compiled model and its data before training, within seconds; `print` shows the report as text.

        It trains on a few batches, then on 64 rows, and restores weights, optimizer and seeds. A model that its first
        batch builds is built then.

        Args:
            x: inputs, as `fit` takes them: arrays, a data set or a generator, of which the first batches are read.
            y: targets, as `fit` takes them.
            validation_data: as `fit` takes it.
            task: see `Diagnosis`.
            arguments: further arguments of `fit`, such as `epochs`, `batch_size`, `class_weight` and `callbacks`;
                callbacks are not called.

        Raises:
            UserError: an argument is invalid, or the model is not compiled.
        """
        from pipeline.watch.checks.check_model import check_model

        return check_model(model, {"x": x, "y": y, "validation_data": validation_data, **arguments}, task)

    def close(self) -> None:
        """Restore the model's functions after a `fit` that an error ended; Keras does not notify callbacks of it."""
        self._close(is_finished=False)

    # Keras's hooks

    def set_model(self, model: keras.Model) -> None:
        """Note which functions Keras made before this `fit`; it does not trace them again."""
        super().set_model(model)
        self._is_fresh = getattr(model, "train_function", 0) is None
        self._is_test_fresh = getattr(model, "test_function", 0) is None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Install the hooks and open the sinks."""
        self._close(is_finished=False)  # after an interrupted `fit`
        self._has_begun = True
        self._has_logged_notices = False
        with self._guard(WATCH):
            expect_watchable(self.model, self._data is not None, self._guard)
            self._begin()
            return
        if self._watching is not None:  # an error ended the context above
            self._watching.end()

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Capture the rows of the first validation."""
        if (watching := self._in_fit) is not None:
            with self._guard(VALIDATE):
                watching.validation_begins()

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Keep the validation rows that Keras just evaluated."""
        if (watching := self._in_fit) is not None:
            with self._guard(VALIDATE):
                watching.validation_ends()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Decide whether the epoch is recorded, and start the sums of this epoch."""
        if (watching := self._in_fit) is not None:
            with self._guard(RECORD):
                watching.epoch_begins(epoch, epoch + 1 == self.params.get("epochs"))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Measure the epoch, show it in the sinks, and stop a hopeless training."""
        if (watching := self._in_fit) is None:
            return
        with self._guard(RECORD):
            if watching.epoch_ends(epoch, logs or {}):
                with watching.budget.starting():
                    self._log_early_notices()
                with watching.budget.measuring(is_whole=False):
                    self._show(watching, self._sinks)
        if self._arguments.stop_when_hopeless:
            with self._guard("decide whether the training is hopeless"):
                self._stop_if_hopeless(watching)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Remove the hooks, measure the last state, and close the sinks."""
        self._close(is_finished=True)

    # Copies

    def __getstate__(self) -> Attributes:
        """Return the state without the model and its `Watching`, which neither `copy` nor `pickle` can copy."""
        record = self.history if self.is_recorded else None
        unwatched: Attributes = dict.fromkeys(("_model", "_watching", "_watched_model", "_at_exit"))
        return {**vars(self), **unwatched, "_sinks": [], "_record": record, "_guard": copy.deepcopy(self._guard)}

    # Internals

    @property
    def _in_fit(self) -> "Watching | None":
        """The `Watching`, only while `fit` runs; None if it could not be watched."""
        return self._watching if self._at_exit is not None else None

    def _why_nothing(self) -> str:
        if not self._has_begun:
            return "nothing is recorded yet: no `fit` has begun with this callback (`callbacks=[diagnosis]`)"
        failed = self._guard.failed
        reason = failed.get(WATCH) or "; ".join(failed.values()) or "`fit` ended before its first epoch did"
        return f"nothing was recorded: {reason}"

    def _begin(self) -> None:
        if self._watching is None or self._watched_model is not self.model:
            self._watching = self._watch()
            self._watched_model = self.model
        self._at_exit = when_fit_ends(self.model, partial(self._close, is_finished=False))
        self._watching.begin(self._is_fresh, self._is_test_fresh)
        tensorboard, mlflow, epochs = self._arguments.tensorboard, self._arguments.mlflow, self.params.get("epochs")
        self._sinks = open_sinks(self.model.name, epochs or 1, tensorboard, mlflow, self._guard)

    def _watch(self) -> "Watching":
        from pipeline.recorder.watch_options import Options
        from pipeline.recorder.watching import Watching  # imports TensorFlow
        from pipeline.watch.judging.fit_judging import FitJudging

        arguments = self._arguments
        options = Options(
            arguments.task,
            partial(is_due, first=RECORD_FIRST, every=arguments.record_every),
            arguments.max_overhead,
            arguments.histograms,
            arguments.rows,
        )
        judging = FitJudging(self.model, arguments.task, self._guard)
        return Watching(self.model, self._data, options, self._guard, judging)

    def _show(self, watching: "Watching", sinks: list[Sink]) -> None:
        for sink in sinks:
            with self._guard(f"write to {sink.name}"):
                sink.show(watching)

    def _log_early_notices(self) -> None:
        """Log the notices that are known after the first recorded epoch, once for each `fit`."""
        if not self._has_logged_notices and self._watching is not None:
            self._has_logged_notices = True
            with self._guard.optional("look for what harms the training"):
                if not may_have_early_notices(self._watching.recorder.fit_facts, self._thresholds):
                    return
                for sentence in early_notices(self._watching.early_history, self._thresholds).values():
                    LOG.warning("pipeline.watch: %s", sentence)

    def _stop_if_hopeless(self, watching: "Watching") -> None:
        reason = why_hopeless(watching, self._arguments.hopeless_epochs)
        if reason:
            watching.stop()
            self._guard.note(f"stopped after {epochs_in_words(watching.epoch)}: {reason}")

    def _close(self, is_finished: bool) -> None:
        """End the watching of the current `fit`, if there is one."""
        watching, at_exit = self._watching, self._at_exit
        if watching is None or at_exit is None:
            return
        at_exit.detach()
        self._at_exit = None
        sinks, self._sinks = self._sinks, []
        has_ended = False
        try:
            with self._guard("restore the model's functions"):
                watching.end()
            if is_finished:
                with self._guard("record the last epoch"):
                    watching.finish()
            if self.is_recorded:
                self._show(watching, sinks)
            has_ended = True
        finally:  # after Ctrl-C, too: MLflow would call the run finished
            with ExitStack() as closing:  # closes each, even if Ctrl-C ends the closing of another
                for sink in sinks:
                    closing.callback(self._close_sink, sink, is_finished and has_ended)

    def _close_sink(self, sink: Sink, is_finished: bool) -> None:
        with self._guard(f"write to {sink.name}"):
            sink.close(self, is_finished)
