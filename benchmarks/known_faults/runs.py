"""Train a program or its repaired twin under `Diagnosis`, and record what the diagnosis reports."""

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import keras
import numpy as np
from sklearn.metrics import accuracy_score, balanced_accuracy_score, r2_score

from benchmarks.known_faults.looks import curves, tool_symptoms
from benchmarks.known_faults.program import LOGGED, Program, ProgramData
from benchmarks.known_faults.programs import ALL
from benchmarks.reports import Report, fit_watched
from pipeline import Diagnosis
from pipeline.diagnosis.causes import network_remedies
from pipeline.remedies import combined
from pipeline.remedies.on_keras.keras_compile import remembering_compile
from pipeline.remedies.on_keras.keras_remedies import apply
from pipeline.remedies.on_keras.trial import TRAIN, InapplicableError, Trial


class Run(TypedDict):
    """The record of a run.

    is_good: whether the model learned by the program's own yardstick.
    outcome, cause, notices: of the diagnosis.
    tools: symptoms by known tool. seconds: time of the whole run.
    """

    repaired: bool
    seed: int
    is_good: bool
    outcome: str | None
    cause: str | None
    notices: list[str]
    symptoms: list[str]
    evidence: dict[str, Any]
    scores: dict[str, Any]
    notes: list[str]
    tools: dict[str, list[str]]
    curves: dict[str, list[Any]]
    seconds: float


@dataclass(frozen=True)
class TriedRemedies:
    """A program's failing seeds with one or more remedies.

    cause: the cause that the last remedy is suggested against.
    learned: how many of the runs learned; 0 of 0 where the remedies cannot be applied.
    next_cause: the cause of most runs that did not learn.
    obstacle: why the remedies cannot be applied.
    """

    remedies: tuple[str, ...]
    cause: str
    learned: int
    runs: int
    next_cause: str | None = None
    obstacle: str | None = None


def runs_of(name: str, seeds: Iterable[int]) -> list[Run]:
    """Run a faulty program and its twin, once for each seed."""
    return [watched_run(ALL[name], is_repaired, seed) for is_repaired in (False, True) for seed in seeds]


def try_remedies(name: str, cause: str, seeds: Sequence[int]) -> list[TriedRemedies]:
    """Run a faulty program with the remedies against its cause, and combine them as `pipeline.watch --try` does."""
    tried: list[TriedRemedies] = []
    kept: combined.Remedies = ()
    for _ in range(combined.ROUNDS):
        candidates = combined.further(kept, network_remedies(cause), [each.remedies for each in tried])
        trials = [_try(ALL[name], remedies, cause, seeds) for remedies in candidates]
        tried += trials
        results = [combined.Result(each.learned, len(seeds), each.next_cause) for each in trials]
        place = combined.to_follow([cause], results)
        if place is None:
            break
        kept, cause = trials[place].remedies, str(trials[place].next_cause)
    return tried


def _try(program: Program, remedies: combined.Remedies, cause: str, seeds: Sequence[int]) -> TriedRemedies:
    try:
        runs = [watched_run(program, is_repaired=False, seed=seed, remedies=remedies) for seed in seeds]
    except InapplicableError as error:
        return TriedRemedies(remedies, cause, 0, 0, obstacle=str(error))
    failing = [run for run in runs if not run["is_good"]]
    causes = Counter(run["cause"] for run in failing if run["cause"] is not None)
    next_cause = causes.most_common(1)[0][0] if causes else None
    return TriedRemedies(remedies, cause, len(runs) - len(failing), len(runs), next_cause)


def watched_run(program: Program, is_repaired: bool, seed: int, remedies: Sequence[str] = ()) -> Run:
    """Train once under `Diagnosis`, and return the record.

    Raises:
        InapplicableError: a remedy cannot be applied.
    """
    start = time.perf_counter()
    trial, data = prepared(program, is_repaired, seed, remedies)
    diagnosis = Diagnosis(data.x, data.y, learned=None if LOGGED in program.learned else program.learned)
    fit_watched(trial.model, arguments_of_fit(trial, data), diagnosis)
    scores, report = scores_of(program, trial.model, data), Report.of(diagnosis)
    return {
        "repaired": is_repaired,
        "seed": seed,
        "is_good": is_good(program, scores),
        "outcome": report.outcome,
        "cause": report.cause,
        "notices": list(report.notices),
        "symptoms": list(diagnosis.verdict.symptoms),
        "evidence": as_json(diagnosis.evidence),
        "scores": as_json(scores),
        "notes": list(diagnosis.verdict.notes),
        "tools": tool_symptoms(trial.model, diagnosis.history, data.x),
        "curves": curves(diagnosis.history),
        "seconds": round(time.perf_counter() - start, 2),
    }


