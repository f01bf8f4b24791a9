"""A team's server: MLflow on PostgreSQL with users and rights. What is published is there once, whatever happens."""

import hashlib
import os
import random
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path

import alembic.command
import browser
import pytest
import requests
from alembic.script import ScriptDirectory
from census import PARENT, Census, census, deleted, whole
from mlflow import MlflowClient
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase
from serving_team import COMMAND, STARTS_WITHIN, TeamServer, team_server
from sqlalchemy import NullPool, create_engine, text
from test_cluster import STUDY, cluster
from test_publishers import FORKED, expect_one_of_everything, publish_from, started, surroundings
from test_tracking import TRACKING, NotPackaged, content
from workspace import ROOT, Workspace, answers, free_port, wait_until

from examples import PROFILE
from pipeline.data.profile import save_profile
from pipeline.foundations.errors import UserError
from pipeline.tracking import publish, servers, store
from pipeline.tracking.metric_keys import Point
from pipeline.tracking.server.postgres import Postgres
from pipeline.tracking.server.server_folder import ADMIN, ServerFolder
from pipeline.tracking.server.team_server import open_folder
from pipeline.tracking.tags import COMPLETE, search_for
from pipeline.tracking.ui import addresses

__all__ = ["surroundings"]  # a fixture: neither a store nor a password from outside
PEOPLE = ("ann", "bob", "cem", "dee")


@pytest.fixture(scope="module")
def server() -> Iterator[TeamServer]:
    """A server that the tests of this file share."""
    with team_server() as server:
        yield server


