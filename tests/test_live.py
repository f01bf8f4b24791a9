"""Trainings under way: what they tell, the progress file, and the live runs of MLflow that a follower keeps."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import time

import numpy as np
import pytest
from conftest import ReportKeeper, training, variant
from filelock import FileLock
from following import FOLLOW, GO_ON, PATHS, TRAIN
from mlflow import MlflowClient
from mlflow.entities import Run
from workspace import ROOT, Workspace, free_port, wait_until

from pipeline.data.split.samples import Split
from pipeline.history import training_progress
from pipeline.history.thinning import CURVE_EPOCHS
from pipeline.history.training_progress import Process, Progress, ReplicaCurves, progress_file, read_all
from pipeline.tracking import live, live_runs, store
from pipeline.tracking.live import Follower
from pipeline.training.common.train_replicas import stacked, train, trainer_of
from pipeline.training.common.trainer import curve_names, main_curves

BOTH = pytest.mark.parametrize("choose", [trainer_of, stacked])
NAMES = ["train_loss", "test_accuracy"]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the repository, with the parameters that ship."""
    for name in ("DVC_ROOT", "DVC_EXP_NAME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# What trainers tell


@pytest.mark.slow
@BOTH
def test_what_is_told_is_what_is_recorded(choose: Callable, circles: Split) -> None:
    told, params = ReportKeeper(), training(replicas=3, chunk=2, epochs=60)
    history = train(variant(), "v", circles, params, [told], choose=choose).history
    seen: dict[int, list[int]] = {}
    for replicas, epochs, curves in told.reports:
        assert list(curves) == curve_names(circles)
        for row, replica in enumerate(replicas):
            seen.setdefault(replica, []).extend(epochs)
            for name, values in curves.items():
                assert values.shape == (len(replicas), len(epochs))
                np.testing.assert_array_equal(values[row], history[name].sel(replica=replica, epoch=list(epochs)))
    assert seen == {replica: list(range(61)) for replica in range(3)}


class FailingObserver:
    """An observer that has had enough."""

    calls = 0

    def on_epochs(self, replicas: Sequence[int], epochs: range, curves: Mapping[str, np.ndarray]) -> None:
        self.calls += 1
        raise OSError("disk\nfull")


@pytest.mark.slow
@BOTH
def test_an_observer_that_fails_stops_nothing(
    choose: Callable, circles: Split, capsys: pytest.CaptureFixture[str]
) -> None:
    told, fails = ReportKeeper(), FailingObserver()
    watched = train(variant(), "v", circles, training(), [fails, told], choose=choose).history
    assert fails.calls == 1
    assert (
        capsys.readouterr().err
        == "warning: FailingObserver failed (OSError: disk full): the training goes on without it\n"
    )
    assert sum(len(replicas) * len(epochs) for replicas, epochs, _ in told.reports) == 4 * 4
    assert watched.equals(train(variant(), "v", circles, training(), choose=choose).history)


# The file


def report(epochs: range, *offsets: float) -> dict[str, np.ndarray]:
    """Curves by which each value can be told: of a replica its offset, and the epoch."""
    values = np.array(offsets, np.float32)[:, None] + np.array(epochs, np.float32)
    return {"train_loss": values, "test_accuracy": values / 4, "train_accuracy": values}


def only() -> Progress:
    """The one file that there is."""
    (found,) = read_all().values()
    return found


def test_one_replica_and_one_epoch_at_a_time_come_back_as_they_were_told(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_progress, "EVERY", 0)
    monkeypatch.setattr(training_progress, "SHARE", 1e9)
    with progress_file("v", "network", 4, 2, 2, NAMES) as file:
        assert read_all() == {}
        for epoch, replica in itertools.product(range(3), (3, 0)):
            file.on_epochs([replica], range(epoch, epoch + 1), report(range(epoch, epoch + 1), 0.5 + replica))
        found = only()
        assert list(read_all()) == [repository / "progress" / f"v-{os.getpid()}.json"]
        assert (found.name, found.what, found.epochs, found.replicas, found.together) == ("v", "network", 4, 2, 2)
        assert (found.process, found.done) == (Process.own(), 4)
        assert 0 <= time() - found.begun < 60
        assert found.curves[3].epochs == [0, 1, 2]
        assert found.curves[3].values == {"train_loss": [3.5, 4.5, 5.5], "test_accuracy": [0.875, 1.125, 1.375]}
        assert found.curves[0].values["train_loss"] == [0.5, 1.5, 2.5]
    assert list((repository / "progress").iterdir()) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_file_vanishes_whatever_ends_the_training(repository: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with progress_file("v", "variant", 4, 2, 2, NAMES) as file:
            file.on_epochs([0, 1], range(1), report(range(1), 1, 2))
            assert only().done == 0
            raise error

    with pytest.raises(error):
        fail()
    assert read_all() == {}


def test_experiments_in_temporary_workspaces_write_under_the_root(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "root").mkdir()
    monkeypatch.setenv("DVC_ROOT", str(repository / "root"))
    with progress_file("v", "variant", 4, 2, 2, NAMES) as file:
        file.on_epochs([0], range(1), report(range(1), 1))
        assert [path.parent for path in read_all()] == [repository / "root" / "progress"]


@pytest.mark.parametrize(("takes", "least"), [(0.0, 1.0), (0.1, 5.0)])
def test_it_is_written_once_a_second_at_most_and_less_where_writing_takes_long(
    repository: Path, monkeypatch: pytest.MonkeyPatch, takes: float, least: float
) -> None:
    now, written = [0.0], []

    def write(file: training_progress.ProgressFile) -> None:
        written.append(now[0])
        now[0] += takes

    monkeypatch.setattr(training_progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(training_progress.ProgressFile, "_write", write)
    with progress_file("v", "variant", 100_000, 1, 1, NAMES) as file:
        for epoch in range(1000):
            now[0] += 0.05
            file.on_epochs([0], range(epoch, epoch + 1), report(range(epoch, epoch + 1), 0))
    assert len(written) >= 10
    assert np.diff(written).min() >= least


def test_curves_are_thinned_to_epochs_that_are_the_same_for_all(repository: Path) -> None:
    with progress_file("v", "variant", 1000, 2, 2, NAMES) as file:
        file.on_epochs([0, 1], range(1), report(range(1), 0, 0))
        file._next = 0
        file.on_epochs([0], range(1, 1001), report(range(1, 1001), 0))
        for epoch in range(1, 1001):
            file._next = 0 if epoch == 1000 else np.inf
            file.on_epochs([1], range(epoch, epoch + 1), report(range(epoch, epoch + 1), 0))
        first, second = only().curves.values()
    assert len(first.epochs) == CURVE_EPOCHS
    assert (first.epochs[0], first.epochs[-1]) == (0, 1000)
    assert set(np.diff(first.epochs)) == {4, 5}
    assert first.values["train_loss"] == first.epochs
    assert first == second


def test_what_is_no_finite_number_has_its_place(repository: Path) -> None:
    with progress_file("v", "variant", 4, 1, 1, ["train_loss"]) as file:
        file.on_epochs([0], range(3), {"train_loss": np.array([[1, np.nan, np.inf]], np.float32)})
        assert only().curves[0].values == {"train_loss": [1, None, None]}


def test_pretraining_counts_and_has_no_curves(repository: Path) -> None:
    with progress_file("v", "variant", 4, 3, 3, NAMES) as file:
        file.on_epochs([0, 1, 2], range(1, 2), {})
        assert (only().done, only().curves) == (3, {})


def test_a_file_of_another_form_is_left_out(repository: Path) -> None:
    (repository / "progress").mkdir()
    for name, text in (("a.json", "{"), ("b.json", "{}"), ("c.txt", "")):
        (repository / "progress" / name).write_text(text)
    assert read_all() == {}


def test_the_loss_and_the_main_score_are_followed(circles: Split) -> None:
    assert main_curves(circles) == ["train_loss", "train_accuracy", "test_loss", "test_accuracy"]


def dead_process() -> Process:
    """One that has been, and was killed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        started = training_progress._started(other.pid)
        found = Process(host=Process.own().host, pid=other.pid, started=started)
        assert found.is_alive()
        other.kill()
        wait_until(lambda: not found.is_alive())  # though nobody has asked for its exit code yet
    assert not found.is_alive()
    return found


def test_a_dead_process_is_told_from_a_living_one() -> None:
    own = Process.own()
    assert own.is_alive()
    assert not own.model_copy(update={"started": "1"}).is_alive()  # another one that had its number
    dead = dead_process()
    assert dead.model_copy(update={"host": "elsewhere"}).is_alive()  # nobody here can tell


# What a live run holds


def made(name: str = "v", epochs: int = 2, **changes: object) -> Progress:
    """A training of two replicas so far: epoch e has e and e + 1."""
    accuracies = [0.5] * epochs + [None]
    curves = {
        replica: {
            "epochs": list(range(epochs + 1)),
            "values": {"train_loss": [epoch + replica for epoch in range(epochs + 1)], "test_accuracy": accuracies},
        }
        for replica in range(2)
    }
    whole = {"what": "variant", "process": Process.own(), "begun": time() - 60}
    whole |= {"epochs": 9, "replicas": 2, "together": 2}
    return Progress.model_validate({"name": name, "done": epochs * 2, "curves": curves, **whole, **changes})


def points(training: Progress) -> dict[tuple[str, int], float]:
    return {(point.key, point.step): point.value for point in live_runs.points(training)}


def test_medians_have_the_keys_of_complete_runs_and_few_replicas_have_curves_of_their_own() -> None:
    assert points(made()) == {
        ("loss/train_median", 0): 0.5,
        ("loss/train_median", 1): 1.5,
        ("loss/train_median", 2): 2.5,
        ("accuracy/test_median", 0): 0.5,
        ("accuracy/test_median", 1): 0.5,
        **{(f"train_loss/replica_00{r}", e): e + r for r in range(2) for e in range(3)},
        **{(f"test_accuracy/replica_00{r}", e): 0.5 for r in range(2) for e in range(2)},
    }
    many = {key for key, _ in points(made(replicas=11))}
    assert many == {"loss/train_median", "accuracy/test_median"}


def test_a_median_waits_for_all_that_train_together_and_is_over_finite_values() -> None:
    training = made(replicas=30, together=3)
    assert points(training) == {}
    training.curves[7] = ReplicaCurves(epochs=[0, 1], values={"train_loss": [9.0, None], "test_accuracy": [0.7, 0.7]})
    assert points(training) == {
        ("loss/train_median", 0): 1,
        ("loss/train_median", 1): 1.5,
        ("accuracy/test_median", 0): 0.5,
        ("accuracy/test_median", 1): 0.5,
    }


def test_of_a_study_the_cells_are_counted() -> None:
    assert points(made(what="study", done=7, curves={})) == {("cells/done", 7): 7}


# The follower, on a real store


@pytest.fixture
def client(repository: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """The repository's store; a follower shows every training at once, and asks again at once."""
    (repository / "mlruns").mkdir()
    (repository / "progress").mkdir()
    shutil.copy(empty_store, repository / "mlruns")
    monkeypatch.setattr(live, "LONG", 0)
    monkeypatch.setattr(live, "RETRY", 0)
    return MlflowClient(tracking_uri=f"sqlite:///{repository / 'mlruns/mlflow.db'}")


def put(training: Progress) -> Path:
    """As its process would write it."""
    path = Path("progress", f"{training.name}-{training.process.pid}.json")
    path.write_text(training.model_dump_json())
    return path


def shown(client: MlflowClient) -> dict[str, Run]:
    """All runs that are not deleted, by name."""
    found = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.info.run_name: run for run in found}


def steps(client: MlflowClient, name: str, key: str = "loss/train_median") -> list[int]:
    return [metric.step for metric in client.get_metric_history(shown(client)[name].info.run_id, key)]


@pytest.fixture
def follower() -> Iterator[Follower]:
    made = Follower()
    yield made
    made.end()


def complete(client: MlflowClient, name: str, experiment: str | None = None) -> None:
    """A complete run begins now."""
    from pipeline.params.params import read

    experiment_id = store.experiment_id(client, experiment or read().tracking.experiment)
    client.create_run(experiment_id, tags={"pipeline.complete": "true", "pipeline.variant": name}, run_name=name)


@pytest.mark.slow
def test_a_live_run_grows_and_gives_way_to_the_complete_one(client: MlflowClient, follower: Follower) -> None:
    complete(client, "v")  # of an earlier training
    training = made(begun=time())
    path = put(training)
    follower.look()
    assert set(shown(client)) == {"v", "v (live)"}
    run = shown(client)["v (live)"]
    assert run.info.experiment_id == shown(client)["v"].info.experiment_id
    assert {key for key in run.data.tags if key.startswith("pipeline.")} == {"pipeline.live", "pipeline.follower"}
    assert steps(client, "v (live)") == [0, 1, 2]
    put(made(epochs=5, begun=training.begun))
    follower.look()
    follower.look()
    assert shown(client)["v (live)"].info.run_id == run.info.run_id
    assert steps(client, "v (live)") == [0, 1, 2, 3, 4, 5]
    path.unlink()
    follower.look()
    assert "v (live)" in shown(client)  # it is not published yet
    client.delete_run(shown(client)["v"].info.run_id)
    complete(client, "v")
    follower.look()
    assert set(shown(client)) == {"v"}


def test_a_training_that_begins_again_has_one_live_run(client: MlflowClient, follower: Follower) -> None:
    put(made())
    follower.look()
    put(made(epochs=0, begun=time()))
    follower.look()
    assert steps(client, "v (live)") == [0]


def test_a_study_is_shown_beside_complete_studies(client: MlflowClient, follower: Follower) -> None:
    put(made("depth", what="study", done=3, curves={}))
    follower.look()
    run = shown(client)["depth (live)"]
    assert client.get_experiment(run.info.experiment_id).name.endswith("-studies")
    assert run.data.metrics == {"cells/done": 3}
    Path("progress").joinpath(f"depth-{os.getpid()}.json").unlink()
    complete(client, "depth", client.get_experiment(run.info.experiment_id).name)
    follower.look()
    assert set(shown(client)) == {"depth"}


def test_when_the_follower_ends_nothing_is_left(client: MlflowClient, follower: Follower) -> None:
    put(made())
    put(made("w", process=Process.own().model_copy(update={"pid": 1, "host": "elsewhere"})))
    follower.look()
    assert set(shown(client)) == {"v (live)", "w (live)"}
    assert Path("progress/live").exists()
    follower.end()
    assert shown(client) == {}
    assert not Path("progress/live").exists()


def test_what_a_crashed_training_left_is_cleared(
    client: MlflowClient, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(made())
    follower.look()
    assert set(shown(client)) == {"v (live)"}
    monkeypatch.setattr(Process, "is_alive", lambda process: False)
    follower.look()
    assert [path.name for path in Path("progress").iterdir()] == ["live"]
    assert shown(client) == {}


def test_a_half_written_file_of_a_killed_training_is_cleared_by_the_next(repository: Path) -> None:
    left = Path("progress", ".writing-of_a_killed_process")
    left.mkdir(parents=True)
    (left / "w-1.json").write_text("{")
    with progress_file("v", "variant", 1, 1, 1, []) as file:
        file.on_epochs([0], range(1), {})
        assert [path.name for path in Path("progress").iterdir()] == [file.path.name]


def test_what_a_crashed_follower_left_is_cleared_and_what_others_keep_is_not(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Process.own()
    elsewhere = own.model_copy(update={"host": "elsewhere"})
    for name, follower in (("v", dead_process()), ("w", elsewhere)):
        path = put(made(name))
        with monkeypatch.context() as patched:
            patched.setattr(Process, "own", lambda follower=follower: follower)
            Follower().look()
        path.unlink()
        assert f"{name} (live)" in shown(client)
    following = Follower()
    following.look()
    assert set(shown(client)) == {"w (live)"}
    following.end()
    assert set(shown(client)) == {"w (live)"}


def test_a_live_run_that_somebody_deleted_stays_deleted(client: MlflowClient, follower: Follower) -> None:
    begun = time()
    put(made(begun=begun))
    follower.look()
    client.delete_run(shown(client)["v (live)"].info.run_id)
    put(made(epochs=3, begun=begun))
    follower.look()
    assert shown(client) == {}


def test_a_store_that_does_not_answer_costs_a_line_and_its_later_answer_is_used(
    client: MlflowClient, follower: Follower, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(made())
    with monkeypatch.context() as patched:
        patched.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
        for _ in range(3):
            follower.look()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("warning: live: MLFLOW_TRACKING_URI: http://127.0.0.1:")
    assert len(said.err.splitlines()) == 1
    follower.look()
    assert set(shown(client)) == {"v (live)"}
    assert "v in MLflow: http://127.0.0.1:5000/#/experiments/" in capsys.readouterr().out


SHORT = """
import sys, time
from pipeline.history.training_progress import progress_file
from pipeline.tracking.live import Follower
with progress_file("v", "variant", 4, 1, 1, []) as file:
    file.on_epochs([0], range(1), {})
    Follower().look()
assert not {"mlflow", "pandas", "tensorflow"} & set(sys.modules)
"""


def test_a_short_training_imports_no_mlflow(repository: Path) -> None:
    environment = {**os.environ, **PATHS}
    subprocess.run([sys.executable, "-c", SHORT], cwd=repository, env=environment, check=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_a_library_catches_ends_the_follower(
    repository: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    looks: list[Follower] = []

    def look(follower: Follower) -> None:
        looks.append(follower)
        assert len(looks) < 9
        with suppress(KeyboardInterrupt):
            signal.raise_signal(number)

    monkeypatch.setattr(Follower, "look", look)
    monkeypatch.setattr(live, "INTERVAL", 0)
    live.main(with_parent=False)
    assert len(looks) == 1


def test_of_two_followers_one_works(repository: Path) -> None:
    (repository / "progress").mkdir()
    with FileLock(repository / "progress" / "follower.lock"):
        environment = {**os.environ, **PATHS}
        done = subprocess.run(
            [sys.executable, *FOLLOW[1:]], cwd=repository, env=environment, capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")
    assert "already" in done.stdout


# Real processes


@pytest.fixture
def place(repository: Path, empty_store: Path) -> Workspace:
    """A folder with parameters and an empty store, in which commands of this repository run."""
    (repository / "mlruns").mkdir()
    shutil.copy(empty_store, repository / "mlruns")
    return Workspace(repository)


def live_ids(workspace: Workspace) -> list[str]:
    """The live runs that hold a metric and are not deleted."""
    held = "SELECT DISTINCT runs.run_uuid FROM runs JOIN metrics ON metrics.run_uuid = runs.run_uuid"
    return [run_id for (run_id,) in workspace.rows(f"{held} WHERE lifecycle_stage = 'active' AND name LIKE '%(live)'")]


def held(workspace: Workspace) -> int:
    """Points of medians of live runs that are not deleted."""
    runs = "SELECT run_uuid FROM runs WHERE lifecycle_stage = 'active' AND name LIKE '%(live)'"
    query = f"SELECT count(*) FROM metrics WHERE key = 'loss/train_median' AND run_uuid IN ({runs})"
    return sum(count for (count,) in workspace.rows(query))


def files(workspace: Workspace) -> list[str]:
    """Of the folder of progress files all but the lock."""
    found = [path.name for path in (workspace.folder / "progress").glob("*")]
    return sorted(name for name in found if name != "follower.lock")


@pytest.mark.slow
def test_crashes_and_interrupts_leave_nothing_that_the_next_follower_does_not_clear(place: Workspace) -> None:
    with place.running_alone(*TRAIN, **PATHS) as worker:
        with place.running(*FOLLOW, **PATHS) as following:
            wait_until(lambda: len(live_ids(place)) == 1)
            following.send_signal(signal.SIGINT)
            assert following.wait(60) == 0
        assert live_ids(place) == []
        wait_until(lambda: files(place) == [f"v-{worker.pid}.json"])  # beside it is its successor while that is written
        with place.running_alone(*FOLLOW, **PATHS) as following:
            wait_until(lambda: len(live_ids(place)) == 1)
            crashed = live_ids(place)
            following.kill()
            following.wait()
        wait_until(lambda: live_ids(place) == crashed)  # the database may need a moment after the kill
        with place.running(*FOLLOW, **PATHS) as following:
            wait_until(lambda: bool(live_ids(place)) and live_ids(place) != crashed)
            assert len(live_ids(place)) == 1  # the former is cleared before there is another
            worker.kill()
            worker.wait()
            wait_until(lambda: live_ids(place) == [])
            wait_until(lambda: files(place) == ["live"])
            following.terminate()
            assert following.wait(60) == 0
    assert files(place) == []


REPRO = ["python3", "-m", "pipeline.repro"]
TRAINED = "        self._progress.done += len(replicas)"
CRAWLING = f"        time.sleep(2 if epochs.stop > 500 and not (root() / {GO_ON!r}).exists() else 0)\n"


@pytest.fixture
def crawling(workspace: Workspace) -> Workspace:
    """A workspace whose one training is stale; from epoch 500 on it crawls until there is the file GO_ON.

    Its followers show what has run for half a second.
    """
    workspace.replace("pipeline/history/training_progress.py", TRAINED, CRAWLING + TRAINED)
    workspace.replace("pipeline/tracking/live.py", "LONG = 5.0", "LONG = 0.5")
    workspace.replace("pipeline/tracking/live.py", "INTERVAL = 2.0", "INTERVAL = 0.2")
    workspace.edit({"training.epochs": 3000, "training.replicas": 1, "variants.tanh_1": ..., "comparison": {}})
    workspace.edit({"training.record_every": 1_000_000, "data.config.noise": 0.15})
    workspace.commit()
    return workspace


@pytest.mark.slow
def test_repro_shows_what_takes_long_and_then_only_what_is_complete(crawling: Workspace) -> None:
    workspace = crawling
    before = set(workspace.runs())
    with workspace.running(*REPRO) as command:
        wait_until(lambda: held(workspace) > 0 or command.poll() is not None)
        first = held(workspace)
        wait_until(lambda: held(workspace) > first or command.poll() is not None)
        (workspace.folder / GO_ON).touch()
        assert command.wait(600) == 0
    assert files(workspace) == []
    (made,) = set(workspace.runs()) - before
    assert workspace.runs()[made].name == "relu_2"
    assert live_ids(workspace) == []
    query = (
        "SELECT name, key, step, value FROM metrics JOIN runs ON runs.run_uuid = metrics.run_uuid "
        "WHERE key LIKE '%_median' AND lifecycle_stage = '{}' AND name LIKE '{}'"
    )
    live = {(key, step): value for _, key, step, value in workspace.rows(query.format("deleted", "relu_2 (live)"))}
    complete = {(key, step): value for _, key, step, value in workspace.rows(query.format("active", "relu_2"))}
    assert {key for key, _ in live} == {
        f"{what}/{part}_median" for what in ("loss", "accuracy") for part in ("train", "test")
    }
    assert {place: complete[place] for place in live} == pytest.approx(live, abs=1e-6)


@pytest.mark.slow
@pytest.mark.long
def test_repro_that_is_interrupted_or_killed_leaves_no_live_run(crawling: Workspace) -> None:
    workspace = crawling
    lock = FileLock(workspace.folder / "progress" / "follower.lock")
    with workspace.running_alone(*REPRO) as command:
        wait_until(lambda: held(workspace) > 0 or command.poll() is not None)
        os.killpg(command.pid, signal.SIGINT)
        assert command.wait(60) == 130
    assert (live_ids(workspace), files(workspace)) == ([], [])
    with workspace.running_alone(*REPRO) as command:
        wait_until(lambda: held(workspace) > 0 or command.poll() is not None)
        command.kill()
        try:
            with lock.acquire(timeout=60):  # its follower has ended by itself
                assert live_ids(workspace) == []
        finally:
            os.killpg(command.pid, signal.SIGKILL)  # DVC and its stage
    assert len(files(workspace)) == 1
    with workspace.running(*FOLLOW) as following:
        wait_until(lambda: files(workspace) == [])
        following.send_signal(signal.SIGINT)
        assert following.wait(60) == 0
