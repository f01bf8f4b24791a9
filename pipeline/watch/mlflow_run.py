"""Write an MLflow run while the model trains, with the pipeline's metric keys.

A separate thread sends everything, so that a slow or silent store does not stop the training. The training waits for
MLflow only at its start and its end, and at most WAITS_WITHIN seconds in all. MLflow keeps the user's own settings.
"""

import atexit
import os
import queue
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from pipeline.diagnosis.causes import NO_CAUSE, outcome_colours
from pipeline.evaluation.learned import rule_of
from pipeline.evaluation.summary import times
from pipeline.foundations.files import temporary_folder
from pipeline.foundations.literal import in_markdown
from pipeline.history.record import PARTS
from pipeline.history.thinning import CURVE_EPOCHS, evenly_spaced, log_spaced
from pipeline.history.time_profiles import has_time_profiles
from pipeline.history.training_progress import Process
from pipeline.params.evaluation_params import FIT_SCORES, SCORES
from pipeline.params.file import check
from pipeline.params.shipped import shipped
from pipeline.params.tracking_params import TrackingParams
from pipeline.recorder.guard import Guard
from pipeline.tracking import metric_keys as keys
from pipeline.tracking.metric_keys import Point
from pipeline.tracking.metric_values import time_points
from pipeline.tracking.servers import expect_answer, impatience, is_server, without_credentials
from pipeline.tracking.tags import COLOUR, DESCRIPTION, PROCESS
from pipeline.watch.fit_verdict import Verdict
from pipeline.watch.watched_fit import WatchedFit

if TYPE_CHECKING:
    from pipeline.recorder.recorder import MeasuredState
    from pipeline.recorder.watching import Watching

CURVES: Final = ("loss", *SCORES, *FIT_SCORES)  # the scores of several outputs are not sent
BATCH: Final = 900  # metrics in a request; MLflow's limit is 1,000
ANSWER_WITHIN: Final = 5.0  # seconds to wait for the server's first answer
PATIENCE: Final = 30  # seconds to wait for the answer to a request, at the start and at the end
END_WITHIN: Final = 60.0  # seconds to wait at the end for metrics, results and model that are not sent yet
LAST_PATIENCE: Final = 10  # seconds to wait for the answer to the last request, which ends the run
# The most seconds that a training waits for MLflow: two requests open a run if MLFLOW_EXPERIMENT_NAME is set, else one.
WAITS_WITHIN: Final = ANSWER_WITHIN + 2 * PATIENCE + END_WITHIN + LAST_PATIENCE
SEND: Final = "write to MLflow"  # a guarded action; after one failure nothing more is sent
LOG_MODEL: Final = "log the model to MLflow"  # another
DIAGNOSIS: Final = "diagnosis"  # the folder of the page and the figures among the artifacts
MODEL: Final = "model"  # the name of the model in MLflow


def is_wanted(mlflow: bool | None) -> bool:
    """Return whether to write a run: `mlflow`, or for None whether a run is active or MLFLOW_TRACKING_URI is set."""
    if mlflow is not None:
        return mlflow
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return True
    return "mlflow" in sys.modules and sys.modules["mlflow"].active_run() is not None


@dataclass(frozen=True)
class _Results:
    """What is sent at the end of a training.

    folder: has the folder DIAGNOSIS with the page and the figures and, unless the model could not be saved, MODEL.
    """

    tags: dict[str, str]
    points: list[Point]
    folder: Path


