"""Keep every error of the recorder out of the user's `fit`: log it once, in one line, and continue."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from pipeline.foundations.errors import UserError, masked, without_colours

LOG = logging.getLogger("pipeline.watch")
DISTRIBUTIONS: Final = {"sklearn": "scikit-learn"}  # pip's name of a package whose module has another name
LONGEST: Final = 200  # letters of an error's text


class Guard:
    """Gives contexts that log errors instead of raising them: `with guard("watch this model"): ...`.

    notes: every logged line, in order; a report shows them, too.
    failed: the line of each failure, by the name of the action that failed.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.failed: dict[str, str] = {}

    def __call__(self, action: str) -> AbstractContextManager[None]:
        """Return a context for an action that the record needs; a subclass in the pipeline raises its errors."""
        return self.optional(action)

    @contextmanager
    def optional(self, action: str) -> Iterator[None]:
        """Return a context for an action that the record can lack; its errors are noted once for each action."""
        try:
            yield
        except Exception as error:  # the user's training must continue after any error
            if action not in self.failed:
                self.failed[action] = f"could not {action}: {_reason(error)}"
                self.note(self.failed[action])

    def note(self, text: str) -> None:
        """Log and keep a line, once; not by `warnings`, which a user's script may turn into errors."""
        if text not in self.notes:
            self.notes.append(text)
            LOG.warning("pipeline.watch: %s", text)


def _reason(error: Exception) -> str:
    """Return one line: the missing package, or the error's own text."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        package = DISTRIBUTIONS.get(package, package)
        return f"{package} is missing (pip install {package})"
    text = masked(" ".join(without_colours(error).split()))[:LONGEST]
    if isinstance(error, UserError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
