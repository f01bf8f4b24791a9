"""A run in MLflow that grows while the model trains, with the pipeline's own keys.

What is sent goes through a thread of its own: a store that is slow, or does not answer, stops no training. MLflow is
imported as the user has set it up.
"""

import math
import os
import queue
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline.diagnosis.causes import NO_CAUSE, outcome_colours
from pipeline.foundations.literal import in_markdown
from pipeline.history.record import PARTS
from pipeline.history.thinning import CURVE_EPOCHS, evenly_spaced, log_spaced
from pipeline.recorder.guard import Guard
from pipeline.tracking import metric_keys as keys
from pipeline.tracking.servers import impatience, is_server, without_credentials
from pipeline.tracking.tags import COLOUR, DESCRIPTION

if TYPE_CHECKING:
    from pipeline.recorder.watching import Watching
    from pipeline.watch.callback import Diagnosis

LAYER_EPOCHS: Final = 50  # of a layer's series, at most
BATCH: Final = 900  # metrics in a request
ANSWER_WITHIN: Final = 5.0  # seconds, for a server's first answer
PATIENCE: Final = 30  # seconds, for each answer at the beginning and at the end, where the training waits
END_WITHIN: Final = 60.0  # seconds, for what is still to be sent at the end


def is_wanted(asked: bool | None) -> bool:
    """Whether a run is to be written: as asked, or where one is active or MLFLOW_TRACKING_URI is set."""
    if asked is not None:
        return asked
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return True
    return "mlflow" in sys.modules and sys.modules["mlflow"].active_run() is not None


