"""How much the counts owe to the thresholds: each of them halved and doubled, and one kind of fault left out.

The evidence is that of the last results; nothing is trained.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.known_faults.counts import Counted
from pipeline.diagnosis.causes import diagnose
from pipeline.diagnosis.evidence import COLUMNS
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.shipped import shipped
from pipeline.watch.verdict import LAYERS_IN_EVIDENCE

FACTORS: Final = (0.5, 2.0)
AS_SHIPPED: Final = "as shipped"


def settings() -> Iterator[tuple[str, DiagnosisParams]]:
    """The shipped thresholds, and with each one halved and doubled, where that is allowed."""
    own = DiagnosisParams.model_validate(shipped()["diagnosis"])
    yield AS_SHIPPED, own
    for name, value in own.model_dump().items():
        for factor in FACTORS:
            try:
                yield f"{name} x {factor:g}", DiagnosisParams.model_validate(own.model_dump() | {name: factor * value})
            except ValueError:
                continue


def right(counted: Sequence[Counted], params: DiagnosisParams) -> dict[str, bool]:
    """By program with a failing run, whether most of these have a cause that is right."""
    found = {}
    for each in counted:
        if each.failing:
            causes = diagnose(np.zeros(len(each.failing), bool), _evidence(each), params).cause
            known = [cause if run["told"] else None for cause, run in zip(causes, each.failing, strict=True)]
            found[each.program.name] = 2 * sum(cause in each.program.right for cause in known) > len(known)
    return found


def _evidence(counted: Counted) -> pd.DataFrame:
    """Of the failing runs; a layer, which a rule asks only whether there is one, as 1."""
    rows = [{name: _number(name, value) for name, value in run["evidence"].items()} for run in counted.failing]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(float)


def _number(name: str, value: object) -> float:
    return 1.0 if name in LAYERS_IN_EVIDENCE else float(value)  # type: ignore[arg-type]


def tables(counted: Sequence[Counted]) -> tuple[Table, Table]:
    """What each setting costs; and for each kind, what settings that are as good on all others do to it."""
    found = {name: right(counted, params) for name, params in settings()}
    moved = Table("threshold", "programs named right", title="Thresholds halved and doubled, one at a time")
    own = sum(found[AS_SHIPPED].values())
    moved.add_row(AS_SHIPPED, f"{own} of {len(found[AS_SHIPPED])}")
    for name, each in found.items():
        if sum(each.values()) != own:
            moved.add_row(name, str(sum(each.values())))
    moved.add_row(f"the other {sum(sum(each.values()) == own for each in found.values()) - 1}", str(own))
    left_out = Table("kind left out", "settings as good on the others", "right of it, least to most, as shipped")
    kinds = {each.program.name: each.program.kind for each in counted if each.failing}
    for kind in sorted(set(kinds.values())):
        inside = [name for name in kinds if kinds[name] == kind]
        outside = [name for name in kinds if kinds[name] != kind]
        best = max(_count(each, outside) for each in found.values())
        good = [_count(each, inside) for each in found.values() if _count(each, outside) == best]
        shown = f"{min(good)} to {max(good)} of {len(inside)}; {_count(found[AS_SHIPPED], inside)}"
        left_out.add_row(kind, f"{len(good)} of {len(found)}", shown)
    return moved, left_out


def _count(found: Mapping[str, bool], names: Sequence[str]) -> int:
    return sum(found[name] for name in names)
