"""The users of a team's server, and their rights.

A reader sees everything. A publisher also writes runs and models, and deletes runs, because a publisher replaces what
another one left unfinished. Only the administrator deletes experiments and changes users. In MLflow, publishers have a
role, and a user without a role is a reader.
"""

import os
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mlflow.exceptions import MlflowException

from pipeline.foundations.errors import UserError
from pipeline.tracking import servers, store
from pipeline.tracking.server.server_folder import ADMIN, PUBLISHER, ServerFolder

if TYPE_CHECKING:
    from mlflow.server.auth.client import AuthServiceClient
    from mlflow.server.auth.entities import Role

WORKSPACE: Final = "default"  # of MLflow; all experiments are in it
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # it is also the name of a file
# MLflow's permission on each kind of object; MANAGE is the only one that may delete.
GRANTS: Final = {
    "workspace": "USE",  # create experiments and registered models
    "experiment": "EDIT",
    "run": "MANAGE",
    "logged_model": "MANAGE",
    "registered_model": "EDIT",
    "registered_model_version": "MANAGE",
}


class Users:
    """Adds, changes and removes users, as the administrator of a running server.

    Raises:
        UserError: the server does not answer or rejects the administrator's password; each method, too.
    """

    def __init__(self, folder: ServerFolder, port: int) -> None:
        self._folder, self._uri = folder, f"http://127.0.0.1:{port}"
        # The administrator's password reaches only this server, which is on this machine.
        os.environ[servers.USER], os.environ[servers.PASSWORD] = ADMIN, folder.password(ADMIN)
        store.connect(self._uri)
        self._server = _client(self._uri)

    def add(self, name: str, rights: str) -> None:
        """Add a user with a new password."""
        if not NAME.fullmatch(name):
            raise UserError(f"user {name}: must be letters, digits, dots, dashes and underscores, at most 64")
        path = self._folder.password_file(name)
        if self._has(name):
            raise UserError(f"user {name}: exists already; `user rights {name}` changes the rights")
        password = self._folder.new_password(name)
        self._try(name, lambda: self._server.create_user(name, password))
        self.give(name, rights)
        print(f"user {name}: password in {path}; hand it over, then delete the file")

    def give(self, name: str, rights: str) -> None:
        """Give a user the rights of a reader or of a publisher."""

        def change() -> None:
            role = self._role()
            has_role = any(each.id == role.id for each in self._server.list_user_roles(name))
            if rights == PUBLISHER and not has_role:
                self._server.assign_role(name, role.id)
            elif rights != PUBLISHER and has_role:
                self._server.unassign_role(name, role.id)

        self._try(name, change)
        print(f"user {name}: {rights}")

    def renew_password(self, name: str) -> None:
        """Replace a forgotten password."""
        password = self._folder.new_password(name)
        self._try(name, lambda: self._server.update_user_password(name, password))
        print(f"user {name}: new password in {self._folder.password_file(name)}")

    def remove(self, name: str) -> None:
        """Remove a user; what the user has published stays."""
        self._try(name, lambda: self._server.delete_user(name))
        self._folder.password_file(name).unlink(missing_ok=True)
        print(f"user {name}: removed")

    def _has(self, name: str) -> bool:
        try:
            self._server.get_user(name)
        except MlflowException:
            return False
        return True

    def _role(self) -> "Role":
        """Return the role of publishers; create it, or what a killed command has left out of it."""
        roles = {role.name: role for role in self._server.list_roles(WORKSPACE)}
        role = roles.get(PUBLISHER) or self._server.create_role(WORKSPACE, PUBLISHER, "writes runs and models")
        present = {each.resource_type for each in self._server.list_role_permissions(role.id)}
        for kind, permission in GRANTS.items():
            if kind not in present:
                self._server.add_role_permission(role.id, kind, "*", permission)
        return role

    def _try(self, name: str, change: Callable[[], object]) -> None:
        try:
            change()
        except MlflowException as error:
            raise UserError(f"user {name}: {error.message}") from None


def _client(uri: str) -> "AuthServiceClient":
    with warnings.catch_warnings(action="ignore"):  # MLflow imports its whole server with this client
        from mlflow.server.auth.client import AuthServiceClient
    return AuthServiceClient(uri)