def unwatched_scores(name: str, seeds: Iterable[int]) -> tuple[list[float], list[float]]:
    """Train a program and its twin without the callback, once for each seed; return the scores of their yardstick."""

    def score(is_repaired: bool, seed: int) -> float:
        trial, data = prepared(ALL[name], is_repaired, seed)
        fit_watched(trial.model, arguments_of_fit(trial, data), None)
        (yardstick,) = ALL[name].learned
        return scores_of(ALL[name], trial.model, data)[yardstick]

    faulty, repaired = ([score(is_repaired, seed) for seed in seeds] for is_repaired in (False, True))
    return faulty, repaired


def prepared(program: Program, is_repaired: bool, seed: int, remedies: Sequence[str] = ()) -> tuple[Trial, ProgramData]:
    """Return a trial with the remedies, and its data.

    Raises:
        InapplicableError: a remedy cannot be applied.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    with remembering_compile():
        trial = trial_of(program, is_repaired)
        if remedies:
            apply(remedies, trial)
    return trial, ProgramData(*trial.parts[TRAIN], *trial.parts.get("validation", ()))


def trial_of(program: Program, is_repaired: bool) -> Trial:
    """Build the program's model, data and arguments of `fit`, to which remedies can be applied."""
    data = program.data(is_repaired)
    parts = {TRAIN: (data.x, data.y)}
    if data.x_validation is not None:
        parts["validation"] = (data.x_validation, data.y_validation)
    arguments = {"epochs": program.epochs, "batch_size": program.batch_size, **program.fit(is_repaired)}
    return Trial(program.model(is_repaired), parts, arguments, may_rebuild=True)


def arguments_of_fit(trial: Trial, data: ProgramData) -> dict[str, Any]:
    """Return all arguments of `fit`; those of the trial replace the usual ones."""
    usual: dict[str, Any] = {"x": data.x, "y": data.y}
    if data.x_validation is not None and "validation_split" not in trial.arguments:
        usual["validation_data"] = (data.x_validation, data.y_validation)
    return usual | trial.arguments


def scores_of(program: Program, model: keras.Model, data: ProgramData) -> dict[str, float]:
    """Return the scores of the model's predictions on the judged rows; a NaN counts as a wrong prediction."""
    if LOGGED in program.learned:
        return {LOGGED: logged_metric(model)}
    inputs, targets = data.judged
    predictions = np.asarray(model.predict(inputs, batch_size=program.batch_size, verbose=0))
    if "r2" in program.learned:
        is_finite = bool(np.isfinite(predictions).all())
        return {"r2": float(r2_score(targets, predictions)) if is_finite else -math.inf}
    labels = targets.argmax(axis=1) if targets.ndim == 2 and targets.shape[1] > 1 else targets.reshape(-1)
    if (labels != np.round(labels)).any():  # a remedy has scaled the labels
        return {"accuracy": 0.0, "balanced_accuracy": 0.0}
    classes = predictions.argmax(axis=1) if predictions.shape[1] > 1 else (predictions[:, 0] > 0.5).astype(int)
    return {
        "accuracy": float(accuracy_score(labels, classes)),
        "balanced_accuracy": float(balanced_accuracy_score(labels, classes)),
    }


def logged_metric(model: keras.Model) -> float:
    """Return the model's one compiled metric as `fit` logged it last, on validation rows where there are any."""
    values = model.history.history
    name = next(name for name in values if not name.startswith("val_") and name not in ("loss", "learning_rate"))
    return float(values.get(f"val_{name}", values[name])[-1])


def is_good(program: Program, scores: Mapping[str, float]) -> bool:
    """Return whether the model learned by the program's own yardstick."""
    ((score, threshold),) = program.learned.items()
    return scores[score] > threshold


def report_of(run: Run) -> Report:
    """Return what the diagnosis reported about a run."""
    return Report(run["outcome"], run["cause"], tuple(run["notices"]))


def as_json(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Round numbers to four digits and spell NaN and infinity, which JSON lacks; None is left out."""

    def short(value: Any) -> Any:
        if not isinstance(value, float):
            return value
        return float(f"{value:.4g}") if math.isfinite(value) else str(value)

    return {name: short(value) for name, value in numbers.items() if value is not None}
