"""Write the report for machines to a file or to standard output, and choose the exit code of the command."""

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import pipeline
from pipeline.foundations.errors import UserError, first_line, masked
from pipeline.foundations.files import save_text
from pipeline.watch.for_machines.exit_codes import exit_code
from pipeline.watch.for_machines.report_models import Command, FitReport, MachineReport

STANDARD_OUTPUT: Final = "-"


@dataclass(frozen=True)
class ReportOutput:
    """Where the report goes, and whether it decides the exit code.

    target: a file, STANDARD_OUTPUT, or None for no report.
    has_exit_code: whether the exit code depends on what was learned; otherwise it is 0.
    stream: the real standard output, if the report goes there.
    """

    target: str | None = None
    has_exit_code: bool = False
    stream: TextIO | None = None

    @classmethod
    def open(cls, target: str | None, has_exit_code: bool) -> "ReportOutput":
        """Prepare the output: if the report goes to standard output, all else that is printed goes to standard error.

        Removes the report of an earlier run: if the script fails at once, no old report may stay in its place.

        Raises:
            UserError: the file cannot be written.
        """
        if target == STANDARD_OUTPUT:
            return cls(target, has_exit_code, _take_standard_output())
        if target is not None:
            _prepare_file(Path(target))
        return cls(target, has_exit_code)

    def end(
        self, command: Command, script: Path, arguments: Sequence[str], fits: Sequence[FitReport], error: str = ""
    ) -> int:
        """Write the report, and return the exit code of the command: 0 unless `has_exit_code`.

        Args:
            error: the error that ended the script; "" if it ended well.
        """
        report = MachineReport(
            package_version=pipeline.__version__,
            command=command,
            script=str(script),
            arguments=tuple(arguments),
            error=error or None,
            exit_code=exit_code(fits),
            fits=tuple(fits),
        )
        self._write(report.model_dump_json(indent=2) + "\n")
        return report.exit_code if self.has_exit_code else 0

    def _write(self, text: str) -> None:
        if self.stream is not None:
            self.stream.write(text)
            self.stream.flush()
        elif self.target is not None:
            path = Path(self.target)
            if path.exists() and not path.is_file():  # a pipe or a device, which no file may replace
                path.write_text(text, encoding="utf-8")
            else:
                save_text(text, path)


def _prepare_file(path: Path) -> None:
    """Remove an older file, and check that a new one can be written: an error now saves hours of training.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        if path.is_file():
            path.unlink()
        if not path.exists():  # the file's folders are made with the report
            tempfile.TemporaryFile(dir=next(each for each in path.absolute().parents if each.exists())).close()
    except OSError as error:
        raise UserError(f"--json: {path}: {error.strerror}: must be a file that can be written") from None


def error_in_one_line(error: BaseException) -> str:
    """Return the class and the first line of an error, without passwords."""
    text = first_line(error)
    name = type(error).__name__
    return masked(name if text == name else f"{name}: {text}")


def _take_standard_output() -> TextIO:
    """Return standard output, and send everything that is printed from now on to standard error.

    This holds for Python, libraries in C and processes that the script starts, until the end of this process.
    """
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stream