class LiveRun:
    """Writes to the active run, or to a new run.

    Raises:
        OSError: the server does not answer. MLflow raises its own errors, too.
    """

    name = "MLflow"

    def __init__(self, model: str, epochs: int, guard: Guard) -> None:
        """Open the run, and start the thread.

        Args:
            model: the name of the model.
            epochs: the largest number of epochs of `fit`.
            guard: logs errors.
        """
        import mlflow

        self._mlflow = mlflow
        self._guard = guard
        _hide_password()
        if is_server(uri := mlflow.get_tracking_uri()):
            expect_answer(uri, ANSWER_WITHIN)
        active = mlflow.active_run()
        self._is_own = active is None
        with _short_timeouts(PATIENCE):
            tags = {PROCESS: Process.own().model_dump_json()}
            run = mlflow.start_run(run_name=model, tags=tags) if active is None else active
        self._run_id: str = run.info.run_id
        self._experiment_id: str = run.info.experiment_id
        self._client = mlflow.MlflowClient()
        all_epochs = np.arange(1, max(1, epochs) + 1)
        self._curve_epochs = {0, *evenly_spaced(all_epochs, CURVE_EPOCHS - 1).tolist()}
        layer_epochs = check(shipped()["tracking"], "tracking", TrackingParams).layer_epochs
        self._layer_epochs = {0, *log_spaced(all_epochs, layer_epochs - 1).tolist()}
        self._shown_epochs: set[int] = set()
        self._queue: queue.SimpleQueue[list[Point] | None] = queue.SimpleQueue()
        self._results: _Results | None = None  # set when the training has ended, before the queue ends
        self._thread = threading.Thread(target=self._send_all, name="pipeline.watch", daemon=True)
        self._thread.start()

    def show(self, watching: "Watching") -> None:
        """Queue the epochs that were recorded since the last call; the thread sends them."""
        states = watching.recorder.states
        for epoch in sorted(set(states) - self._shown_epochs):
            self._shown_epochs.add(epoch)
            points = keys.finite(self._points(epoch, states[epoch]))
            if points:
                self._queue.put(points)

    def close(self, fit: WatchedFit, is_finished: bool) -> None:
        """Write verdict, cause, figures, page and model; then end the run if this object started it.

        The thread sends them. If that takes longer than END_WITHIN, the training goes on without them. Ctrl-C meanwhile
        leaves a run with the status KILLED.
        """
        has_ended = False
        try:
            with ExitStack() as stack:
                self._hand_over(fit, stack)
            has_ended = True
        finally:
            if self._is_own:  # otherwise MLflow ends the run with the script, and may try for minutes
                with _short_timeouts(LAST_PATIENCE):
                    self._end_run("FINISHED" if is_finished and has_ended else "KILLED")

    def _end_run(self, status: str) -> None:
        active = self._mlflow.active_run()
        if active is not None and active.info.run_id == self._run_id:
            self._mlflow.end_run(status)
        else:  # after an interrupted `fit`, MLflow's own exit handler came first, and called the run finished
            self._client.set_terminated(self._run_id, status)

    def _hand_over(self, fit: WatchedFit, stack: ExitStack) -> None:
        """Give the results to the thread, and wait for it.

        Args:
            stack: removes the folder of the results when it closes.
        """
        try:
            if fit.is_recorded and SEND not in self._guard.failed:
                with self._guard(SEND):
                    self._results = _results(fit, stack.enter_context(temporary_folder("mlflow-")))
            if self._results is not None:
                with self._guard(LOG_MODEL):
                    _save_model(fit, self._results.folder)
        finally:
            self._queue.put(None)
        with _short_timeouts(PATIENCE):
            self._thread.join(END_WITHIN)
        if self._thread.is_alive():
            self._guard.note("MLflow does not answer in time: its run may lack metrics, the verdict or the model")
            atexit.register(stack.pop_all().close)  # the thread still reads the folder

    def _end_dead_runs(self) -> None:
        """Mark the runs that killed processes of this machine left RUNNING as KILLED."""
        condition = f"attributes.status = 'RUNNING' and tags.`{PROCESS}` LIKE '%'"
        for run in self._client.search_runs([self._experiment_id], condition):
            if not Process.model_validate_json(run.data.tags[PROCESS]).is_alive():
                self._client.set_terminated(run.info.run_id, "KILLED")

    def _points(self, epoch: int, state: "MeasuredState") -> Iterator[Point]:
        if epoch in self._curve_epochs:
            for name, value in state.curves.items():
                part, _, curve = name.partition("_")
                if part in PARTS and curve in CURVES:
                    yield Point(keys.CURVE.of(curve=curve, part=part, quartile="median"), value, epoch)
        if epoch in self._layer_epochs:
            for name in keys.LAYER_SERIES:
                values = state.values.get(name)
                if values is not None and values.ndim == 1:
                    for layer, value in enumerate(values.tolist(), start=1):
                        yield Point(keys.LAYER.of(value=name, layer=layer), value, epoch)

    def _send_all(self) -> None:
        if self._is_own:
            with self._guard.optional("mark the runs of killed processes"):
                self._end_dead_runs()
        self._send_queue()
        results = self._results
        if results is None or SEND in self._guard.failed:
            return
        with self._guard(SEND):
            self._send_results(results)
        if SEND not in self._guard.failed and (results.folder / MODEL).is_dir():
            with self._guard(LOG_MODEL):
                self._send_model(results.folder / MODEL)

    def _send_queue(self) -> None:
        while (points := self._queue.get()) is not None:
            while not self._queue.empty() and len(points) < BATCH:  # join epochs, for fewer requests
                next_points = self._queue.get()
                if next_points is None:
                    self._queue.put(None)
                    break
                points = points + next_points
            with self._guard(SEND):
                self._send(points)
            if SEND in self._guard.failed:
                return

    def _send(self, points: Iterable[Point]) -> None:
        now = int(time() * 1000)
        metrics = [self._mlflow.entities.Metric(each.key, each.value, now, each.step) for each in points]
        for start in range(0, len(metrics), BATCH):
            self._client.log_batch(self._run_id, metrics=metrics[start : start + BATCH])

    def _send_results(self, results: _Results) -> None:
        tags = [self._mlflow.entities.RunTag(key, value) for key, value in results.tags.items()]
        self._client.log_batch(self._run_id, tags=tags)
        self._send(results.points)
        for path in sorted((results.folder / DIAGNOSIS).iterdir()):
            self._client.log_artifact(self._run_id, str(path), DIAGNOSIS)

    def _send_model(self, folder: Path) -> None:
        model = self._client.create_logged_model(
            self._experiment_id, name=MODEL, source_run_id=self._run_id, model_type="keras"
        )
        self._client.log_model_artifacts(model.model_id, str(folder))
        self._client.finalize_logged_model(model.model_id, "READY")
        self._client.log_outputs(self._run_id, [self._mlflow.entities.LoggedModelOutput(model.model_id, step=0)])


