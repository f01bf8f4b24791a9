"""Run a script in this process and watch every `fit` in it: as it is, or once from a seed, with its records saved."""

import resource
import runpy
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

import keras

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import save_text
from pipeline.foundations.formats import save_arrays
from pipeline.foundations.untyped import FitKeywords
from pipeline.recorder.recorder import Recorder
from pipeline.remedies.on_keras.keras_compile import remembering_compile
from pipeline.remedies.on_keras.trial import InapplicableError
from pipeline.watch.arguments import Learned
from pipeline.watch.autolog import arrays, watch_every_fit
from pipeline.watch.callback import Diagnosis
from pipeline.watch.scripts.fit_remedies import FitRemedies
from pipeline.watch.scripts.run_request import FILE, RUN_FILE, FitEntry, RunEntry, RunRequest
from pipeline.watch.scripts.script_files import FileUse, named_files, noting_files, use
from pipeline.watch.scripts.seed_calls import seed_calls
from pipeline.watch.scripts.source_changes import Sites, noting_compile


def run(
    script: Path,
    arguments: Sequence[str],
    on_end: Callable[[Diagnosis], None],
    learned: Learned = None,
    change: Callable[[keras.Model, FitKeywords], None] | None = None,
) -> None:
    """Run the script like `python3 script.py arguments`, and watch each `fit`.

    Args:
        on_end: called with the callback when a `fit` ends.
        change: called with a model and the arguments before its `fit`; may change both.

    Raises:
        SystemExit, UserError: see `run_as_main`.
    """
    undo = watch_every_fit(lambda model, arguments: Diagnosis(*arrays(arguments), learned=learned), on_end, change)
    try:
        run_as_main(script, arguments)
    finally:
        undo()


def run_as_main(script: Path, arguments: Sequence[str]) -> None:
    """Run the script in this process like `python3 script.py arguments`.

    An error is shown from the script's own line on, as Python shows it.

    Raises:
        SystemExit: as the script raises it; 1 after an error of the script, which is its cause.
        UserError: the script uses this package in a way that it rejects; an InapplicableError if a remedy cannot be
            applied to a `fit` of the script.
    """
    before, path, file = sys.argv, sys.path[0], str(script.absolute())
    sys.argv, sys.path[0] = [str(script), *arguments], str(script.resolve().parent)
    try:
        runpy.run_path(file, run_name="__main__")  # as Python sets `__file__`
    except UserError:  # is reported in one line
        raise
    except Exception as error:
        traceback.print_exception(type(error), error, _from_file(error.__traceback__, file))
        raise SystemExit(1) from error
    finally:
        sys.argv, sys.path[0] = before, path


def _from_file(frames: TracebackType | None, file: str) -> TracebackType | None:
    """Return the frames from the first one of a file on; None without one, as when the file has a syntax error."""
    while frames is not None and frames.tb_frame.f_code.co_filename != file:
        frames = frames.tb_next
    return frames


def run_replica(request: RunRequest, seed: int, folder: Path) -> None:
    """Run the script from a seed, and save the record of each `fit` in a folder."""
    fits: list[FitEntry] = []
    start, places = time.time(), list(dict.fromkeys([Path.cwd(), request.script.resolve().parent]))
    keras.utils.set_random_seed(seed)
    with ExitStack() as stack:
        files = stack.enter_context(noting_files(folder, named_files(request.script, places)))
        calls = stack.enter_context(seed_calls())
        sites = stack.enter_context(noting_compile()) if request.remedies else Sites()
        if request.remedies or request.has_checks:
            stack.enter_context(remembering_compile())
        remedies = FitRemedies(request.remedies, request.fit, request.has_checks, sites)

        def keep(diagnosis: Diagnosis) -> None:
            if diagnosis.is_recorded:
                save_arrays(Recorder.without_logs(diagnosis.history), folder / f"{len(fits)}.nc")
                notes, reasons = list(diagnosis.verdict.notes), dict(remedies.reasons())
                fits.append(FitEntry(diagnosis.model.name, remedies.number, notes, reasons))

        stack.callback(
            lambda: save_text(
                _entry_text(fits, bool(calls), remedies, use(files, places, start), time.time() - start), folder / FILE
            )
        )
        with suppress(InapplicableError):
            run(request.script, request.arguments, keep, request.learned, remedies)


def _entry_text(
    fits: Sequence[FitEntry], sets_its_seed: bool, remedies: FitRemedies, files: FileUse, seconds: float
) -> str:
    entry = RunEntry(
        fits,
        sets_its_seed,
        remedies.change,
        remedies.not_done,
        remedies.source_changes,
        remedies.site,
        files,
        seconds,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        bool(keras.distribution.list_devices("gpu")),
    )
    return RUN_FILE.dump_json(entry).decode()
