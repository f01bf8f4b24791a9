"""Trains a program and its repaired twin, watched, and keeps what the diagnosis says."""

import math
import time
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from sklearn.metrics import accuracy_score, balanced_accuracy_score, r2_score

from benchmarks.known_faults.program import Data, Program
from benchmarks.known_faults.programs import ALL
from pipeline import Diagnosis

LEARNED, NOT_LEARNED = "learned", "not_learned"
Run = dict[str, Any]


def runs_of(name: str, seeds: Iterable[int]) -> list[Run]:
    """Of the faulty program and its twin, one for each seed."""
    return [watched(ALL[name], repaired, seed) for repaired in (False, True) for seed in seeds]


def watched(program: Program, repaired: bool, seed: int) -> Run:
    """A training, and what its diagnosis says."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    began = time.perf_counter()
    data = program.data(repaired)
    diagnosis = Diagnosis(data.x, data.y, learned=program.learned)
    model = fitted(program, data, repaired, diagnosis)
    scores = scores_of(program, model, data)
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
        "seconds": round(time.perf_counter() - began, 2),
    }


def fitted(program: Program, data: Data, repaired: bool, *callbacks: keras.callbacks.Callback) -> keras.Model:
    """The model, trained."""
    model = program.model(repaired)
    model.fit(
        data.x,
        data.y,
        batch_size=program.batch_size,
        epochs=program.epochs,
        validation_data=None if data.x_validation is None else (data.x_validation, data.y_validation),
        callbacks=list(callbacks),
        verbose=0,
    )
    return model


def scores_of(program: Program, model: keras.Model, data: Data) -> dict[str, float]:
    """Of its predictions, on the part of the data that is judged. What is not a number is a wrong answer."""
    inputs, targets = data.judged
    predicted = np.asarray(model.predict(inputs, verbose=0))
    if "r2" in program.learned:
        finite = bool(np.isfinite(predicted).all())
        return {"r2": float(r2_score(targets, predicted)) if finite else -math.inf}
    labels = targets.argmax(axis=1) if targets.ndim == 2 and targets.shape[1] > 1 else targets.reshape(-1)
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
    """As JSON can hold it: what is not finite by its name."""
    return {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in numbers.items()
    }
