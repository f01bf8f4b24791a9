"""Publishers at work at the same time, or killed, and stores that are half there or do not answer: nothing is doubled,
nothing of another publisher is deleted, and every fault is one line without a password."""

import multiprocessing
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from answering import answering
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException
from test_tracking import TRACKING, NotPackaged, content, versions
from workspace import free_port, wait_until

from examples import PROFILE
from pipeline.data.profile import save_profile
from pipeline.foundations.errors import UserError, masked, reported_in_one_line
from pipeline.tracking import database, publish, servers, store, turn
from pipeline.tracking.tags import COMPLETE, PUBLISHER
from pipeline.tracking.turn import Turn
from pipeline.tracking.ui import serve

# Each process is forked from one that has imported MLflow and done nothing else: this one has threads of its own.
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["mlflow.pyfunc", "mlflow.tracking", "pandas", "xarray"])
FOREIGN = ("DVC_ROOT", "DVC_EXP_NAME", "MLFLOW_TRACKING_URI", servers.USER, servers.PASSWORD, *servers.impatience(30))


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither a store nor a password from outside, and none left behind."""
    for name in FOREIGN:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    yield
    for name in FOREIGN:
        os.environ.pop(name, None)


@pytest.fixture
def shared(tmp_path: Path, empty_store: Path) -> str:
    """An empty store that belongs to no clone: its address."""
    shutil.copy(empty_store, tmp_path / "shared.db")
    return f"sqlite:///{tmp_path / 'shared.db'}"


@pytest.fixture
def own(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository's own store, empty."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlruns").mkdir()
    return Path(shutil.copy(empty_store, tmp_path / "mlruns" / "mlflow.db"))


def publish_from(clone: Path, uri: str | None = None, patience: float = turn.LEASE) -> dict[str, str]:
    """Publish one variant as another clone of the repository does."""
    clone.mkdir(exist_ok=True)
    os.chdir(clone)
    if uri is not None:
        os.environ["MLFLOW_TRACKING_URI"] = uri
    save_profile(PROFILE)
    with NotPackaged() as packages:
        return publish.publish([content()], TRACKING, (), {}, packages, patience)


def started(work: Callable[..., object], *arguments: object) -> multiprocessing.process.BaseProcess:
    """A process of its own, with clients of its own."""
    process = FORKED.Process(target=work, args=arguments)
    process.start()
    return process


def expect_one_of_everything(uri: str) -> None:
    """One complete run with its replicas, its model and a version of it; nothing was deleted and nobody is at work."""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("e")
    runs = client.search_runs([experiment.experiment_id])
    parents = {run.info.run_id: run for run in runs if COMPLETE in run.data.tags}
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert (len(runs), len(parents), len(children)) == (4, 1, 3)
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == set(parents)
    assert len(client.search_logged_models([experiment.experiment_id])) == 1
    assert versions(client) == {"1": "v"}
    assert not [key for key in experiment.tags if key.startswith(PUBLISHER)]


# Together


def publish_together(both: Barrier, clone: Path, uri: str) -> None:
    """Publish as soon as the other process is ready too."""
    turn.CHECKS = 600  # ten a second
    both.wait(60)
    publish_from(clone, uri)


@pytest.mark.slow
@pytest.mark.parametrize("attempt", [0, *(pytest.param(each, marks=pytest.mark.campaign) for each in (1, 2))])
def test_two_clones_that_publish_the_same_at_once_end_with_one_of_everything(
    shared: str, tmp_path: Path, attempt: int
) -> None:
    """They meet at the creation of the experiment, of the run, of the registered model and of its version."""
    both = FORKED.Barrier(2)
    processes = [started(publish_together, both, tmp_path / clone, shared) for clone in ("one", "two")]
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0, 0]
    expect_one_of_everything(shared)
    client = MlflowClient(tracking_uri=shared)
    deleted = client.search_runs(
        [client.get_experiment_by_name("e").experiment_id], run_view_type=ViewType.DELETED_ONLY
    )
    assert not deleted


def turns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uri: str, count: int, **seconds: float) -> list[Turn]:
    """Turns in one experiment, each from a folder and with a client of its own."""
    made = []
    for number in range(count):
        (tmp_path / str(number)).mkdir()
        monkeypatch.setenv("DVC_ROOT", str(tmp_path / str(number)))
        made.append(Turn(MlflowClient(tracking_uri=uri), "0", **seconds))
    return made


def test_it_is_one_publishers_turn_at_a_time(shared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_work: list[int] = []
    most: list[int] = []

    def work(mine: Turn) -> None:
        with mine:
            mine.take()
            at_work.append(1)
            most.append(len(at_work))
            time.sleep(0.05)
            at_work.pop()

    threads = [threading.Thread(target=work, args=[each]) for each in turns(monkeypatch, tmp_path, shared, 4)]
    monkeypatch.setattr(turn, "CHECKS", 6000)  # a check every 10 ms
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert most == [1] * 4
    assert not MlflowClient(tracking_uri=shared).get_experiment("0").tags


def test_what_another_process_has_just_created_is_taken(shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client, other = MlflowClient(tracking_uri=shared), MlflowClient(tracking_uri=shared)
    real, asked = client.get_experiment_by_name, []

    def late(name: str) -> object:
        """The other process creates it right after this one has looked."""
        asked.append(name)
        found = real(name)
        if len(asked) == 1:
            other.create_experiment(name)
        return found

    monkeypatch.setattr(client, "get_experiment_by_name", late)
    assert store.experiment_id(client, "e") == other.get_experiment_by_name("e").experiment_id


@pytest.mark.slow
def test_a_request_that_was_sent_twice_doubles_nothing(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As MLflow's client does where a server answers too late."""
    real = MlflowClient.create_run

    def twice(*arguments: object, **named: object) -> Run:
        real(*arguments, **named)
        return real(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "create_run", twice)
        publish_from(own.parent.parent)
    expect_one_of_everything(f"sqlite:///{own}")


