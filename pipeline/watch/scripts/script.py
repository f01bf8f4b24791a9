"""Run a script and watch every `fit` in it: once in this process, or from several seeds in other processes."""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
from pydantic import TypeAdapter

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import save_text
from pipeline.foundations.formats import load_arrays, save_arrays
from pipeline.foundations.untyped import FitKeywords
from pipeline.history.record import OPTIONAL, REQUIRED
from pipeline.recorder.recorder import Recorder
from pipeline.remedies import combined
from pipeline.remedies.on_keras.keras_compile import remembering_compile
from pipeline.remedies.on_keras.trial import InapplicableError
from pipeline.watch.arguments import Learned
from pipeline.watch.autolog import arrays, watch_every_fit
from pipeline.watch.callback import Diagnosis
from pipeline.watch.for_machines.replicas_report import fit_of_replicas
from pipeline.watch.for_machines.report_output import ReportOutput
from pipeline.watch.scripts.fit_remedies import FitRemedies
from pipeline.watch.scripts.run_progress import RunProgress
from pipeline.watch.scripts.script_replicas import IDENTICAL, FitRecord, FitSummary, are_identical, page, summary
from pipeline.watch.scripts.seed_calls import seed_calls

FILE = "fits.json"  # the file that a run writes beside its records


@dataclass(frozen=True)
class RunRequest:
    """One run of a script.

    remedies: the names of the remedies to apply.
    fit: the number of the `fit` to which the remedies are applied, from 0.
    has_checks: whether to check after each `fit` which further remedies cannot be applied to it.
    """

    script: Path
    arguments: Sequence[str]
    learned: Learned
    remedies: Sequence[str] = ()
    fit: int = 0
    has_checks: bool = False


@dataclass(frozen=True)
class RunResult:
    """The results of one run.

    fits: the records, in order.
    change: what the remedies changed, in words.
    not_done: why a remedy could not be applied.
    """

    fits: Sequence[FitRecord]
    change: str | None
    not_done: str | None


@dataclass(frozen=True)
class _FitEntry:
    """A `fit` in the file of a run; its record is the file `<place in the list>.nc` beside this file."""

    name: str
    number: int
    notes: Sequence[str]
    reasons: Mapping[str, str]


@dataclass(frozen=True)
class _RunEntry:
    """The contents of the file of a run."""

    fits: Sequence[_FitEntry]
    sets_its_seed: bool
    change: str | None
    not_done: str | None


