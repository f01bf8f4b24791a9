"""Keeps every error of the recorder out of the user's training: it is logged once, in one line, and `fit` goes on."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from pipeline.foundations.errors import UserError, masked, without_colours

LOG = logging.getLogger("pipeline.watch")
DISTRIBUTIONS: Final = {"sklearn": "scikit-learn"}  # pip's names of modules, where they differ
LONGEST: Final = 200  # letters of an error's text


class Guard:
    """Gives contexts that let no error out: `with guard("watch this model"): ...`.

    notes: every line that was logged, in order; a report shows them too. failed: the line of each failure, by what was
    being done.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.failed: dict[str, str] = {}

    def __call__(self, what: str) -> AbstractContextManager[None]:
        """Return a context for what the record needs; in the pipeline, where each record must be whole, errors pass."""
        return self.optional(what)

    @contextmanager
    def optional(self, what: str) -> Iterator[None]:
        """Return a context for what the record can do without. An error ends it, and is noted once for each `what`."""
        try:
            yield
        except Exception as error:  # whatever it is, the user's training must go on
            if what not in self.failed:
                self.failed[what] = f"could not {what}: {_reason(error)}"
                self.note(self.failed[what])

    def note(self, text: str) -> None:
        """Log and keep a line, once. Not with `warnings`: a user's script may turn these into errors."""
        if text not in self.notes:
            self.notes.append(text)
            LOG.warning("pipeline.watch: %s", text)


def _reason(error: Exception) -> str:
    """Return one line: the package to install where one is missing, else the error's own text."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        package = DISTRIBUTIONS.get(package, package)
        return f"{package} is missing (pip install {package})"
    text = masked(" ".join(without_colours(error).split()))[:LONGEST]
    if isinstance(error, UserError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