@pytest.mark.long
def test_a_publisher_publishes_a_reader_reads_and_a_stranger_does_neither(server: TeamServer, tmp_path: Path) -> None:
    """All files of the server are for its user alone, and no process shows a password on its command line."""
    users = server.users()
    users.add("ann", "publisher")
    users.add("rea", "reader")
    server.sign_in("ann")
    assert publish_from(tmp_path / "ann", server.uri) == {"v": "published"}
    expect_one_of_everything(server.uri)

    server.sign_in("rea")
    expect_one_of_everything(server.uri)
    with pytest.raises(UserError, match="user of MLFLOW_TRACKING_USERNAME may read and not write there") as rejected:
        publish_as(tmp_path / "rea", server, "rea", "e", "w", 0, None)
    assert "\n" not in str(rejected.value)
    client = MlflowClient(server.uri)
    with pytest.raises(UserError, match="may read and not write"), store.readable_errors(server.uri):
        client.create_experiment("new")
    expect_one_of_everything(server.uri)

    for password in ("wrong", ""):
        os.environ[servers.PASSWORD] = password
        with pytest.raises(UserError, match="user or password are missing or wrong") as rejected:
            publish_from(tmp_path / "rea", server.uri)
        assert "\n" not in str(rejected.value)

    secrets = [server.folder.password(user) for user in (ADMIN, "ann", "rea")] + [server.folder.session_key()]
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in server.processes()]
    assert len(lines) > 3
    others = [path for path in server.folder.path.rglob("*") if path.is_file() and path.parent.name != "passwords"]
    texts = [path.read_text(errors="ignore") for path in others if not path.is_relative_to(server.folder.artifacts)]
    assert not [secret for secret in secrets for text in (*lines, *texts) if secret in text]
    for path in (*others, *server.folder.passwords.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or not path.is_relative_to(server.folder.passwords)
    assert stat.S_IMODE(server.folder.passwords.stat().st_mode) == 0o700


# At once


def publish_as(
    clone: Path, server: TeamServer, user: str, experiment: str, variant: str, size: int, start: Barrier | None,
    tries: int = 1,
) -> None:  # fmt: skip
    """Publish one variant as a person does, from a clone of their own; again after a failure, at most `tries` times.

    Args:
        size: points of the variant's curves, beside the few of its replicas.
        start: where all publishers wait for each other.
    """
    clone.mkdir(exist_ok=True)
    os.chdir(clone)
    server.sign_in(user)
    save_profile(PROFILE)
    payload = content(variant=variant)
    curves = [Point(f"curve_{number // 250}/median", 0.5, number % 250) for number in range(size)]
    payload = replace(payload, points=[*payload.points, *curves])
    params = TRACKING.model_copy(update={"experiment": experiment, "registered_model": experiment})
    if start is not None:
        start.wait(STARTS_WITHIN)
    for number in range(tries):
        try:
            with NotPackaged() as packages:
                publish.publish([payload], params, (), {}, packages)
        except (UserError, OSError) as error:
            message = str(error)
            if number == tries - 1 or "\n" in message.strip() or "Traceback" in message:
                raise
            print(f"{clone.name}: {message}", flush=True)
            wait_until(lambda: answers(f"{server.uri}/health"), seconds=2 * STARTS_WITHIN)
        else:
            return


def publish_at_once(
    server: TeamServer, place: Path, experiment: str, variants: list[str], size: int = 0, tries: int = 1
) -> list[BaseProcess]:
    """Start a publisher for each variant, as four people in turn; return when all begin at once."""
    start, away = FORKED.Barrier(len(variants) + 1), replace(server, process=None)
    processes = [
        started(publish_as, place / f"{experiment}{number}", away, PEOPLE[number % 4], experiment, variant, size,
                start, tries)
        for number, variant in enumerate(variants)
    ]  # fmt: skip
    start.wait(STARTS_WITHIN)
    return processes


def expect_all_well(processes: list[BaseProcess]) -> None:
    """Wait until all publishers have ended without an error."""
    for process in processes:
        process.join(3600)
    assert [process.exitcode for process in processes] == [0] * len(processes)


@pytest.fixture(scope="module")
def team() -> Iterator[TeamServer]:
    """A server as `make server` starts it, with four publishers and a reader."""
    with team_server(workers=4) as server:
        users = server.users()
        for name in PEOPLE:
            users.add(name, "publisher")
        users.add("rea", "reader")
        yield server


def reader(server: TeamServer) -> MlflowClient:
    """A client of the reader, who sees all that is published."""
    server.sign_in("rea")
    return MlflowClient(server.uri)


@pytest.mark.campaign
@pytest.mark.parametrize("count", [2, 4, 20])
@pytest.mark.parametrize("kind", ["equal", "different"])
def test_publishers_at_once_lose_double_and_orphan_nothing(
    team: TeamServer, tmp_path: Path, count: int, kind: str
) -> None:
    experiment = f"{kind}{count}"
    variants = ["v0" if kind == "equal" else f"v{number}" for number in range(count)]
    expect_all_well(publish_at_once(team, tmp_path, experiment, variants))
    client = reader(team)
    assert census(client, experiment) == whole(len(set(variants)))
    assert deleted(client, experiment) == []


@pytest.mark.campaign
@pytest.mark.parametrize("draw", range(3))
def test_a_server_that_is_killed_while_they_publish_holds_everything_once(
    team: TeamServer, tmp_path: Path, draw: int
) -> None:
    """All its processes are killed three times, at moments drawn within the publishing, and it is started again."""
    moments = random.Random(draw)
    experiment = f"killed{draw}"
    variants = ["v0", "v0", "v1", "v2"]
    processes = publish_at_once(team, tmp_path, experiment, variants, size=2000, tries=50)
    for _ in range(3):
        requests = team.server_log().count("mlflow/runs/")
        wanted = moments.randint(5, 30)
        wait_until(
            lambda before=requests, more=wanted: team.server_log().count("mlflow/runs/") >= before + more
            or not any(process.is_alive() for process in processes),
            every=0.02,
        )  # fmt: skip
        team.kill()
        team.start()
    expect_all_well(processes)
    assert census(reader(team), experiment) == whole(3)


@pytest.mark.campaign
def test_a_backup_restored_elsewhere_has_lost_nothing(team: TeamServer, tmp_path: Path) -> None:
    """Taken while the server runs; its users and passwords are there as well."""
    expect_all_well(publish_at_once(team, tmp_path, "kept", ["v0", "v1"], size=2000))
    file = tmp_path / "backup.tar"
    command = [*COMMAND, "--folder", str(team.folder.path), "backup", str(file)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).returncode == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    copy = TeamServer(ServerFolder(team.folder.path.with_name("copy")))
    command = [*COMMAND, "--folder", str(copy.folder.path), "restore", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    copy.start()
    try:
        assert everything(reader(copy), tmp_path / "copy") == everything(reader(team), tmp_path / "original")
        copy.sign_in(PEOPLE[0])
        publish_as(tmp_path / "later", copy, PEOPLE[0], "kept", "v3", 0, None)
        assert census(reader(copy), "kept") == whole(["v0", "v1", "v3"])
    finally:
        copy.stop()


def everything(client: MlflowClient, place: Path) -> dict[str, object]:
    """All that can be read of every experiment: runs, each curve, each artifact's bytes, models, versions."""
    place.mkdir()
    content: dict[str, object] = {}
    for experiment in client.search_experiments():
        for run in store.search(client, experiment.experiment_id, ""):
            curves = {
                key: [vars(point) for point in client.get_metric_history(run.info.run_id, key)]
                for key in list(run.data.metrics)[:5]
            }  # fmt: skip
            folder = place / run.info.run_id
            folder.mkdir()
            files = {}
            if PARENT not in run.data.tags:
                client.download_artifacts(run.info.run_id, "", str(folder))
                files = {
                    str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
                    for path in sorted(folder.rglob("*"))
                    if path.is_file()
                }
            content[run.info.run_id] = (run.to_dictionary(), curves, files)
        models = client.search_logged_models([experiment.experiment_id], max_results=1000)
        content |= {model.model_id: (model.name, str(model.status), model.tags) for model in models}
    for model in client.search_registered_models():
        content[model.name] = [
            (each.version, each.source, each.tags) for each in client.search_model_versions(f"name = '{model.name}'")
        ]
    assert len(content) > 8
    return content


@pytest.mark.campaign
def test_the_load_of_twenty_publishers(team: TeamServer, tmp_path: Path) -> None:
    """Prints what docs/trust.md states: run it with `-s`."""
    size = 7000  # points; a variant of the repository's study has some 7,600
    idle = team.memory()
    lines = len(team.server_log().splitlines())
    began = time.monotonic()
    processes = publish_at_once(team, tmp_path, "load", [f"v{number}" for number in range(20)], size=size)
    most = idle
    while any(process.is_alive() for process in processes):
        most = max(most, team.memory())
        processes[0].join(1)
    seconds = time.monotonic() - began
    expect_all_well(processes)
    answers = [int(code) for code in re.findall(r'HTTP/1\.1" (\d+)', "\n".join(team.server_log().splitlines()[lines:]))]
    failures = [code for code in answers if code >= 500]
    print(
        f"\n20 publishers, {size} points each: {seconds:.0f} s, {len(answers) / seconds:.0f} requests/s, "
        f"{20 * size / seconds:.0f} points/s, {len(failures)} answers with an error of the server, "
        f"memory {idle / 2**20:.0f} MiB before and at most {most / 2**20:.0f} MiB"
    )
    assert not failures
    assert census(reader(team), "load") == whole(20)


# What people do there


@pytest.mark.campaign
def test_an_older_store_is_upgraded_by_one_command(tmp_path: Path) -> None:
    """The tables of MLflow 3.7: `make server` rejects them in one line and leaves them as they are."""
    with team_server() as server:
        server.stop()
        database = Postgres(server.folder)
        with open_folder(server.folder), database.running():
            engine = create_engine(database.uri, poolclass=NullPool)
            with engine.begin() as connection:
                connection.execute(text("DROP SCHEMA public CASCADE"))
                connection.execute(text("CREATE SCHEMA public"))
            InitialBase.metadata.create_all(engine)  # MLflow's first tables, which its migrations change
            configuration = _get_alembic_config(database.uri)
            revisions = [each.revision for each in ScriptDirectory.from_config(configuration).walk_revisions()]
            alembic.command.upgrade(configuration, revisions[5])
        serve = [*COMMAND, "--folder", str(server.folder.path), "serve", "--port", str(server.port)]
        done = subprocess.run(serve, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "upgrade" in done.stderr.splitlines()[-1]
        upgrade = [*COMMAND, "--folder", str(server.folder.path), "upgrade"]
        assert subprocess.run(upgrade, capture_output=True, text=True, check=False).returncode == 0
        server.start()
        server.users().add("ann", "publisher")
        publish_as(tmp_path / "ann", server, "ann", "later", "v0", 0, None)
        assert census(MlflowClient(server.uri), "later") == whole(1)


@pytest.mark.campaign
def test_two_people_compare_their_runs_in_a_browser(team: TeamServer, tmp_path: Path) -> None:
    """A reader sees both runs side by side, and a stranger sees nothing."""
    if browser.chromium() is None:
        pytest.skip("Chromium is missing: MLflow's pages were NOT looked at")
    publish_as(tmp_path / "ann", team, "ann", "compared", "v0", 0, None)
    publish_as(tmp_path / "bob", team, "bob", "compared", "v1", 0, None)
    client = reader(team)
    experiment = client.get_experiment_by_name("compared").experiment_id
    ids = [run.info.run_id for run in store.search(client, experiment, search_for(COMPLETE))]
    assert len(ids) == 2
    address = addresses.comparison(team.uri, experiment, ids)
    with browser.launched() as chromium:
        password = {"username": "rea", "password": team.folder.password("rea")}
        page = browser.Browser(chromium.new_page(viewport=browser.SIZE, http_credentials=password))
        page.page.goto(address)
        page.shows("Comparing 2 Runs")
        page.shows("v0")
        page.shows("v1")
        page.shoot("team-server-comparison", full=True)
        assert chromium.new_context().request.get(team.uri).status == 401


@contextmanager
def proxy(folder: Path, server: TeamServer) -> Iterator[TeamServer]:
    """Run nginx as docs/team-server.md configures it, with a certificate of its own; the server as it is seen there."""
    port = free_port()
    key, certificate = folder / "mlflow.key", folder / "mlflow.crt"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *names], check=True, capture_output=True)
    documented = (ROOT / "docs" / "team-server.md").read_text().partition("```nginx\n")[2].partition("```")[0]
    for what, here in {
        "listen 443": f"listen 127.0.0.1:{port}",
        "127.0.0.1:5000": f"127.0.0.1:{server.port}",
        "/etc/ssl/mlflow.crt": str(certificate),
        "/etc/ssl/private/mlflow.key": str(key),
    }.items():
        assert what in documented
        documented = documented.replace(what, here)
    paths = "".join(
        f"{name}_temp_path {folder / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder / 'pid'}; error_log {folder / 'errors'};"
        f"events {{}} http {{ access_log off; {paths} {documented} }}"
    )
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        seen = BehindProxy(server.folder, server.workers, port)
        os.environ["MLFLOW_TRACKING_SERVER_CERT_PATH"] = str(certificate)
        wait_until(lambda: is_open(port) or process.poll() is not None, seconds=STARTS_WITHIN)
        assert process.poll() is None
        yield seen
    finally:
        del os.environ["MLFLOW_TRACKING_SERVER_CERT_PATH"]
        process.terminate()
        process.wait(60)


class BehindProxy(TeamServer):
    """A server, at the address of its proxy."""

    @property
    def uri(self) -> str:
        """The address of the proxy."""
        return f"https://localhost:{self.port}"


def is_open(port: int) -> bool:
    """Return whether something listens at a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.campaign
def test_people_publish_through_a_proxy_with_tls(tmp_path: Path) -> None:
    """With the configuration of the documentation, for the name that `--allowed-hosts` gives and for no other."""
    if not (shutil.which("nginx") and shutil.which("openssl")):
        pytest.skip("a proxy with TLS was NOT tested: nginx or openssl is missing")
    with team_server() as server:
        server.stop()
        server.start("--allowed-hosts", "localhost,mlflow.example.org")
        server.users().add("ann", "publisher")
        server.users().add("rea", "reader")
        with proxy(tmp_path, server) as seen:
            publish_as(tmp_path / "ann", seen, "ann", "encrypted", "v0", 3000, None)
            client = reader(seen)
            assert census(client, "encrypted") == whole(1)
            (run,) = store.search(
                client, client.get_experiment_by_name("encrypted").experiment_id, search_for(COMPLETE)
            )
            artifacts = client.download_artifacts(run.info.run_id, "", str(tmp_path))
            assert any(Path(artifacts).rglob("*.*"))
            for host, code in (("mlflow.example.org", 200), ("elsewhere.example.org", 403)):
                answer = requests.get(
                    f"{seen.uri}/api/2.0/mlflow/experiments/get-by-name?experiment_name=encrypted",
                    headers={"Host": host},
                    auth=("rea", server.folder.password("rea")),
                    verify=str(tmp_path / "mlflow.crt"),
                    timeout=60,
                )
                assert answer.status_code == code
            del os.environ["MLFLOW_TRACKING_SERVER_CERT_PATH"]
            with pytest.raises(UserError, match="certificate") as rejected:
                publish_as(tmp_path / "bob", seen, "ann", "encrypted", "v1", 0, None)
            assert "\n" not in str(rejected.value)
            os.environ["MLFLOW_TRACKING_SERVER_CERT_PATH"] = str(tmp_path / "mlflow.crt")


WATCHED = """
import os, sys, time
import keras, numpy as np
from pipeline import Diagnosis

def wait(epoch, logs):
    while epoch == 4 and not os.path.exists("go"):
        time.sleep(0.1)

x = np.random.default_rng(0).normal(size=(200, 2)); y = (x[:, 0] > 0).astype(float)
model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(1, "sigmoid")])
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
diagnosis = Diagnosis(x, y)
model.fit(x, y, epochs=8, verbose=0, callbacks=[diagnosis, keras.callbacks.LambdaCallback(on_epoch_end=wait)])
"""


@pytest.mark.campaign
def test_the_callback_shows_a_training_while_it_runs(team: TeamServer, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(WATCHED)
    team.sign_in("ann")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_EXPERIMENT_NAME": "watched"}
    with subprocess.Popen([sys.executable, "train.py"], cwd=tmp_path, env=environment) as process:
        client = reader(team)

        def is_shown() -> bool:
            found = client.get_experiment_by_name("watched")
            runs = store.search(client, found.experiment_id, "") if found else []
            return any(run.info.status == "RUNNING" and len(run.data.metrics) > 5 for run in runs)

        wait_until(lambda: is_shown() or process.poll() is not None, seconds=600)
        assert process.poll() is None
        (tmp_path / "go").touch()
        assert process.wait(600) == 0
    (run,) = store.search(client, client.get_experiment_by_name("watched").experiment_id, "")
    assert run.info.status == "FINISHED"
    assert run.data.tags["outcome"]
    assert {file.path for file in client.list_artifacts(run.info.run_id, "diagnosis")} >= {"diagnosis/why.html"}


@pytest.mark.campaign
def test_a_study_on_a_dask_cluster_is_published_there(team: TeamServer, published: Workspace, tmp_path: Path) -> None:
    workspace = published.copy(tmp_path / "study")
    workspace.edit({"studies": {"depth": STUDY}, "tracking.experiment": "clustered"})
    team.sign_in("bob")
    store_variables = {name: os.environ[name] for name in ("MLFLOW_TRACKING_URI", servers.USER, servers.PASSWORD)}
    with cluster(workspace, workspace.folder, workspace.folder) as (address, _):
        workspace.run("dvc", "repro", "studies/dvc.yaml", DASK_SCHEDULER_ADDRESS=address, **store_variables)
    assert census(reader(team), "clustered-studies") == Census({"depth": 1}, {"depth": 3}, 0, [])
    secret = store_variables[servers.PASSWORD].encode()
    kept = [path for path in workspace.folder.rglob("*") if path.is_file() and ".venv" not in path.parts]
    assert not [path for path in kept if secret in path.read_bytes()]