_RUN_FILE = TypeAdapter(_RunEntry)


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
        Every error of the script, also `SystemExit`.
    """
    undo = watch_every_fit(lambda model, arguments: Diagnosis(*arrays(arguments), learned=learned), on_end, change)
    before, path = sys.argv, sys.path[0]
    sys.argv, sys.path[0] = [str(script), *arguments], str(script.resolve().parent)
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv, sys.path[0] = before, path
        undo()


def run_replica(request: RunRequest, seed: int, folder: Path) -> None:
    """Run the script from a seed, and save the record of each `fit` in a folder."""
    fits: list[_FitEntry] = []
    remedies = FitRemedies(request.remedies, request.fit, request.has_checks)

    def keep(diagnosis: Diagnosis) -> None:
        if diagnosis.is_recorded:
            save_arrays(Recorder.without_logs(diagnosis.history), folder / f"{len(fits)}.nc")
            notes, reasons = list(diagnosis.verdict.notes), dict(remedies.reasons())
            fits.append(_FitEntry(diagnosis.model.name, remedies.number, notes, reasons))

    keras.utils.set_random_seed(seed)
    with (
        seed_calls() as calls,
        remembering_compile() if request.remedies or request.has_checks else nullcontext(),
        suppress(InapplicableError),
    ):
        try:
            run(request.script, request.arguments, keep, request.learned, remedies)
        finally:
            entry = _RunEntry(fits, bool(calls), remedies.change, remedies.not_done)
            save_text(_RUN_FILE.dump_json(entry).decode(), folder / FILE)


def run_replicas(
    script: Path, arguments: Sequence[str], learned: Learned, replicas: int, report: Path, output: ReportOutput
) -> int:
    """Run the script from several seeds, print the outcome of each `fit`, write the page, and return the exit code.

    Raises:
        UserError: a run failed or trained nothing, or all runs are identical.
    """
    summaries = run_unchanged(RunRequest(script, arguments, learned), replicas, report)
    save_text(page(script.name, summaries), report)
    print(f"report: {report}")
    return output.end("replicas", script, arguments, [fit_of_replicas(each) for each in summaries])


def run_unchanged(request: RunRequest, replicas: int, report: Path) -> list[FitSummary]:
    """Run the script without a remedy, and print the outcome of each `fit`.

    Raises:
        UserError: a run failed or trained nothing, or all runs are identical; in the last case the page is written.
    """
    results = run_seeds(request, replicas, RunProgress(replicas))
    summaries = summaries_of(results, request.script, request.learned)
    for each in summaries:
        print(each.text)
    if _are_all_identical(results):
        save_text(page(request.script.name, summaries), report)
        raise UserError(f"{request.script}: {IDENTICAL}")
    return summaries


def run_seeds(request: RunRequest, replicas: int, progress: RunProgress) -> list[RunResult]:
    """Run the script from seeds 0, 1, 2, ..., each in its own process.

    Stops after one run if a remedy cannot be applied, and after two identical runs.

    Raises:
        UserError: a run without remedies failed.
    """
    results: list[RunResult] = []
    remedies = f" with {combined.AND.join(request.remedies)}" if request.remedies else ""
    for seed in range(replicas):
        results.append(_run_seed(request, seed))
        is_last = results[-1].not_done is not None or _are_all_identical(results)
        progress.finished(f"run {seed + 1} of {replicas}{remedies}", replicas - seed - 1 if is_last else 0)
        if is_last:
            break
    return results


def summaries_of(results: Sequence[RunResult], script: Path, learned: Learned) -> list[FitSummary]:
    """Summarise each `fit` over its replicas.

    Raises:
        UserError: no `fit` was recorded.
    """
    fits = _by_number(results)
    if not fits:
        raise UserError(f"{script}: no fit was recorded: must train a Keras model with `fit`")
    return [summary(each, learned) for each in fits.values()]


def _are_all_identical(results: Sequence[RunResult]) -> bool:
    fits = _by_number(results).values()
    return bool(fits) and all(are_identical(each) for each in fits)


def _by_number(results: Sequence[RunResult]) -> dict[int, list[FitRecord]]:
    fits: dict[int, list[FitRecord]] = {}
    for result in results:
        for fit in result.fits:
            fits.setdefault(fit.number, []).append(fit)
    return fits


def _run_seed(request: RunRequest, seed: int) -> RunResult:
    here = str(Path(__file__).resolve().parents[3])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": str(seed)}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        command = [sys.executable, "-m", "pipeline.watch", "--seed", str(seed), "--into", str(folder)]
        command += ["--learned", json.dumps(request.learned)] if request.learned is not None else []
        command += [part for name in request.remedies for part in ("--remedy", name)] + ["--fit", str(request.fit)]
        command += ["--checks"] if request.has_checks and seed == 0 else []  # the result is the same for all seeds
        command += [str(request.script), *request.arguments]
        returncode = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode
        if returncode and request.remedies:
            return RunResult([], None, f"the script fails with this remedy: exit code {returncode} from seed {seed}")
        if returncode:
            raise UserError(f"{request.script}: failed from seed {seed}: exit code {returncode}: see the error above")
        entry = _RUN_FILE.validate_json((folder / FILE).read_bytes())
        fits = [
            FitRecord(
                name=fit.name,
                seed=seed,
                history=load_arrays(folder / f"{place}.nc", REQUIRED, OPTIONAL),
                sets_its_seed=entry.sets_its_seed,
                notes=tuple(fit.notes),
                number=fit.number,
                reasons=fit.reasons,
            )
            for place, fit in enumerate(entry.fits)
        ]
        return RunResult(fits, entry.change, entry.not_done)
