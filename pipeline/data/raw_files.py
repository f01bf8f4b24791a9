"""Write and read the files of the stage `generate`: the raw rows and their description."""

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from pipeline.data.split.samples import ColumnKind, RawData, Stored, StoredTask
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import reading, save_text
from pipeline.foundations.formats import load_rows, rows_path, save_rows

RAW = Path("data/raw")
POINTS = RAW / "points"  # the suffix depends on the format
DESCRIPTION = RAW / "points.json"


class RawFile(Stored):
    """The content of the file DESCRIPTION.

    targets: the names of the target columns.
    kinds, fills, filled: as in `RawData`; the file has `filled` only if values were missing.
    """

    task: StoredTask
    targets: tuple[str, ...]
    kinds: dict[str, ColumnKind]
    fills: dict[str, float | str]
    filled: dict[str, int] = Field({})


def save_raw(raw: RawData) -> None:
    """Write the raw rows (one per sample, features before targets) and their description."""
    save_rows(raw.features, _target_table(raw), POINTS)
    description = RawFile(task=raw.task, targets=raw.target_names, kinds=raw.kinds, fills=raw.fills, filled=raw.filled)
    save_text(description.model_dump_json(indent=2, exclude_defaults=True) + "\n", DESCRIPTION)


def load_raw() -> RawData:
    """Read the raw rows.

    Raises:
        UserError: a file is missing, damaged, or not as `generate` writes it.
    """
    with reading(DESCRIPTION, "a description of rows as `generate` writes it"):
        description = RawFile.model_validate_json(DESCRIPTION.read_bytes())
    texts = [name for name, kind in description.kinds.items() if kind == "category"]
    labels = [*description.targets] if description.task.is_classification else []
    features, targets = load_rows(POINTS, [*description.targets], [*texts, *labels])
    path = rows_path(POINTS)
    with reading(path, "numbers and classes as `generate` writes them"):
        raw = RawData(
            features,
            _targets(targets, description.task),
            description.task,
            description.kinds,
            description.fills,
            description.targets,
            description.filled,
        )
        if len(features) != len(raw.targets):
            raise ValueError(f"{len(features)} rows of features, {len(raw.targets)} of targets")
        for _, kind, values in raw.columns:
            if kind != "category":
                _expect_finite(values.to_numpy(), path)
        if isinstance(features, np.ndarray):
            _expect_finite(features.reshape(len(features), -1).sum(axis=1, dtype=np.float64), path)
        if not raw.task.is_classification:
            _expect_finite(raw.targets.sum(axis=1), path)
    return raw


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
