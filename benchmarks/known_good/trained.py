"""Training a known-good program with or without the callback, and the table of what came of it."""

import gc
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from benchmarks.known_good.good_program import GoodProgram
from benchmarks.reports import Report, fit_watched
from pipeline import Diagnosis

RESULTS = Path(__file__).with_name("results.json")
Row = dict[str, Any]


def rows(programs: Iterable[GoodProgram], seeds: Iterable[int], is_watched: bool = True) -> Iterator[Row]:
    """Yield a row for each program and seed."""
    seeds = list(seeds)
    for program in programs:
        for seed in seeds:
            yield trained(program, seed, is_watched)


def trained(program: GoodProgram, seed: int, is_watched: bool = True) -> Row:
    """Return what became of one training.

    Returns:
        Name, kind, seed; score and baseline on the same held-out rows and whether the program is good by them; the
        callback's outcome, cause, notices, symptoms, headline and notes; the processor seconds of `fit` (the wall clock
        of a shared machine says little); the error where one was raised.
    """
    row: Row = {"name": program.name, "kind": program.kind, "seed": seed}
    keras.utils.set_random_seed(seed)
    try:
        prepared = program.build(seed)
        prepared.before()
        diagnosis = Diagnosis(*prepared.rows) if is_watched else None
        began = time.process_time()
        fit_watched(prepared.model, prepared.fit, diagnosis)
        row["seconds"] = round(time.process_time() - began, 1)
        score, baseline = prepared.score(), prepared.baseline()
        is_good = program.expected.is_met(score, baseline)
        row |= {"score": round(score, 3), "baseline": round(baseline, 3), "is_good": bool(is_good)}
        if diagnosis is not None:
            verdict = diagnosis.verdict
            report = Report.of(diagnosis)
            row |= {"outcome": report.outcome, "cause": report.cause, "notices": list(report.notices)}
            row |= {"symptoms": list(verdict.symptoms)}
            row |= {"says": verdict.headline, "notes": list(verdict.notes)}
    except Exception as error:  # a row of the table like any other: the next program still trains
        row["error"] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    finally:
        keras.config.set_dtype_policy("float32")
        keras.utils.clear_session()
        gc.collect()
    return row


def table(results: Sequence[Row]) -> str:
    """Return the rows as lines of text: name, seed, score and baseline, seconds, outcome, cause and symptoms."""
    lines = []
    for row in results:
        line = f"{row['name']:26} {row['seed']}"
        if "error" in row:
            lines.append(f"{line}  {row['error']}")
            continue
        good = "good" if row["is_good"] else "NOT GOOD"
        line += f"  {row['score']:6.3f} (baseline {row['baseline']:6.3f}, {good}) {row['seconds']:5.1f} s"
        if "outcome" in row:
            line += f"  {row['outcome'] or 'no outcome'}  {row['cause'] or ''}  [{', '.join(row['symptoms'])}]"
        lines.append(line)
    return "\n".join(lines)


def sums(results: Sequence[Row]) -> str:
    """Return how many trainings were good, named faulty, left without an outcome, or ended by an error."""
    good = [row for row in results if row.get("is_good")]
    groups = {
        "not good by their own yardstick": [row for row in results if not row.get("is_good", True)],
        "good, and named faulty": [row for row in good if row.get("cause")],
        "good, with a notice": [row for row in good if row.get("notices")],
        "good, without an outcome": [row for row in good if "outcome" in row and row["outcome"] is None],
        "ended by an error": [row for row in results if "error" in row],
    }
    lines = [f"{len(results)} trainings of {len({row['name'] for row in results})} programs; {len(good)} good"]
    for what, group in groups.items():
        names = ", ".join(sorted({row["name"] for row in group}))
        lines.append(f"{what}: {len(group)}" + (f" ({names})" if names else ""))
    return "\n".join(lines)
