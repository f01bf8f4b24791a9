"""Watch one model: install the hooks, measure after epochs, and keep the record over all its watched fits.

Imports TensorFlow with the user's own settings, and changes none.
"""

import keras
import xarray as xr

from pipeline.foundations.untyped import Batch, Logs
from pipeline.history.record import Layer
from pipeline.recorder.budget import Budget
from pipeline.recorder.curves import Judging, KnownData
from pipeline.recorder.fit_arguments import arguments_of_fit
from pipeline.recorder.guard import Guard
from pipeline.recorder.layers import rows
from pipeline.recorder.measured_model import MeasuredModel
from pipeline.recorder.probe import Probe, Rows
from pipeline.recorder.probe_rows import in_batches
from pipeline.recorder.recorder import Recorder
from pipeline.recorder.watch_options import Options


class Watching:
    """Watches one model; several calls of `fit` continue one record.

    epoch: the number of epochs for which the model was trained.
    budget: counts the seconds of training and of measuring.
    """

    def __init__(
        self,
        model: keras.Model,
        data: tuple[Batch, Batch] | None,
        options: Options,
        guard: Guard,
        judged: Judging | KnownData,
    ) -> None:
        """Choose the probe, and prepare the hooks.

        Args:
            data: inputs and targets, from which the probe is chosen; if None, from the first batches of `fit`.
            judged: scores the outputs on the probe and on rows of fit's validation data; or a scorer and the rows on
                which curves are measured.
        """
        self.epoch = 0
        self._model = model
        self._data = data
        self._options = options
        self._guard = guard
        self.budget = Budget(options.max_overhead)
        with self.budget.starting():
            self._measured = MeasuredModel(model, options, guard, judged)
            if data is not None:
                self._measured.use_given_rows(*data)
            if model.built and rows(model):  # `build` of a model may leave its layers to the first batch
                self._measured.read_initial()
        self._first_epoch: int | None = None  # of this `fit`, as Keras counts; None before it
        self._epoch_offset = 0  # the record's epoch minus Keras's
        self._is_due = False
        self._has_known_rows = isinstance(judged, KnownData)  # the pipeline's own

    # While `fit` runs

    def begin(self, is_fresh: bool, is_test_fresh: bool) -> None:
        """Install the hooks.

        Args:
            is_fresh: whether Keras has never traced its training function.
            is_test_fresh: whether Keras has never traced its validation function.
        """
        self._first_epoch = None
        with self.budget.starting():
            self._begin(is_fresh, is_test_fresh)

    def _begin(self, is_fresh: bool, is_test_fresh: bool) -> None:
        measured = self._measured
        with self._guard.optional("read the arguments of `fit`"):
            measured.around.begin(arguments_of_fit(self._model), self._data)
        arguments = measured.around.arguments
        measured.judging.fit_begins(arguments, self._data)
        can_capture = not self._model.jit_compile
        captured = []
        # A user's own batches may differ from the given rows; the pipeline's own batches have the rows of its part.
        are_fed_rows_unknown = arguments.is_known and not arguments.has_arrays and not self._has_known_rows
        if can_capture and is_fresh and (measured.probe_rows.rows is None or are_fed_rows_unknown):
            captured.append("train")
        if can_capture and is_test_fresh and "validation" not in measured.curves.parts:
            captured.append("validation")
        measured.hooks.install(captured, is_fresh)

    def validation_begins(self) -> None:
        """Capture the rows of the first validation."""
        self._measured.hooks.validation_begins()

    def validation_ends(self) -> None:
        """Keep the validation rows that Keras just evaluated."""
        captured = self._measured.hooks.captured("validation")
        if captured is not None:
            self._measured.curves.parts["validation"] = in_batches(self._model, Rows.of(*captured))

    def epoch_begins(self, epoch: int, is_last: bool) -> None:
        """Decide whether the epoch is recorded, and start the sums and the clock of this epoch.

        Args:
            epoch: from 0, as Keras counts.
        """
        measured = self._measured
        if self._first_epoch is None:
            self._first_epoch, self._epoch_offset = epoch, self.epoch - epoch
            measured.hooks.restart_rows()
        is_wanted = self._options.is_due(self._epoch_offset + epoch + 1, is_last)
        self._is_due = is_wanted and (is_last or self.budget.has_time)
        self.recorder.skipped_epochs += is_wanted and not self._is_due
        if self._is_due:
            with self.budget.measuring(is_whole=False):
                measured.keep_earlier_kernels()
        measured.hooks.restart_gradients(self._is_due)
        measured.around.epoch_begins()
        self.budget.epoch_begins()

    def epoch_ends(self, epoch: int, logs: Logs) -> bool:
        """Keep the logs, measure if the epoch is due, and return whether anything was measured."""
        self.budget.epoch_ends()
        measured = self._measured
        self.epoch = self._epoch_offset + epoch + 1
        first = epoch if self._first_epoch is None else self._first_epoch
        self.recorder.log(self.epoch, measured.around.epoch_ends(epoch, first) | dict(logs))
        if epoch == first:
            with self.budget.starting():
                measured.use_fed_rows()
                measured.hooks.pause_rows()
        if measured.probe is None:
            return False
        if not self._is_due:
            if self._options.has_every_curve:
                self.record_initial()
                measured.record_curves(self.epoch)
            measured.earlier_kernels = None
            return self._options.has_every_curve
        is_compiling = measured.has_initial()
        with self.budget.starting() if is_compiling else self.budget.measuring():
            self.record_initial()
            measured.record(self.epoch)
        return True

    def end(self) -> None:
        """Remove the hooks and restore the model's functions."""
        self._measured.hooks.remove()
        self._measured.around.end()

    def stop(self) -> None:
        """End `fit` after this epoch."""
        self._measured.around.is_own_stop = not self._model.stop_training  # or another callback has stopped it already
        self._model.stop_training = True

    def finish(self) -> None:
        """Measure the last state if it is not measured yet, because `fit` may end before its announced last epoch.

        After a `fit` without an epoch, measure the state before the first step, if there are rows.
        """
        if not self.epoch and self._measured.probe_rows.rows is not None:
            self.record_initial()
        last = self.recorder.states.get(self.epoch)
        is_measured = last is not None and bool(last.values)
        if self.epoch and not is_measured:
            self.record_initial()
            self._measured.record(self.epoch, has_earlier_kernels=False)

    def record_initial(self) -> None:
        """Measure the state before the first step, as soon as there are rows."""
        self._measured.record_initial(is_first_epoch=self.epoch == 1)

    # Results

    @property
    def recorder(self) -> Recorder:
        """The measurements."""
        return self._measured.recorder

    @property
    def history(self) -> xr.Dataset:
        """The record so far."""
        return self._measured.history()

    @property
    def early_history(self) -> xr.Dataset:
        """The record so far, without the reference, whose fit takes a second."""
        return self._measured.history(is_judged=False)

    @property
    def probe(self) -> Probe | None:
        """The probe; None before the model is built."""
        return self._measured.probe

    @property
    def probe_rows(self) -> Rows | None:
        """The rows of the probe; None before they are known."""
        return self._measured.probe_rows.rows

    @property
    def judging(self) -> Judging:
        """What scores the outputs."""
        return self._measured.judging

    @property
    def table(self) -> list[Layer]:
        """The layer table."""
        return self._measured.table
