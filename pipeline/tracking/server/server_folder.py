"""The folder of a team's server: everything that the server keeps, and its passwords, in one place."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.foundations.errors import UserError

FOLDER: Final = Path("team-server")
ADMIN: Final = "admin"
PUBLISHER: Final = "publisher"
RIGHTS: Final = ("reader", PUBLISHER)
PASSWORD_BYTES: Final = 18  # 144 random bits, 24 characters


@dataclass(frozen=True)
class ServerFolder:
    """The paths of a server. `path` is absolute."""

    path: Path

    @property
    def postgres(self) -> Path:
        """PostgreSQL's own folder: its data, its socket and its log. It belongs to the user that runs PostgreSQL."""
        return self.path / "postgres"

    @property
    def artifacts(self) -> Path:
        """All files of runs and models."""
        return self.path / "artifacts"

    @property
    def passwords(self) -> Path:
        """The passwords that were generated, one file a user, and the key of MLflow's forms."""
        return self.path / "passwords"

    @property
    def log(self) -> Path:
        """What MLflow's server prints."""
        return self.path / "server.log"

    @property
    def lock(self) -> Path:
        """The lock that one server at a time holds."""
        return self.path / "server.lock"

    @property
    def complete(self) -> Path:
        """An empty file that tells that all tables are in the database. Before, nothing in it is worth keeping."""
        return self.path / "complete"

    @property
    def authentication(self) -> Path:
        """MLflow's configuration of users and rights; it holds no password."""
        return self.path / "authentication.ini"

    def password_file(self, user: str) -> Path:
        """Return the file of a user's first password."""
        return self.passwords / user

    def password(self, user: str) -> str:
        """Return the password that was generated for a user.

        Raises:
            UserError: there is none.
        """
        path = self.password_file(user)
        if not path.is_file():
            raise UserError(f"{path}: not found: must hold the password of {user}")
        return path.read_text(encoding="utf-8").strip()

    def new_password(self, user: str) -> str:
        """Generate a password, and keep it in a file that only this user of the machine can read."""
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        write_secret(self.password_file(user), password)
        return password

    def session_key(self) -> str:
        """Return the key that signs the forms of MLflow's pages; generate a missing one."""
        path = self.passwords / ".session-key"
        if not path.exists():
            write_secret(path, secrets.token_urlsafe(PASSWORD_BYTES))
        return path.read_text(encoding="utf-8").strip()


def write_secret(path: Path, secret: str) -> None:
    """Write a line into a file that only its owner can read, also while it is written."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(secret + "\n")
