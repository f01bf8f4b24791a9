"""The benchmark's files: counts and evidence, which are in git, and the full records of runs, which are not."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pandas as pd

from benchmarks.known_faults.counts import FaultCounts
from benchmarks.known_faults.programs import ALL
from benchmarks.known_faults.runs import Run, TriedRemedies
from benchmarks.reports import LEARNED
from pipeline.diagnosis.evidence import COLUMNS
from pipeline.foundations.files import replacing, save_text
from pipeline.watch.verdict import LAYERS_IN_EVIDENCE

FOLDER: Final = Path(__file__).parent
COUNTS: Final = FOLDER / "results.json"  # a line for each program: `FaultCounts`
TRIES: Final = FOLDER / "tries.json"  # a line for each program: list of `TriedRemedies`
EVIDENCE: Final = FOLDER / "evidence.csv"  # a row for each failing run that the diagnosis does not call learned
RECORDS: Final = FOLDER / "records"  # a file for each program: list of `Run`; ignored by git


def save_runs(name: str, runs: Sequence[Run]) -> None:
    """Write the records of a program and its twin, and renew the counts and the evidence."""
    save_text(json.dumps(runs), RECORDS / f"{name}.json")
    counts = vars(FaultCounts.of(ALL[name], runs)).items()
    _save_lines({**_load_lines(COUNTS), name: {key: value for key, value in counts if key != "program"}}, COUNTS)
    before = load_evidence()
    tables = [before[before.program != name], _evidence_of(name, runs)]
    table = pd.concat([each for each in tables if len(each)] or tables).sort_values(["program", "seed"])
    with replacing(EVIDENCE) as path:
        table.to_csv(path, index=False, float_format="%.4g")


def load_counts(names: Iterable[str] = ALL) -> list[FaultCounts]:
    """Return the last counts of these programs; a program without any is left out."""
    counts = _load_lines(COUNTS)
    return [FaultCounts(program=ALL[name], **counts[name]) for name in names if name in counts]


def load_evidence() -> pd.DataFrame:
    """Return the evidence of the last failing runs: `program`, `seed`, `is_judged`, and COLUMNS of the diagnosis.

    A layer, of which rules ask only whether there is one, is 1.
    """
    columns = ["program", "seed", "is_judged", *COLUMNS]
    known = pd.read_csv(EVIDENCE) if EVIDENCE.exists() else pd.DataFrame()
    return known.reindex(columns=columns)  # evidence that is newer than the runs is unknown


def load_records(name: str) -> list[Run]:
    """Return the records of a program's last runs on this machine; none where it did not run here."""
    path = RECORDS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def save_tries(name: str, tries: Sequence[TriedRemedies]) -> None:
    """Write the results of a program's remedies."""
    _save_lines({**_load_lines(TRIES), name: [asdict(each) for each in tries]}, TRIES)


def load_tries() -> dict[str, list[TriedRemedies]]:
    """Return the last results of remedies by program."""
    return {
        name: [TriedRemedies(**{**each, "remedies": tuple(each["remedies"])}) for each in tries]
        for name, tries in _load_lines(TRIES).items()
    }


def _evidence_of(name: str, runs: Iterable[Run]) -> pd.DataFrame:
    failing = (run for run in runs if not run["repaired"] and not run["is_good"] and run["outcome"] != LEARNED)
    rows = [
        {
            "program": name,
            "seed": run["seed"],
            "is_judged": run["outcome"] is not None,
            **_as_numbers(run["evidence"]),
        }
        for run in failing
    ]
    return pd.DataFrame(rows, columns=["program", "seed", "is_judged", *COLUMNS])


def _as_numbers(evidence: Mapping[str, Any]) -> dict[str, float]:
    numbers = {key: value for key, value in evidence.items() if key in COLUMNS}  # texts, such as names, are no columns
    return {key: 1.0 if key in LAYERS_IN_EVIDENCE else float(value) for key, value in numbers.items()}


def _save_lines(by_program: Mapping[str, Any], path: Path) -> None:
    """Write a line for each program."""
    lines = [f"{json.dumps(name)}: {json.dumps(by_program[name])}" for name in sorted(by_program)]
    save_text("{\n" + ",\n".join(lines) + "\n}\n", path)


def _load_lines(path: Path) -> dict[str, Any]:
    """Return the content by program; programs that no longer exist are left out."""
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {name: each for name, each in content.items() if name in ALL}
