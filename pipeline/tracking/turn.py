"""Let one publisher at a time write to an experiment, even if publishers run on several machines or clones.

MLflow has no compare-and-swap. But an experiment can have a tag for each publisher, which only that publisher writes
and all others read. This is enough for Lamport's bakery algorithm (Communications of the ACM 17, 1974): draw a ticket
higher than all present tickets, then wait until no publisher has a lower ticket. The order depends on no clock.

A publisher may die and leave its ticket. So each tag also holds a nonce, which a living publisher changes again and
again. If another publisher's nonce has not changed for a while, by its own clock, a waiting publisher counts that
publisher as dead.
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

LEASE: Final = 60.0  # seconds a publisher may go without a new nonce; twice the longest request to a slow server
RENEWALS: Final = 6  # new nonces within LEASE
CHECKS: Final = 30  # how often a waiting publisher reads the tags within LEASE
SLOWEST: Final = 5  # a waiting publisher reads the tags less often, by at most this factor, if many are before it
STORE_ERRORS: Final = (MlflowException, SQLAlchemyError)
CHOOSING: Final = 0  # the ticket of a publisher that has not drawn one yet


class TurnClaim(BaseModel):
    """The content of a publisher's tag.

    ticket: the publisher's place in the order.
    nonce: a random value that changes while the publisher lives.
    place: a hash of the folder from which it publishes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ticket: int
    nonce: str
    place: str


class Turn:
    """This publisher's turn in an experiment; a context manager that ends the turn when it exits.

    Nothing is written before `take`, so a publisher that has nothing to write does not wait.
    """

    def __init__(self, client: MlflowClient, experiment_id: str, patience: float = LEASE, lease: float = LEASE) -> None:
        """Prepare a turn. The caller must hold the file lock of `store.locked`, and so is this folder's only publisher.

        Args:
            patience: seconds without a new nonce after which another publisher counts as dead.
            lease: seconds within which this publisher must renew its own nonce.
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
        # The tags of other publishers: the last value, and the time since which it has not changed.
        self._seen: dict[str, tuple[str, float]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._over.set()
        # After an error of the store the tag stays, and the next publisher waits until the lease is over.
        has_failed = isinstance(error, STORE_ERRORS) or (error and isinstance(error.__context__, STORE_ERRORS))
        with self._writing, suppress(*STORE_ERRORS):
            if self._thread is not None and not has_failed:
                self._client.delete_experiment_tag(self._experiment_id, self._key)
            elif error is None:  # without a turn; to wait for one would have removed the claims of dead publishers
                for key in [key for key, value in self._others().items() if self._is_of_this_folder(value)]:
                    self._client.delete_experiment_tag(self._experiment_id, key)

    def take(self) -> None:
        """Wait until no other publisher is writing to this experiment.

        Raises:
            UserError: another publisher counted this one as dead.
        """
        if self._is_taken:
            self.expect()
            return
        self._write()
        self._thread = threading.Thread(target=self._keep_renewing, name="pipeline.turn", daemon=True)
        self._thread.start()
        self._ticket = 1 + max((_ticket(value) for value in self._others().values()), default=CHOOSING)
        self._write()
        is_reported = False
        while others := self._others_before():
            if not is_reported:
                print("waiting for another process that publishes into the same experiment", file=sys.stderr)
            is_reported = True
            # With twenty waiting publishers, a check every two seconds by each of them would keep a server busy.
            self._over.wait(self._patience / CHECKS * min(others, SLOWEST))
        self._is_taken = True

    def expect(self) -> None:
        """Check before each write that the turn is still this publisher's, without a request to the store.

        Raises:
            UserError: another publisher counted this one as dead, or soon may.
        """
        if self._thread is not None and time.monotonic() > self._renewed + self._lease * 0.75:
            raise UserError(
                f"MLflow store {self._client.tracking_uri}: did not answer this process for "
                f"{self._lease * 0.75:.0f} s, so another process may be publishing now: run the same command again"
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
            with suppress(*STORE_ERRORS):  # the next renewal tries again; `expect` reports a delay that is too long
                if self._key not in self._tags():
                    self._renewed = -self._lease  # another publisher has removed the tag
                    return
                self._write()

    def _others_before(self) -> int:
        """Return how many publishers have their turn before this one; 1 if the store does not answer.

        Raises:
            UserError: the store has not answered for so long that another publisher may count this one as dead.
        """
        self.expect()
        try:
            tags = self._others()
        except STORE_ERRORS:
            return 1  # a busy server; `expect` ends the wait if it stays silent
        now = time.monotonic()
        others = 0
        for key, value in tags.items():
            ticket = _ticket(value)
            if ticket == CHOOSING or (ticket, key) < (self._ticket, self._key):
                if self._seen.get(key, ("", now))[0] != value:
                    self._seen[key] = (value, now)
                if self._is_dead(key, value, now):
                    with suppress(*STORE_ERRORS):  # another publisher has removed the tag
                        self._client.delete_experiment_tag(self._experiment_id, key)
                else:
                    others += 1
        return others

    def _is_dead(self, key: str, value: str, now: float) -> bool:
        return self._is_of_this_folder(value) or now > self._seen[key][1] + self._patience

    def _is_of_this_folder(self, value: str) -> bool:
        """Return whether the tag is of another publisher of this folder, which is dead: this one holds the lock."""
        claim = _claim(value)
        return claim is not None and claim.place == self._place

    def _others(self) -> dict[str, str]:
        return {key: value for key, value in self._tags().items() if key.startswith(PUBLISHER) and key != self._key}

    def _tags(self) -> dict[str, str]:
        tags: dict[str, str] = self._client.get_experiment(self._experiment_id).tags
        return tags


def _claim(value: str) -> TurnClaim | None:
    try:
        return TurnClaim.model_validate_json(value)
    except ValidationError:  # written by another version of this program
        return None


def _ticket(value: str) -> int:
    claim = _claim(value)
    return CHOOSING if claim is None else claim.ticket


def _place() -> str:
    """Return a hash of this folder on this machine; any copy of the folder has a different hash."""
    stat = os.stat(root())
    parts = (socket.gethostname(), uuid.getnode(), root(), stat.st_dev, stat.st_ino)
    return hashlib.sha256(repr(parts).encode()).hexdigest()
