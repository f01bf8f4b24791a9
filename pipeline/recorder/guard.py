"""An error of the watching stays there: it is logged once, in one line, and the user's training goes on."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from pipeline.foundations.errors import UserError, masked, without_colours

LOG = logging.getLogger("pipeline.watch")
DISTRIBUTIONS: Final = {"sklearn": "scikit-learn"}  # as pip knows a module, where that is another name


class Guard:
    """Called with what is being done, such as "watch this model", it is a context that lets no error out.

    notes: all lines, in order; a report has them too. failed: the line by what could not be done.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.failed: dict[str, str] = {}

    def __call__(self, what: str) -> AbstractContextManager[None]:
        """Guard what the record consists of."""
        return self.beside(what)

    @contextmanager
    def beside(self, what: str) -> Iterator[None]:
        """Guard what the record can do without. An error ends the context, and is noted once for each `what`."""
        try:
            yield
        except Exception as error:  # whatever it is, the user's training must go on
            if what not in self.failed:
                self.failed[what] = f"could not {what}: {_reason(error)}"
                self.say(self.failed[what])

    def say(self, text: str) -> None:
        """Note a line, once. Not by `warnings`, which may be errors."""
        if text not in self.notes:
            self.notes.append(text)
            LOG.warning("pipeline.watch: %s", text)


def _reason(error: Exception) -> str:
    """In one line, and what to install where a package is missing."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        package = DISTRIBUTIONS.get(package, package)
        return f"{package} is missing (pip install {package})"
    text = masked(" ".join(without_colours(error).split()))[:200]
    if isinstance(error, UserError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