def _results(fit: WatchedFit, folder: Path) -> _Results:
    """Return the results, and write the page and the figures into the folder."""
    from pipeline.watch.figures import png  # here, because matplotlib is slow to import
    from pipeline.watch.page import figures_of, page

    history, place = fit.history, folder / DIAGNOSIS
    place.mkdir()
    (place / "why.html").write_text(page(fit), encoding="utf-8")
    for name, (draw, _) in figures_of(history).items():
        (place / f"{name}.png").write_bytes(png(draw(history)))
    return _Results(_tags(fit.verdict), [*_profiles(history), *_reference(history)], folder)


def _save_model(fit: WatchedFit, folder: Path) -> None:
    """Write the model in MLflow's format into the folder."""
    import keras
    import mlflow.keras

    # Without given requirements, MLflow spends seconds to infer them.
    mlflow.keras.save_model(fit.model, str(folder / MODEL), pip_requirements=[f"keras=={keras.__version__}"])


def _tags(verdict: Verdict) -> dict[str, str]:
    headline, says, *notes = map(in_markdown, (verdict.headline, verdict.says, *verdict.notes))
    notices = {name: in_markdown(sentence) for name, sentence in verdict.notices.items()}
    description = str(replace(verdict, headline=headline, says=says, notes=notes, notices=notices))
    outcome = str(verdict.outcome).lower()
    tags = {"outcome": outcome, "cause": verdict.cause or NO_CAUSE, DESCRIPTION: description}
    tags |= {"notices": ", ".join(notices)} if notices else {}
    colour = outcome_colours().get(verdict.cause or str(verdict.outcome))
    return tags | ({COLOUR: colour} if colour else {})


def _reference(history: xr.Dataset) -> list[Point]:
    """Return the score of each quick model on the same rows."""
    rule = rule_of(history, None)
    scores = {} if rule is None else rule.references
    return [Point(keys.REFERENCE.of(model=model), value) for model, value in scores.items()]


def _profiles(history: xr.Dataset) -> list[Point]:
    """Return the gradients at the first and the last recorded epoch; the step is the layer or the time step."""
    points: list[Point] = []
    if "probe_gradient_mean_abs" in history:
        for place in sorted({0, history.sizes["recorded_epoch"] - 1}):
            values = history.probe_gradient_mean_abs.values[0, place].tolist()
            points += keys.profile(int(history.recorded_epoch[place]), values)
    if has_time_profiles(history):
        points += time_points(times(history))
    return keys.finite(points)


def _hide_password() -> None:
    """Remove user and password from the server's address, because MLflow prints it at the end of a run."""
    import mlflow

    uri = mlflow.get_tracking_uri()
    address = without_credentials(uri)
    if address != uri:
        mlflow.set_tracking_uri(address)


@contextmanager
def _short_timeouts(seconds: int) -> Iterator[None]:
    """Let MLflow's client wait so many seconds for an answer within the context, unless the user has set its limits."""
    added = {name: value for name, value in impatience(seconds).items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
