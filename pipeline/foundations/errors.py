"""Errors that a user can fix: one line each, exit code 1, no traceback."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import TracebackType
from typing import Final

# `user:password@` after `://`. It ends at the last @ before a slash; if the password contains a slash, before a space.
CREDENTIALS: Final = re.compile(r"(?<=://)(?:[^\s/]*|[^\s/@:]*:(?!\d*(?:[/?#\s]|$))\S*)@")
ESCAPE_CODES: Final = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal: Keras prints its errors in bold
INTERRUPTED: Final = "interrupted: run the same command again to finish"
NO_MEMORY: Final = ("failed to map segment", "cannot allocate memory")  # in errors of libraries that cannot be loaded


def masked(text: str) -> str:
    """Replace user and password by `***` in every address of the text."""
    return CREDENTIALS.sub("***@", text)


class UserError(Exception):
    """An error that the user can fix. Passwords in its message are masked.

    The message is one line: the place (a file or a dotted parameter), the value there, and the allowed values.
    """

    def __init__(self, message: str) -> None:
        super().__init__(masked(message))


def one_argument(name: str) -> str:
    """Return the command's only argument.

    Args:
        name: the meaning of the argument, for the message.

    Raises:
        UserError: there is no argument, or more than one.
    """
    if len(sys.argv) != 2:
        raise UserError(f"{len(sys.argv) - 1} arguments: must be one, the {name}")
    return sys.argv[1]


def without_colours(error: BaseException) -> str:
    """Return the error's text without a terminal's escape codes."""
    return ESCAPE_CODES.sub("", str(error))


def first_line(error: BaseException) -> str:
    """Return the first line of the error's text, or the name of its class if the text is empty.

    Of an error of pydantic, return the first faulty place and what is wrong there.
    """
    from pydantic import ValidationError  # here, so that errors of imports are reported without it

    if isinstance(error, ValidationError):
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        return f"{place}: {fault['msg']}" if place else fault["msg"]
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def import_failures_in_one_line() -> None:
    """Report Ctrl-C and too little memory in one line while a command imports its modules.

    `reported_in_one_line` does so afterwards. It has no effect in a program that is no command of this project.
    """
    modules = [name for option, name in pairwise(sys.orig_argv) if option == "-m" and name.startswith("pipeline.")]
    if not modules:
        return
    before = sys.excepthook

    def report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            print(INTERRUPTED, file=sys.stderr)
        elif isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in NO_MEMORY):
            print(
                f"error: {modules[0]}: out of memory while it loads libraries: free some, or raise the limit of memory",
                file=sys.stderr,
                flush=True,
            )
            os._exit(1)  # a half-loaded library may crash while Python ends
        else:
            before(kind, error, traceback)

    sys.excepthook = report


def one_line(text: str) -> str:
    """Return the text as one line without control characters: a server's answer or a file could command a terminal."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in " ".join(text.split()))


@contextmanager
def reported_in_one_line() -> Iterator[None]:
    """Report a failure that is not a bug of this program in one line on stderr, and end the process.

    Raises:
        SystemExit: 1 after a `UserError`, an error of the operating system or too little memory; 130 after Ctrl-C.
    """
    try:
        yield
    except UserError as error:
        sys.exit(f"error: {one_line(str(error))}")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        reason = one_line(str(error.strerror or error))  # a failed upload reports the server's whole answer
        sys.exit(masked(f"error: {where}{reason}"))
    except MemoryError as error:
        detail = f" ({one_line(str(error))[:100]})" if str(error) else ""
        sys.exit(
            f"error: out of memory{detail}: lower samples, units, hidden_layers, replicas, chunk, epochs or "
            "surface_resolution in params.yaml"
        )
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        sys.exit(130)
