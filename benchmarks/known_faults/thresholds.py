"""How much the counts depend on the thresholds: each one halved and doubled, and one kind of fault left out.

The evidence is that of the last failing runs; nothing is trained.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.known_faults.programs import ALL
from pipeline.diagnosis.causes import diagnose
from pipeline.diagnosis.evidence import COLUMNS
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.shipped import shipped

FACTORS: Final = (0.5, 2.0)
AS_SHIPPED: Final = "as shipped"


def settings() -> Iterator[tuple[str, DiagnosisParams]]:
    """Yield the shipped thresholds, then these with each one halved and doubled, where the value is allowed."""
    shipped_params = DiagnosisParams.model_validate(shipped()["diagnosis"])
    values = shipped_params.model_dump()
    yield AS_SHIPPED, shipped_params
    for name, value in values.items():
        for factor in FACTORS:
            try:
                yield f"{name} x {factor:g}", DiagnosisParams.model_validate(values | {name: factor * value})
            except ValueError:
                continue


def right_by_program(evidence: pd.DataFrame, params: DiagnosisParams) -> dict[str, bool]:
    """Diagnose the failing runs again; return whether most of a program's runs have a cause that is right.

    Args:
        evidence: as `files.load_evidence` returns it.
    """
    causes = diagnose(np.zeros(len(evidence), bool), evidence[list(COLUMNS)].astype(float), params).cause
    is_right = [
        is_judged and cause in ALL[name].right
        for name, is_judged, cause in zip(evidence.program, evidence.is_judged, causes, strict=True)
    ]
    shares = pd.Series(is_right, dtype=float).groupby(evidence.program.values).mean()
    return {str(name): bool(share > 0.5) for name, share in shares.items()}


def tables(evidence: pd.DataFrame) -> tuple[Table, Table]:
    """Return a table of settings that change the count, and a table of kinds of fault that are left out.

    The second shows how many programs of a kind are right under the settings that are best on all other kinds.
    """
    results = {name: right_by_program(evidence, params) for name, params in settings()}
    shipped_results = results[AS_SHIPPED]
    shipped_count = sum(shipped_results.values())
    moved = Table("threshold", "programs named right", title="Thresholds halved and doubled, one at a time")
    moved.add_row(AS_SHIPPED, f"{shipped_count} of {len(shipped_results)}")
    for name, result in results.items():
        if sum(result.values()) != shipped_count:
            moved.add_row(name, str(sum(result.values())))
    unchanged = sum(sum(result.values()) == shipped_count for result in results.values()) - 1
    moved.add_row(f"the other {unchanged}", str(shipped_count))
    left_out = Table("kind left out", "settings best on the others", "right of it: least to most; as shipped")
    kinds = {name: ALL[name].kind for name in shipped_results}
    for kind in sorted(set(kinds.values())):
        inside = [name for name in kinds if kinds[name] == kind]
        outside = [name for name in kinds if kinds[name] != kind]
        most = max(_count(result, outside) for result in results.values())
        counts = [_count(result, inside) for result in results.values() if _count(result, outside) == most]
        shown = f"{min(counts)} to {max(counts)} of {len(inside)}; {_count(shipped_results, inside)}"
        left_out.add_row(kind, f"{len(counts)} of {len(results)}", shown)
    return moved, left_out


def _count(result: Mapping[str, bool], names: Sequence[str]) -> int:
    return sum(result[name] for name in names)