# Dead or not


def publish_and_die(clone: Path, uri: str | None) -> None:
    """Killed when all runs are there and the artifacts are not."""
    publish.Publisher._log_artifacts = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
    publish_from(clone, uri)


@pytest.mark.slow
def test_what_a_killed_publisher_left_is_taken_over_after_the_lease(
    shared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    dead = started(publish_and_die, tmp_path / "one", shared)
    dead.join(300)
    assert dead.exitcode == -signal.SIGKILL
    assert publish_from(tmp_path / "two", shared, patience=1) == {"v": "published"}
    assert "waiting for another process that publishes into the same experiment" in capsys.readouterr().err
    expect_one_of_everything(shared)


@pytest.mark.slow
def test_the_same_folder_does_not_wait_for_what_was_killed_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its file lock says that nobody else is at work there."""
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path / 'one' / 'mlruns' / 'mlflow.db'}"
    dead = started(publish_and_die, tmp_path / "one", None)
    dead.join(300)
    assert dead.exitcode == -signal.SIGKILL
    assert publish_from(tmp_path / "one") == {"v": "published"}
    assert "waiting" not in capsys.readouterr().err
    expect_one_of_everything(uri)


@pytest.mark.slow
def test_a_living_publisher_is_waited_for_longer_than_a_dead_one(
    shared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows its life while it does something else, here nothing."""
    first, second = turns(monkeypatch, tmp_path, shared, 2, patience=4, lease=6)
    taken = threading.Event()

    def wait() -> None:
        with second:
            second.take()
            taken.set()

    with first:
        first.take()
        thread = threading.Thread(target=wait)
        thread.start()
        assert not taken.wait(6)
        first.expect()
    assert taken.wait(60)
    thread.join(60)


def test_a_waiting_publisher_bears_a_server_that_is_too_busy_to_answer(
    shared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = turns(monkeypatch, tmp_path, shared, 2)
    monkeypatch.setattr(turn, "CHECKS", 6000)  # a check every 10 ms
    real, asked = second._client.get_experiment, []

    def busy(*arguments: object) -> object:
        asked.append(arguments)
        if len(asked) in (2, 3):  # the first answer gives the ticket
            raise MlflowException("timed out")
        if len(asked) == 5:
            first.__exit__(None, None, None)
        return real(*arguments)

    first.take()
    monkeypatch.setattr(second._client, "get_experiment", busy)
    with second:
        second.take()
        assert len(asked) >= 5


def test_who_was_taken_for_dead_writes_no_more(shared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = turns(monkeypatch, tmp_path, shared, 2, patience=1, lease=6)

    def silent(*_: object) -> None:
        raise MlflowException("no way to the store")

    def reason() -> str:
        try:
            first.expect()
        except UserError as error:
            return str(error)
        return ""

    with second, first:
        first.take()
        first.expect()
        monkeypatch.setattr(first._client, "set_experiment_tag", silent)
        second.take()
        wait_until(lambda: "another process may be publishing now: run the same command again" in reason())
    assert not MlflowClient(tracking_uri=shared).get_experiment("0").tags


# A store that is half there


def create_and_die(path: Path, last: bool) -> None:
    """Create a store, killed from outside; or, where it is the last one, when all of it is there."""
    if last:
        database._copy = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    store.connect(f"sqlite:///{path}")


@pytest.mark.slow
@pytest.mark.long
def test_a_kill_while_the_store_is_created_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed as soon as MLflow has begun to create tables; and again when all are there."""
    path = tmp_path / "mlruns" / "mlflow.db"
    early = started(create_and_die, path, False)
    wait_until(lambda: any(each.stat().st_size for each in tmp_path.glob("mlruns/.writing-*/created.db")), every=0.001)
    early.kill()
    early.join(60)
    late = started(create_and_die, path, True)
    late.join(300)
    assert (early.exitcode, late.exitcode) == (-signal.SIGKILL, -signal.SIGKILL)
    assert not path.exists()
    monkeypatch.chdir(tmp_path)
    assert publish_from(tmp_path) == {"v": "published"}


def create_on_a_full_disk(path: Path, said: Path) -> None:
    """Try to create a store where no file may grow beyond 200 kB, and write down what is said."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    with pytest.raises(UserError) as caught:
        store.connect(f"sqlite:///{path}")
    said.write_text(str(caught.value))


def test_a_disk_that_is_full_while_the_store_is_created_is_one_line_and_leaves_none(tmp_path: Path) -> None:
    path = tmp_path / "mlruns" / "mlflow.db"
    process = started(create_on_a_full_disk, path, tmp_path / "said.txt")
    process.join(300)
    assert process.exitcode == 0
    said = (tmp_path / "said.txt").read_text()
    assert said.startswith(f"MLflow store sqlite:///{path}: ")
    assert "\n" not in said
    assert not path.exists()
    assert not list(path.parent.glob(".writing-*"))


def journal(path: Path) -> str:
    with closing(sqlite3.connect(path)) as opened:
        return opened.execute("PRAGMA journal_mode").fetchone()[0]


def test_a_store_that_somebody_else_is_reading_is_opened_and_gets_its_write_ahead_log_later(shared: str) -> None:
    path = Path(shared.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as reading:
        reading.execute("PRAGMA journal_mode=DELETE")
        reading.execute("BEGIN")
        reading.execute("SELECT * FROM experiments").fetchone()
        store.connect(shared)
        assert journal(path) == "delete"
    store.connect(shared)
    assert journal(path) == "wal"


def statements(path: Path, *commands: str) -> None:
    with closing(sqlite3.connect(path)) as opened, opened:
        for command in commands:
            opened.execute(command)


HALF_MADE = {
    "no version": ["DELETE FROM alembic_version"],
    "a migration cut short": [
        "UPDATE alembic_version SET version_num = 'acf3f17fdcc7'",  # an early one, whose successor creates tables
        "DROP TABLE guardrails",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("how", HALF_MADE)
def test_a_half_made_store_of_an_earlier_version_gives_way_to_a_new_one(own: Path, how: str) -> None:
    statements(own, *HALF_MADE[how])
    assert publish_from(own.parent.parent) == {"v": "published"}
    assert own.with_name("mlflow.db.half-made").is_file()
    expect_one_of_everything(f"sqlite:///{own}")


@pytest.mark.parametrize("how", HALF_MADE)
def test_a_store_that_cannot_be_opened_and_holds_runs_is_left_as_it_is(own: Path, how: str) -> None:
    statements(own, *HALF_MADE[how], "INSERT INTO runs (run_uuid, experiment_id) VALUES ('r', 0)")
    with pytest.raises(UserError) as caught:
        publish_from(own.parent.parent)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"MLflow store sqlite:///{own}: ")
    with closing(sqlite3.connect(own)) as opened:
        assert opened.execute("SELECT run_uuid FROM runs").fetchall() == [("r",)]
    assert not own.with_name("mlflow.db.half-made").exists()


@pytest.mark.slow
def test_what_lies_beside_a_store_that_was_deleted_spoils_no_new_one(own: Path) -> None:
    """SQLite would read such a file as the new database's."""
    own.unlink()
    own.with_name("mlflow.db-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(4096))
    assert publish_from(own.parent.parent) == {"v": "published"}
    expect_one_of_everything(f"sqlite:///{own}")


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "places.db"
    statements(path, "CREATE TABLE bookmarks (title)")
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"places.db: another program's database \(it has a table bookmarks\)"):
        store.connect(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_store_of_an_unknown_version_is_one_line(own: Path) -> None:
    statements(own, "UPDATE alembic_version SET version_num = 'feedbeef'", "DROP TABLE guardrails")
    statements(own, "INSERT INTO runs (run_uuid, experiment_id) VALUES ('r', 0)")
    with pytest.raises(UserError, match=r"must be empty, or a database of this version of MLflow$"):
        store.connect(f"sqlite:///{own}")


@pytest.mark.parametrize("uri", ["postgresql+nodriver://u:s3cret@127.0.0.1:9/runs", "mysql+pymysql://u:s3cret@h/runs"])
def test_a_database_without_its_driver_is_one_line_without_the_password(uri: str) -> None:
    with pytest.raises(UserError) as caught:
        store.connect(uri)
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


# Passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:s3cret@host:5000/x", "http://***@host:5000/x"),
        ("at postgresql+psycopg2://u:p@ss@h/d and mysql://u:p@h", "at postgresql+psycopg2://***@h/d and mysql://***@h"),
        ("postgresql://u:p/w@host/db", "postgresql://***@host/db"),
        ("https://token@host", "https://***@host"),
        ("http://host:5000/#/models/m@best", "http://host:5000/#/models/m@best"),
        ("http://host/a@b", "http://host/a@b"),
        ("models:/m@best and a@b.c", "models:/m@best and a@b.c"),
        ("sqlite:////home/a@b/x.db", "sqlite:////home/a@b/x.db"),
    ],
)  # fmt: skip
def test_user_and_password_are_masked_and_nothing_else(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert str(UserError(text)) == shown


def test_an_error_of_the_operating_system_shows_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, reported_in_one_line():
        raise OSError("no way to http://u:s3cret@host\n<html>a page</html>")
    assert str(caught.value) == "error: no way to http://***@host <html>a page</html>"


def test_user_and_password_of_an_address_reach_the_server_and_stand_nowhere_else() -> None:
    with answering("well") as (port, asked):
        os.environ["MLFLOW_TRACKING_URI"] = f"http://user:s3%40cret@127.0.0.1:{port}"
        uri = store.tracking_uri()
        assert uri == store.tracking_uri() == os.environ["MLFLOW_TRACKING_URI"] == f"http://127.0.0.1:{port}"
        store.connect(uri)
    assert [b64decode(each.removeprefix("Basic ")) for each in asked] == [b"user:s3@cret"]


def test_the_address_of_a_database_is_on_no_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlruns").mkdir()
    real = subprocess.Popen
    commands: list[tuple[list[str], dict[str, str]]] = []

    def noted(command: list[str], env: dict[str, str], **more: object) -> object:
        commands.append((command, env))
        return real(["true"], env=env, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", noted)
    uri = "postgresql://u:s3cret@host/runs"
    with serve._served(uri, "127.0.0.1", free_port()):
        pass
    ((command, environment),) = commands
    assert "s3cret" not in " ".join(command)
    assert environment["MLFLOW_BACKEND_STORE_URI"] == uri


# Servers that do not answer


@pytest.mark.parametrize("how", ["hangs", "fails"])
def test_a_server_that_is_healthy_and_answers_nothing_is_given_up(how: str) -> None:
    with answering(how) as (port, asked):
        began = time.monotonic()
        with pytest.raises(UserError) as caught:
            store.connect(f"http://127.0.0.1:{port}", patience=4)
        assert time.monotonic() - began < 20
    assert len(asked) == 2  # it was asked again once
    assert str(caught.value).startswith(f"MLflow store http://127.0.0.1:{port}: ")
    assert "\n" not in str(caught.value)


def test_the_patience_is_for_both_tries_and_the_pause_between() -> None:
    limits = servers.impatience(store.PATIENCE)
    tries = 1 + int(limits["MLFLOW_HTTP_REQUEST_MAX_RETRIES"])
    assert tries * int(limits["MLFLOW_HTTP_REQUEST_TIMEOUT"]) + 1 <= store.PATIENCE == 30


def test_what_the_user_has_set_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    with answering("well") as (port, _):
        store.connect(f"http://127.0.0.1:{port}")
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
