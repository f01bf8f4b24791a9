"""What goes wrong in the watching stays there: it is said once, in one line, and the user's training goes on."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from pipeline.foundations.errors import without_colours

LOG = logging.getLogger("pipeline.watch")


class Guard:
    """Called with what is being done, it is a context that lets no error out.

    notes: all that was said, in order; a report has them too.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.failed: set[str] = set()

    def __call__(self, what: str) -> AbstractContextManager[None]:
        """Around what the record consists of."""
        return self.beside(what)

    @contextmanager
    def beside(self, what: str) -> Iterator[None]:
        """Around what the record can do without. An error ends the context, and names what is left out for it."""
        try:
            yield
        except Exception as error:  # whatever it is, the user's training must go on
            self.failed.add(what)
            reason = " ".join(without_colours(error).split())[:200] or type(error).__name__
            self.say(f"left out, {what}: {type(error).__name__}: {reason}", key=what)

    def say(self, text: str, key: str | None = None) -> None:
        """Once for each key, which is the text itself by default. Not by `warnings`, which may be errors."""
        marked = key or text
        if any(note == text or note.startswith(f"left out, {marked}:") for note in self.notes):
            return
        self.notes.append(text)
        LOG.warning("pipeline.watch: %s", text)
