"""Trains a program and its repaired twin, watched, and keeps what the diagnosis says."""

import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from sklearn.metrics import accuracy_score, balanced_accuracy_score, r2_score

from benchmarks.known_faults.looks import curves, said_by_tools
from benchmarks.known_faults.program import Data, Program
from benchmarks.known_faults.programs import ALL
from pipeline import Diagnosis
from pipeline.diagnosis.causes import network_remedies
from pipeline.remedies import combined
from pipeline.remedies.keras_compile import remembering_compile
from pipeline.remedies.keras_remedies import apply
from pipeline.remedies.trial import TRAIN, InapplicableError, Trial

LEARNED, NOT_LEARNED = "learned", "not_learned"
Run = dict[str, Any]
Try = dict[str, Any]


def runs_of(name: str, seeds: Iterable[int]) -> list[Run]:
    """Of the faulty program and its twin, one for each seed."""
    return [watched(ALL[name], repaired, seed) for repaired in (False, True) for seed in seeds]


def tries_of(name: str, cause: str, seeds: Sequence[int]) -> list[Try]:
    """Of the faulty program with what is suggested against its cause, as `pipeline.watch --try` goes on from there."""
    found: list[Try] = []
    done: combined.Remedies = ()
    for _ in range(combined.ROUNDS):
        further = combined.further(done, network_remedies(cause), _done(found))
        these = [_tried(ALL[name], more, cause, seeds) for more in further]
        found += these
        results = [combined.Result(learned(each["runs"]), len(seeds), _cause(each["runs"])) for each in these]
        place = combined.to_follow([cause], results)
        if place is None:
            break
        done, cause = tuple(these[place]["remedies"]), str(results[place].cause)
    return found


def _done(tries: Sequence[Try]) -> list[combined.Remedies]:
    return [tuple(each["remedies"]) for each in tries]


def _tried(program: Program, remedies: combined.Remedies, cause: str, seeds: Sequence[int]) -> Try:
    """Remedies, the cause that the last of them is against, and a run for each seed; none where it cannot be done."""
    runs, not_done = [], None
    try:
        for seed in seeds:
            run = watched(program, repaired=False, seed=seed, remedies=remedies)
            runs.append({key: run[key] for key in ("seed", "outcome", "cause", "seconds")})
    except InapplicableError as error:
        not_done = str(error)
    return {"remedies": list(remedies), "cause": cause, "runs": runs, "not_done": not_done}


def learned(runs: Sequence[Run]) -> int:
    """How many."""
    return sum(run["outcome"] == LEARNED for run in runs)


def _cause(runs: Sequence[Run]) -> str | None:
    """Of most that did not learn."""
    causes = Counter(run["cause"] for run in runs if run["outcome"] != LEARNED and run["cause"] is not None)
    return causes.most_common(1)[0][0] if causes else None


def watched(program: Program, repaired: bool, seed: int, remedies: Sequence[str] = ()) -> Run:
    """A training, and what its diagnosis says.

    Raises:
        InapplicableError: a remedy cannot be done.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    began = time.perf_counter()
    with remembering_compile():
        trial = trial_of(program, repaired)
        if remedies:
            apply(remedies, trial)
    data = Data(*trial.parts[TRAIN], *trial.parts.get("validation", ()))
    diagnosis = Diagnosis(data.x, data.y, learned=program.learned)
    fit(trial.model, data, diagnosis, **trial.arguments)
    scores = scores_of(program, trial.model, data)
    return {
        "repaired": repaired,
        "seed": seed,
        "outcome": diagnosis.outcome or outcome(program, scores),
        "told": diagnosis.outcome is not None,
        "cause": diagnosis.cause,
        "symptoms": list(diagnosis.verdict.symptoms),
        "evidence": plain(diagnosis.evidence),
        "scores": plain(scores),
        "notes": list(diagnosis.verdict.notes),
        "tools": said_by_tools(trial.model, diagnosis.history, data.x),
        "curves": curves(diagnosis.history),
        "seconds": round(time.perf_counter() - began, 2),
    }


def trial_of(program: Program, repaired: bool) -> Trial:
    """What is to be trained."""
    data = program.data(repaired)
    parts = {TRAIN: (data.x, data.y)}
    if data.x_validation is not None:
        parts["validation"] = (data.x_validation, data.y_validation)
    arguments = {"epochs": program.epochs, "batch_size": program.batch_size}
    return Trial(program.model(repaired), parts, arguments, may_rebuild=True)


def fit(model: keras.Model, data: Data, *callbacks: keras.callbacks.Callback, **arguments: Any) -> None:
    """Train the model."""
    validation = None if data.x_validation is None else (data.x_validation, data.y_validation)
    model.fit(data.x, data.y, validation_data=validation, callbacks=list(callbacks), verbose=0, **arguments)


def scores_of(program: Program, model: keras.Model, data: Data) -> dict[str, float]:
    """Of its predictions, on the part of the data that is judged. What is not a number is a wrong answer."""
    inputs, targets = data.judged
    predicted = np.asarray(model.predict(inputs, verbose=0))
    if "r2" in program.learned:
        finite = bool(np.isfinite(predicted).all())
        return {"r2": float(r2_score(targets, predicted)) if finite else -math.inf}
    labels = targets.argmax(axis=1) if targets.ndim == 2 and targets.shape[1] > 1 else targets.reshape(-1)
    if (labels != np.round(labels)).any():  # a remedy has made numbers of them
        return {"accuracy": 0.0, "balanced_accuracy": 0.0}
    guessed = predicted.argmax(axis=1) if predicted.shape[1] > 1 else (predicted[:, 0] > 0.5).astype(int)
    return {
        "accuracy": float(accuracy_score(labels, guessed)),
        "balanced_accuracy": float(balanced_accuracy_score(labels, guessed)),
    }


def outcome(program: Program, scores: dict[str, float]) -> str:
    """By the program's own rule."""
    ((score, threshold),) = program.learned.items()
    return LEARNED if scores[score] > threshold else NOT_LEARNED


def plain(numbers: dict[str, Any]) -> dict[str, Any]:
    """As JSON can hold it, in short: what is not finite by its name, and what there is not left out."""

    def short(value: Any) -> Any:
        if not isinstance(value, float):
            return value
        return float(f"{value:.4g}") if math.isfinite(value) else str(value)

    return {name: short(value) for name, value in numbers.items() if value is not None}
