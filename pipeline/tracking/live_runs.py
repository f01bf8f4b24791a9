"""The temporary runs of MLflow that show trainings which are under way.

They belong to the follower that begins them, by a tag, and to nobody else. None has a mark by which complete runs are
found.
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

SINGLE = 10  # replicas, at most, that get curves of their own
OF_MAKE_UI = "http://127.0.0.1:5000"


@dataclass
class _Live:
    """A run, and what it holds. done: of the training, when it was written last."""

    run_id: str
    training: Progress
    done: int = -1
    sent: set[tuple[str, int]] = field(default_factory=set)


class LiveRuns:
    """Those of this process, in one store. Every method raises MLflow's errors, and may be called again."""

    def __init__(self, experiment: str) -> None:
        """Connect, and remove what dead followers have left.

        Args:
            experiment: where the complete runs are; those of studies are in one beside it.

        Raises:
            UserError: the store does not answer, or cannot be written.
        """
        self._experiments = {"variant": experiment, "network": experiment, "study": f"{experiment}-studies"}
        with store.locked():
            self._client = store.connect(store.tracking_uri())
        self._own = Process.own()
        self._live: dict[tuple[Process, float], _Live] = {}
        self._remove(lambda follower: not follower.is_alive())

    def show(self, training: Progress) -> None:
        """Bring the training's run up to date, and begin it if there is none. One that somebody deleted stays so."""
        if _key(training) not in self._live:
            self._live[_key(training)] = _Live(self._begin(training), training)
        live = self._live[_key(training)]
        if live.done == training.done or not self._is_there(live):
            return
        new = [point for point in points(training) if (point.key, point.step) not in live.sent]
        log(self._client, live.run_id, new)
        live.sent |= {(point.key, point.step) for point in new}
        live.done = training.done

    def drop(self, training: Progress) -> None:
        """Its run, if there is one."""
        live = self._live.get(_key(training))
        if live is not None:
            if self._is_there(live):
                self._client.delete_run(live.run_id)
            del self._live[_key(training)]

    def settle(self, running: Collection[Progress]) -> None:
        """Drop what is over: the training has ended, and its complete run is there, or it has begun again."""
        keys, names = {_key(each) for each in running}, {(each.what, each.name) for each in running}
        for live in [each for key, each in self._live.items() if key not in keys]:
            if (live.training.what, live.training.name) in names or self._is_complete(live.training):
                self.drop(live.training)

    def end(self) -> None:
        """Remove all of them."""
        self._remove(lambda follower: follower == self._own)
        self._live.clear()

    def _begin(self, training: Progress) -> str:
        with store.locked():
            experiment_id = store.experiment_id(self._client, self._experiments[training.what])
        tags = {LIVE: "true", FOLLOWER: self._own.model_dump_json(), DESCRIPTION: _description(training)}
        run_id = write(self._client, experiment_id, NewRun(f"{training.name} (live)", tags, {}, []), finished=False)
        uri = store.tracking_uri()
        base = uri.rstrip("/") if is_server(uri) else OF_MAKE_UI
        page = addresses.found(base, experiment_id, search_for(LIVE))
        print(f"live: {training.name} in MLflow: {page}{' (make ui)' * (base == OF_MAKE_UI)}", flush=True)
        return run_id

    def _is_there(self, live: _Live) -> bool:
        return self._client.get_run(live.run_id).info.lifecycle_stage == "active"

    def _is_complete(self, training: Progress) -> bool:
        """Whether the complete run is there, begun after the training."""
        since = f"attributes.start_time > {int(training.begun * 1000)}"
        mark = f"{search_for(COMPLETE)} and tags.`{VARIANT}` = '{training.name}'"
        return bool(self._search(self._experiments[training.what], f"{mark} and {since}"))

    def _remove(self, concerns: Callable[[Process], bool]) -> None:
        for experiment in set(self._experiments.values()):
            for run in self._search(experiment, search_for(LIVE)):
                follower = _follower(run)
                if follower is not None and concerns(follower):
                    self._client.delete_run(run.info.run_id)

    def _search(self, experiment: str, condition: str) -> list[Run]:
        found = self._client.get_experiment_by_name(experiment)
        return store.search(self._client, found.experiment_id, condition) if found is not None else []


def points(training: Progress) -> Iterator[Point]:
    """All that its run is to hold by now, under the keys of complete runs.

    The median at an epoch is over the replicas that have it, once as many have it as train together: it is written
    once, and does not change when others follow.
    """
    if training.what == "study":
        yield Point(keys.CELLS_DONE.of(), training.done, training.done)
    found: dict[tuple[str, int], list[float | None]] = defaultdict(list)
    for replica, series in training.curves.items():
        for name, values in series.values.items():
            for epoch, value in zip(series.epochs, values, strict=True):
                found[name, epoch].append(value)
                if value is not None and training.replicas <= SINGLE:
                    yield Point(keys.REPLICA_CURVE.of(curve=name, replica=replica), value, epoch)
    for (name, epoch), all_values in found.items():
        part, _, what = name.partition("_")
        finite = [value for value in all_values if value is not None]
        if finite and len(all_values) >= training.together:
            yield Point(keys.CURVE.of(curve=what, part=part, quartile="median"), median(finite), epoch)


def _key(training: Progress) -> tuple[Process, float]:
    return training.process, training.begun


def _follower(run: Run) -> Process | None:
    try:
        return Process.model_validate_json(run.data.tags.get(FOLLOWER, ""))
    except ValidationError:  # of another version: nobody can tell
        return None


def _description(training: Progress) -> str:
    size = f"{training.replicas} cells"
    if training.what != "study":
        size = (
            f"{training.replicas} replicas, {training.epochs} epochs. A median is over the first "
            f"{training.together} replicas or more that have the epoch, and stays when others follow"
        )
    return f"The {training.what} {training.name}, at work: {size}. This run goes when the complete one is there."
