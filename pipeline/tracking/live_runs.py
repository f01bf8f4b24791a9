"""Write the live runs in MLflow: temporary runs that show trainings while they run.

Each has a tag that names the process that writes it, the follower. Searches for complete runs do not find live runs.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from statistics import median

from mlflow.entities import Run
from pydantic import ValidationError

from pipeline.history.training_progress import Process, Progress
from pipeline.tracking import metric_keys as keys
from pipeline.tracking import store
from pipeline.tracking.metric_keys import Point
from pipeline.tracking.servers import is_server
from pipeline.tracking.tags import COMPLETE, DESCRIPTION, FOLLOWER, LIVE, VARIANT, search_for
from pipeline.tracking.ui import addresses
from pipeline.tracking.writing import NewRun, log, write

MOST_SINGLE = 10  # replicas; with more, the replicas have no curves of their own
PATIENCE = 22  # seconds for each answer of a server: two tries of 10 seconds and a pause
MAKE_UI = "http://127.0.0.1:5000"


@dataclass
class _Live:
    """A live run and its state in the store.

    done: the training's progress when the run was last written.
    sent: key and step of each point that the store has.
    """

    run_id: str
    training: Progress
    done: int = -1
    sent: set[tuple[str, int]] = field(default_factory=set)


class LiveRuns:
    """The live runs that this process writes to a store. If MLflow raises an error, the method may be called again."""

    def __init__(self, experiment: str) -> None:
        """Connect, and remove the live runs of dead followers.

        Args:
            experiment: the experiment of the complete runs; live runs of studies go to `<experiment>-studies`.

        Raises:
            UserError: the store does not answer, or cannot be written.
        """
        self._experiments = {"variant": experiment, "network": experiment, "study": f"{experiment}-studies"}
        with store.locked():
            self._client = store.connect(store.tracking_uri(), PATIENCE)
        self._own = Process.own()
        self._live: dict[tuple[Process, float], _Live] = {}
        self._remove(lambda follower: not follower.is_alive())

    def show(self, training: Progress) -> None:
        """Create or update the training's live run. If somebody has deleted the run, do not create it again."""
        if _key(training) not in self._live:
            self._live[_key(training)] = _Live(self._begin(training), training)
        live = self._live[_key(training)]
        if live.done == training.done or not self._exists(live):
            return
        new = [point for point in points(training) if (point.key, point.step) not in live.sent]
        log(self._client, live.run_id, new)
        live.sent |= {(point.key, point.step) for point in new}
        live.done = training.done

    def drop(self, training: Progress) -> None:
        """Delete the training's live run, if there is one."""
        live = self._live.get(_key(training))
        if live is not None:
            if self._exists(live):
                self._client.delete_run(live.run_id)
            del self._live[_key(training)]

    def settle(self, running: Collection[Progress]) -> None:
        """Delete the live run of each ended training that has a complete run or was started again.

        Args:
            running: the trainings that have not ended.
        """
        keys, names = {_key(each) for each in running}, {(each.what, each.name) for each in running}
        for live in [each for key, each in self._live.items() if key not in keys]:
            if (live.training.what, live.training.name) in names or self._is_complete(live.training):
                self.drop(live.training)

    def end(self) -> None:
        """Delete all live runs of this process."""
        self._remove(lambda follower: follower == self._own)
        self._live.clear()

    def _begin(self, training: Progress) -> str:
        with store.locked():
            experiment_id = store.experiment_id(self._client, self._experiments[training.what])
        tags = {LIVE: "true", FOLLOWER: self._own.model_dump_json(), DESCRIPTION: _description(training)}
        run_id = write(self._client, experiment_id, NewRun(f"{training.name} (live)", tags, {}, []), finished=False)
        uri = store.tracking_uri()
        base = uri.rstrip("/") if is_server(uri) else MAKE_UI
        page = addresses.search_results(base, experiment_id, search_for(LIVE))
        print(f"live: {training.name} in MLflow: {page}{' (make ui)' * (base == MAKE_UI)}", flush=True)
        return run_id

    def _exists(self, live: _Live) -> bool:
        return self._client.get_run(live.run_id).info.lifecycle_stage == "active"

    def _is_complete(self, training: Progress) -> bool:
        """Return whether a complete run of the training exists that began after the training."""
        condition = f"{search_for(COMPLETE)} and tags.`{VARIANT}` = '{training.name}'"
        condition += f" and attributes.start_time > {int(training.begun * 1000)}"
        return bool(self._search(self._experiments[training.what], condition))

    def _remove(self, is_to_go: Callable[[Process], bool]) -> None:
        """Delete the live runs for whose follower `is_to_go` returns true."""
        for experiment in set(self._experiments.values()):
            for run in self._search(experiment, search_for(LIVE)):
                follower = _follower(run)
                if follower is not None and is_to_go(follower):
                    self._client.delete_run(run.info.run_id)

    def _search(self, experiment: str, condition: str) -> list[Run]:
        existing = self._client.get_experiment_by_name(experiment)
        return [] if existing is None else store.search(self._client, existing.experiment_id, condition)


def points(training: Progress) -> Iterator[Point]:
    """Yield all points of a training's live run, under the keys of complete runs.

    The median at an epoch is written once as many replicas have reached the epoch as train together. It is the median
    over these replicas, and further replicas do not change it.
    """
    if training.what == "study":
        yield Point(keys.CELLS_DONE.of(), training.done, training.done)
    values_at: dict[tuple[str, int], list[float | None]] = defaultdict(list)
    for replica, series in training.curves.items():
        for name, values in series.values.items():
            for epoch, value in zip(series.epochs, values, strict=True):
                values_at[name, epoch].append(value)
                if value is not None and training.replicas <= MOST_SINGLE:
                    yield Point(keys.REPLICA_CURVE.of(curve=name, replica=replica), value, epoch)
    for (name, epoch), all_values in values_at.items():
        part, _, curve = name.partition("_")
        finite = [value for value in all_values if value is not None]
        if finite and len(all_values) >= training.together:
            yield Point(keys.CURVE.of(curve=curve, part=part, quartile="median"), median(finite), epoch)


def _key(training: Progress) -> tuple[Process, float]:
    return training.process, training.begun


def _follower(run: Run) -> Process | None:
    try:
        return Process.model_validate_json(run.data.tags.get(FOLLOWER, ""))
    except ValidationError:  # written by another version of this program
        return None


def _description(training: Progress) -> str:
    size = f"{training.replicas} cells"
    if training.what != "study":
        size = (
            f"{training.replicas} replicas, {training.epochs} epochs. A median is over the first "
            f"{training.together} or more replicas that reach the epoch, and does not change afterwards"
        )
    return f"The {training.what} {training.name} while it trains: {size}. The complete run will replace this one."
