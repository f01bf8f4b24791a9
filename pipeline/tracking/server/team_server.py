"""Serve MLflow to a team: on PostgreSQL, with users and rights, and with all artifacts behind the same server."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import mlflow.store.db_migrations
from alembic.script import ScriptDirectory
from filelock import FileLock, Timeout

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import save_text
from pipeline.foundations.hosts import is_loopback
from pipeline.tracking.server.postgres import Postgres, expect_driver, install
from pipeline.tracking.server.server_folder import ADMIN, ServerFolder
from pipeline.tracking.server_process import INTERRUPTIONS, expect_free, serving, wait_until_it_answers

PORT: Final = 5000
WORKERS: Final = 4  # MLflow's own number of server processes
LOCALHOST: Final = ("localhost", "127.0.0.1", "[::1]")
REMEMBERED: Final = 60  # seconds for which a checked password is not hashed again; see docs/team-server.md

# Rights of a user without a role: everything may be read and nothing written.
AUTHENTICATION: Final = """[mlflow]
default_permission = READ
database_uri = {uri}
admin_username = {admin}
grant_default_workspace_access = true
auth_cache_ttl_seconds = {remembered}
"""


def serve(folder: ServerFolder, host: str, port: int, allowed_hosts: Sequence[str], workers: int) -> None:
    """Serve until interrupted. Create the database, the administrator and a password first, if there are none.

    Args:
        host: the address of this machine to listen at.
        allowed_hosts: the names by which other machines reach the server; required if `host` is no loopback address.
        workers: server processes.

    Raises:
        UserError: the server cannot be started, or has ended by itself.
    """
    expect_driver()
    if not is_loopback(host):
        _expect_names(host, allowed_hosts)
    expect_free(host, port, "server")
    for name in INTERRUPTIONS:
        signal.signal(name, signal.default_int_handler)
    try:
        install()
        with open_folder(folder), Postgres(folder).running():
            if folder.complete.exists():
                _expect_new_tables(folder)
            print("the server takes some 20 seconds to start; stop it with Ctrl-C", flush=True)
            variables = _variables(folder)
            with serving(_options(folder, host, port, allowed_hosts, workers), variables, folder.log) as server:
                base = f"http://{host if is_loopback(host) else '127.0.0.1'}:{port}"
                wait_until_it_answers(server, base, folder.log)
                folder.complete.touch()
                print(f"ready: {base}, user {ADMIN}, password in {folder.password_file(ADMIN)}", flush=True)
                server.wait()
    except KeyboardInterrupt:
        print("stopped", flush=True)
        return
    raise UserError(f"MLflow's server has ended: see {folder.log} for the reason")


def _expect_new_tables(folder: ServerFolder) -> None:
    """Check the version of the tables. MLflow's server would upgrade some older ones by itself, without a backup.

    Raises:
        UserError: they are of an older or newer version of MLflow than the installed one.
    """
    found = Postgres(folder).table_version()
    scripts = ScriptDirectory(str(Path(mlflow.store.db_migrations.__file__).parent))
    if found == scripts.get_current_head():
        return
    if found in {each.revision for each in scripts.walk_revisions()}:
        raise UserError(
            f"{folder.path}: its tables are of an older version of MLflow: back them up, then run "
            "`python3 -m pipeline.tracking.server upgrade` (docs/team-server.md)"
        )
    raise UserError(
        f"{folder.path}: its tables are of another version of MLflow than {mlflow.__version__}, perhaps a newer one: "
        "install the version that made them, or restore a backup into a new folder"
    )


def _variables(folder: ServerFolder) -> dict[str, str]:
    """Prepare the administrator's password and the configuration; return MLflow's variables."""
    uri = Postgres(folder).uri
    is_new = not folder.password_file(ADMIN).exists()
    password = folder.new_password(ADMIN) if is_new else folder.password(ADMIN)
    save_text(AUTHENTICATION.format(uri=uri, admin=ADMIN, remembered=REMEMBERED), folder.authentication)
    return {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_AUTH_CONFIG_PATH": str(folder.authentication),
        "MLFLOW_AUTH_ADMIN_PASSWORD": password,  # MLflow reads it when it creates the administrator, and never again
        "MLFLOW_FLASK_SERVER_SECRET_KEY": folder.session_key(),
    }


@contextmanager
def open_folder(folder: ServerFolder) -> Iterator[None]:
    """Make the folder if it is missing, and hold its lock, so that one command at a time uses its database.

    Raises:
        UserError: another command uses it.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    # PostgreSQL's user must be able to enter root's folder; nobody needs to list it.
    folder.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    folder.artifacts.mkdir(mode=0o700, exist_ok=True)
    try:
        with FileLock(folder.lock, timeout=0, mode=0o600):
            yield
    except Timeout:
        raise UserError(f"{folder.path}: another command uses this server's database: end it first") from None


def upgrade(folder: ServerFolder) -> None:
    """Bring the tables of an older version of MLflow to the installed version."""
    expect_driver()
    with open_folder(folder), Postgres(folder).running():
        uri = Postgres(folder).uri
        for command in (["mlflow", "db", "upgrade", uri], ["mlflow.server.auth", "db", "upgrade", "--url", uri]):
            done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise UserError(f"{folder.path}: `{' '.join(command[:3])}` failed: {reason}")
    print(f"{folder.path}: upgraded")


def _expect_names(host: str, allowed_hosts: Sequence[str]) -> None:
    if not allowed_hosts:
        raise UserError(
            f"HOST={host}: other machines can reach this address: name the host names that they may use with "
            "ALLOWED_HOSTS=mlflow.example.org"
        )
    print(
        f"warning: other machines can reach {host}, and passwords are not encrypted on the way: put a proxy with TLS "
        "before the server (docs/team-server.md)",
        file=sys.stderr,
        flush=True,
    )


def _options(folder: ServerFolder, host: str, port: int, allowed_hosts: Sequence[str], workers: int) -> list[str]:
    options = [
        "--app-name", "basic-auth",
        "--enable-workspaces",  # without workspaces every user may create experiments
        "--workers", str(workers), "--host", host, "--port", str(port),
        "--serve-artifacts", "--artifacts-destination", str(folder.artifacts),
    ]  # fmt: skip
    if allowed_hosts:
        names = [*LOCALHOST, *allowed_hosts]
        options += ["--allowed-hosts", ",".join([*names, *(f"{name}:*" for name in names)])]
        # Pages that a browser loads from these names may send changes.
        origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in allowed_hosts]
        options += ["--cors-allowed-origins", ",".join([*origins, *(f"{origin}:*" for origin in origins)])]
    return options