class LiveRun:
    """The active run, or one of its own.

    Raises:
        Exception: MLflow's own, or that its server does not answer.
    """

    name = "MLflow"

    def __init__(self, diagnosis: "Diagnosis", guard: Guard) -> None:
        import mlflow

        self._mlflow = mlflow
        self._guard = guard
        _hide_password()
        _expect_answer(mlflow.get_tracking_uri())
        active = mlflow.active_run()
        self._is_own = active is None
        with _impatient():
            run = mlflow.start_run(run_name=diagnosis.model.name) if active is None else active
        self._run_id = run.info.run_id
        self._client = mlflow.MlflowClient()
        epochs = np.arange(1, max(1, diagnosis.params.get("epochs") or 1) + 1)
        self._curves = {0, *evenly_spaced(epochs, CURVE_EPOCHS - 1).tolist()}
        self._layers = {0, *log_spaced(epochs, LAYER_EPOCHS - 1).tolist()}
        self._sent: set[int] = set()
        self._waiting: queue.SimpleQueue[list[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send, name="pipeline.watch", daemon=True)
        self._thread.start()

    def show(self, watching: "Watching") -> None:
        """What was recorded since."""
        states = watching.recorder.states
        for epoch in sorted(set(states) - self._sent):
            self._sent.add(epoch)
            points = list(self._points(epoch, *states[epoch]))
            if points:
                self._waiting.put(points)

    def close(self, diagnosis: "Diagnosis", finished: bool) -> None:
        """Verdict, cause, figures, page and model; then the run ends, if it is its own."""
        if diagnosis.is_recorded:
            self.show(diagnosis.watching)
        self._waiting.put(None)
        self._thread.join(END_WITHIN)
        if self._thread.is_alive():
            self._guard.say("MLflow does not answer: what is not sent yet is left out")
        with _impatient():
            try:
                if diagnosis.is_recorded and not self._thread.is_alive():
                    self._log_verdict(diagnosis)
                    with self._guard("log the model to MLflow"):
                        self._log_model(diagnosis)
            finally:  # or MLflow would end it when the script ends, and try for minutes
                if self._is_own:
                    self._mlflow.end_run("FINISHED" if finished else "KILLED")

    def _points(self, epoch: int, curves: Mapping[str, float], values: Mapping[str, np.ndarray]) -> Iterator[Any]:
        now = int(time() * 1000)

        def point(key: str, value: float, step: int = epoch) -> Iterator[Any]:
            if math.isfinite(value):
                yield self._mlflow.entities.Metric(key, float(value), now, step)

        if epoch in self._curves:
            for name, value in curves.items():
                part, _, what = name.partition("_")
                if part in PARTS:
                    yield from point(keys.CURVE.of(curve=what, part=part, quartile="median"), value)
        if epoch in self._layers:
            for name in keys.LAYER_SERIES:
                found = values.get(name)
                if found is not None and found.ndim == 1:
                    for layer, value in enumerate(found, start=1):
                        yield from point(keys.LAYER.of(value=name, layer=layer), float(value))

    def _send(self) -> None:
        while True:
            points = self._waiting.get()
            if points is None:
                return
            while not self._waiting.empty() and len(points) < BATCH:  # fewer requests, where they come fast
                more = self._waiting.get()
                if more is None:
                    self._waiting.put(None)
                    break
                points = points + more
            with self._guard("write to MLflow"):
                for start in range(0, len(points), BATCH):
                    self._client.log_batch(self._run_id, metrics=points[start : start + BATCH])
            if "write to MLflow" in self._guard.failed:
                return

    def _log_verdict(self, diagnosis: "Diagnosis") -> None:
        from pipeline.watch.page import FIGURES, page

        verdict = diagnosis.verdict
        headline, says, *notes = map(in_markdown, (verdict.headline, verdict.says, *verdict.notes))
        literal = replace(verdict, headline=headline, says=says, notes=notes)
        cause = verdict.cause or NO_CAUSE
        tags = {"outcome": str(verdict.outcome).lower(), "cause": cause, DESCRIPTION: str(literal)}
        colour = outcome_colours().get(verdict.cause or str(verdict.outcome))
        for key, value in (tags | ({COLOUR: colour} if colour else {})).items():
            self._client.set_tag(self._run_id, key, value)
        history = diagnosis.history
        with TemporaryDirectory() as folder:
            Path(folder, "why.html").write_text(page(diagnosis), encoding="utf-8")
            self._client.log_artifacts(self._run_id, folder, "diagnosis")
        for name, (draw, _) in FIGURES.items():
            self._client.log_figure(self._run_id, draw(history), f"diagnosis/{name}.png")
        profiles = list(self._profile(history))
        for start in range(0, len(profiles), BATCH):
            self._client.log_batch(self._run_id, metrics=profiles[start : start + BATCH])

    def _profile(self, history: Any) -> Iterator[Any]:
        """Across the layers at the first and the last state: the layer is the step."""
        if "probe_gradient_mean_abs" not in history:
            return
        now = int(time() * 1000)
        for place in sorted({0, history.sizes["recorded_epoch"] - 1}):
            epoch = int(history.recorded_epoch[place])
            for point in keys.finite(keys.profile(epoch, history.probe_gradient_mean_abs.values[0, place])):
                yield self._mlflow.entities.Metric(point.key, point.value, now, point.step)

    def _log_model(self, diagnosis: "Diagnosis") -> None:
        import keras

        versions = [f"keras=={keras.__version__}"]
        # Without its requirements MLflow would spend seconds to find them out.
        if self._mlflow.active_run() is None or self._mlflow.active_run().info.run_id != self._run_id:
            return  # somebody else has ended it
        import mlflow.keras

        mlflow.keras.log_model(diagnosis.model, name="model", pip_requirements=versions)


def _hide_password() -> None:
    """Take user and password out of the server's address, which MLflow prints at the end of a run."""
    import mlflow

    uri = mlflow.get_tracking_uri()
    address = without_credentials(uri)
    if address != uri:
        mlflow.set_tracking_uri(address)


@contextmanager
def _impatient() -> Iterator[None]:
    """Make MLflow's client give up soon within the block, unless the user set its variables."""
    added = {name: value for name, value in impatience(PATIENCE).items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _expect_answer(uri: str) -> None:
    """Raises: OSError: a server that does not answer; MLflow's own client would go on trying for minutes."""
    if not is_server(uri):
        return
    with suppress(urllib.error.HTTPError):  # something answers there
        urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=ANSWER_WITHIN).close()
