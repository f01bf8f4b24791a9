"""What `split` leaves: the scaled parts, and how they were made."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data.split.samples import Origin, Samples, Split
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import reading, save_text
from pipeline.foundations.formats import load_rows, precision, rows_path, save_rows

PARTS = Path("data/split")
DESCRIBED = PARTS / "split.json"
LABEL = "label"
RENEW = "`dvc repro` makes it again"


class SplitFile(Origin):
    """What DESCRIBED holds: where the parts come from, and how many rows each has."""

    rows: dict[str, int]

    @property
    def target_columns(self) -> list[str]:
        """Of the parts' tables: the names of a regression's targets, or `label`; not those of inputs."""
        names = [each.name for each in self.targets] or [LABEL]
        while set(names) & set(self.inputs):
            names = [f"{name} (target)" for name in names]
        return names


def save_split(split: Split, origin: Origin) -> None:
    """Every part as a table of inputs and targets; where they come from and how many rows each has, as JSON."""
    described = SplitFile(rows={name: len(part) for name, part in split.parts.items()}, **dict(origin))
    for name, part in split.parts.items():
        inputs = (
            part.inputs if part.inputs.ndim > 2 else pd.DataFrame(part.inputs, columns=list(origin.inputs), copy=False)
        )
        targets = pd.DataFrame(part.targets.reshape(len(part), -1), columns=described.target_columns)
        save_rows(inputs, targets, PARTS / name)
    save_text(described.model_dump_json(indent=2) + "\n", DESCRIBED)


def load_origin() -> Origin:
    """Where the rows of a training come from.

    Raises:
        UserError: missing, damaged or of another version.
    """
    found = dict(_load())
    del found["rows"]
    return Origin(**found)


def load_split() -> Split:
    """Raises: UserError: a part is missing, damaged, or has not as many rows as it was written with."""
    found = _load()
    return Split(found.task, **{name: _part(PARTS / name, rows, found) for name, rows in found.rows.items()})


def part_files() -> dict[str, Path]:
    """The file of each part, by name.

    Raises:
        UserError: one is missing.
    """
    return {name: rows_path(PARTS / name) for name in _load().rows}


def fingerprint() -> str:
    """Of all parts, their names left out: the first digits of a SHA-256.

    Raises:
        UserError: a part is missing.
    """
    total = hashlib.sha256()
    for content in _contents(part_files().values()):
        total.update(content)
    return total.hexdigest()[:12]


def _contents(paths: Iterable[Path]) -> Iterable[bytes]:
    for path in paths:
        with reading(path, "a table"):
            yield path.read_bytes()


def _load() -> SplitFile:
    with reading(DESCRIBED, "what `split` writes"):
        return SplitFile.model_validate_json(DESCRIBED.read_bytes())


def _part(stem: Path, rows: int, described: SplitFile) -> Samples:
    features, table = load_rows(stem, described.target_columns, [])
    path = rows_path(stem)
    if isinstance(features, pd.DataFrame):
        gone = next((name for name in described.inputs if name not in features), None)
        if gone is not None:
            raise UserError(f"{path}: no column {gone}: must have {', '.join(described.inputs)}")
        features = features[list(described.inputs)]
    with reading(path, "a table of numbers"):
        targets = table.to_numpy(np.float64)
        inputs = np.asarray(features)
        if inputs.ndim == 2:  # a CSV does not say in which precision they were written
            inputs = inputs.astype(precision(sum(described.rows.values()), inputs.shape[1]), copy=False)
    if len(targets) != rows:
        raise UserError(f"{path}: {len(targets)} rows: must have {rows}, as {DESCRIBED} says; {RENEW}")
    if inputs.shape[1:] != described.shape:
        raise UserError(f"{path}: rows of shape {inputs.shape[1:]}: must be {described.shape}; {RENEW}")
    broken = np.flatnonzero(~np.isfinite(inputs.reshape(len(inputs), -1)).all(axis=1) | ~_are_valid(targets, described))
    if len(broken):
        raise UserError(f"{path}: line {broken[0] + 2}: every input must be a finite number, and the target valid")
    return Samples(inputs, targets[:, 0].astype(np.int64) if described.task.is_classification else targets)


def _are_valid(targets: np.ndarray, described: SplitFile) -> np.ndarray:
    if described.task.is_classification:
        return np.isin(targets[:, 0], np.arange(len(described.task.names)))
    return np.isfinite(targets).all(axis=1)
