"""What `generate` leaves: the raw rows, and what they are."""

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from pipeline.data.split.samples import ColumnKind, RawData, Stored
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import reading, save_text
from pipeline.foundations.formats import load_rows, rows_path, save_rows

RAW = Path("data/raw")
POINTS = RAW / "points"  # with the suffix of how they are kept
DESCRIBED = RAW / "points.json"


class RawFile(Stored):
    """What DESCRIBED holds. targets: the names of the targets' columns. filled: left out where nothing was missing."""

    task: Task
    targets: tuple[str, ...]
    kinds: dict[str, ColumnKind]
    fills: dict[str, float | str]
    filled: dict[str, int] = Field({})


def save_raw(raw: RawData) -> None:
    """One row per sample: its features under their names, then its class or target values."""
    save_rows(raw.features, _target_table(raw), POINTS)
    described = RawFile(task=raw.task, targets=raw.target_names, kinds=raw.kinds, fills=raw.fills, filled=raw.filled)
    save_text(described.model_dump_json(indent=2, exclude_defaults=True) + "\n", DESCRIBED)


def load_raw() -> RawData:
    """Raises: UserError: missing, damaged, or not what `generate` writes."""
    with reading(DESCRIBED, "what `generate` writes"):
        found = RawFile.model_validate_json(DESCRIBED.read_bytes())
    texts = [name for name, kind in found.kinds.items() if kind == "category"]
    labels = [*found.targets] if found.task.is_classification else []
    features, targets = load_rows(POINTS, [*found.targets], [*texts, *labels])
    path = rows_path(POINTS)
    with reading(path, "numbers and classes as `generate` writes them"):
        values = _targets(targets, found.task)
        if isinstance(features, pd.DataFrame):
            for name, kind in found.kinds.items():
                if kind != "category":
                    _expect_finite(features[name].to_numpy(), path)
        return RawData(features, values, found.task, found.kinds, found.fills, found.targets, found.filled)


def _target_table(raw: RawData) -> pd.DataFrame:
    if raw.task.is_classification:
        return pd.DataFrame({raw.target_names[0]: pd.Categorical.from_codes(raw.targets, raw.task.names)})
    return pd.DataFrame(raw.targets, columns=list(raw.target_names))


def _targets(table: pd.DataFrame, task: Task) -> np.ndarray:
    if not task.is_classification:
        return table.to_numpy(np.float64)
    labels = pd.Categorical(table.iloc[:, 0], categories=list(task.names)).codes.astype(np.int64)
    if (labels < 0).any():
        raise ValueError(f"row {int(labels.argmin()) + 1}: no class")
    return labels


def _expect_finite(values: np.ndarray, path: Path) -> None:
    broken = np.flatnonzero(~np.isfinite(values))
    if len(broken):
        raise UserError(f"{path}: line {broken[0] + 2}: every number must be finite; `dvc repro` makes it again")
