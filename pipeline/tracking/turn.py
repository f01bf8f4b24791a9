"""One publisher at a time in an experiment, whatever machine or clone of the repository it runs in.

MLflow has no compare-and-swap. But each publisher can have a tag of the experiment that it alone writes and all others
read, which is enough for Lamport's bakery algorithm (Communications of the ACM 17, 1974): draw a ticket higher than all
that are there, then wait for every lower one. The order depends on no clock.

A publisher may die with its ticket. So its tag holds a nonce, which it keeps changing. A publisher that waits counts
another as dead once that nonce has not changed for a while, by the waiting publisher's own clock.
"""

import hashlib
import os
import socket
import sys
import threading
import time
import uuid
from contextlib import suppress
from typing import Final, Self

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import root
from pipeline.tracking.tags import PUBLISHER

LEASE: Final = 60.0  # seconds without a new nonce: twice as long as a request to a slow server takes at most
RENEWALS: Final = 6  # of the nonce in that time
LOOKS: Final = 30  # of who waits, in that time
STORE_ERRORS: Final = (MlflowException, SQLAlchemyError)
CHOOSING: Final = 0  # the ticket of who has not drawn one yet


class TurnClaim(BaseModel):
    """What a publisher's tag says. place: the folder from which it publishes, as a hash that tells nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ticket: int
    nonce: str
    place: str


class Turn:
    """This publisher's turn in an experiment; a context manager, which gives it back.

    Nothing is written until the turn is taken, so a publisher that finds nothing to do asks nobody.
    """

    def __init__(self, client: MlflowClient, experiment_id: str, patience: float = LEASE, lease: float = LEASE) -> None:
        """Hold the file lock of `store.locked` already: no other publisher of this folder is at work.

        Args:
            patience: seconds after which another publisher that shows no sign of life counts as dead.
            lease: seconds in which this one shows several.
        """
        self._client, self._experiment_id = client, experiment_id
        self._patience, self._lease = patience, lease
        self._key = PUBLISHER + uuid.uuid4().hex
        self._place = _place()
        self._ticket = CHOOSING
        self._is_taken = False
        self._writing = threading.Lock()
        self._renewed = 0.0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen: dict[str, tuple[str, float]] = {}  # of others: the tag's value, and since when

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._over.set()
        # A store that has just failed is not asked again: the next publisher waits for the lease instead.
        has_failed = isinstance(error, STORE_ERRORS) or (error and isinstance(error.__context__, STORE_ERRORS))
        if self._thread is not None and not has_failed:
            with self._writing, suppress(*STORE_ERRORS):
                self._client.delete_experiment_tag(self._experiment_id, self._key)

    def take(self) -> None:
        """Wait until no other publisher is at work in this experiment.

        Raises:
            UserError: another publisher has taken this one for dead.
        """
        if self._is_taken:
            self.expect()
            return
        self._write()
        self._thread = threading.Thread(target=self._keep_renewing, name="pipeline.turn", daemon=True)
        self._thread.start()
        self._ticket = 1 + max((_ticket(value) for value in self._others().values()), default=CHOOSING)
        self._write()
        has_said = False
        while self._has_others_before():
            if not has_said:
                print("waiting for another process that publishes into the same experiment", file=sys.stderr)
            has_said = True
            self._over.wait(self._patience / LOOKS)
        self._is_taken = True

    def expect(self) -> None:
        """Check before each writing that the turn is still this publisher's; asks the store nothing.

        Raises:
            UserError: another publisher has taken this one for dead, or soon may.
        """
        if self._thread is not None and time.monotonic() > self._renewed + self._lease * 0.75:
            raise UserError(
                f"MLflow store {self._client.tracking_uri}: it took no sign of life from this process for "
                f"{self._lease * 0.75:.0f} s, so another one may publish now: run the same command again"
            )

    def _write(self) -> None:
        began = time.monotonic()
        with self._writing:
            if not self._over.is_set():
                claim = TurnClaim(ticket=self._ticket, nonce=uuid.uuid4().hex, place=self._place)
                self._client.set_experiment_tag(self._experiment_id, self._key, claim.model_dump_json())
        self._renewed = began

    def _keep_renewing(self) -> None:
        while not self._over.wait(self._lease / RENEWALS):
            with suppress(*STORE_ERRORS):  # tried again; `expect` says when that took too long
                if self._key not in self._tags():
                    self._renewed = -self._lease  # another publisher has removed it
                    return
                self._write()

    def _has_others_before(self) -> bool:
        self.expect()
        now = time.monotonic()
        before = False
        for key, value in self._others().items():
            ticket = _ticket(value)
            if ticket == CHOOSING or (ticket, key) < (self._ticket, self._key):
                if self._seen.get(key, ("", now))[0] != value:
                    self._seen[key] = (value, now)
                if self._is_dead(key, value, now):
                    with suppress(*STORE_ERRORS):  # somebody else has removed it
                        self._client.delete_experiment_tag(self._experiment_id, key)
                else:
                    before = True
        return before

    def _is_dead(self, key: str, value: str, now: float) -> bool:
        claim = _claim(value)
        is_of_this_folder = claim is not None and claim.place == self._place  # whose lock this process holds
        return is_of_this_folder or now > self._seen[key][1] + self._patience

    def _others(self) -> dict[str, str]:
        return {key: value for key, value in self._tags().items() if key.startswith(PUBLISHER) and key != self._key}

    def _tags(self) -> dict[str, str]:
        tags: dict[str, str] = self._client.get_experiment(self._experiment_id).tags
        return tags


def _claim(value: str) -> TurnClaim | None:
    try:
        return TurnClaim.model_validate_json(value)
    except ValidationError:  # of another version
        return None


def _ticket(value: str) -> int:
    claim = _claim(value)
    return CHOOSING if claim is None else claim.ticket


def _place() -> str:
    """This folder on this machine, told from a copy of it elsewhere."""
    found = os.stat(root())
    parts = (socket.gethostname(), uuid.getnode(), root(), found.st_dev, found.st_ino)
    return hashlib.sha256(repr(parts).encode()).hexdigest()
