"""Write and read the files of the stage `split`: the scaled parts, and their description."""

import hashlib
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import model_validator

from pipeline.data.split.samples import Origin, Samples, Split
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import reading, save_text
from pipeline.foundations.formats import load_rows, precision, rows_path, save_rows

PARTS = Path("data/split")
DESCRIPTION = PARTS / "split.json"
LABEL = "label"
RENEW = "`dvc repro` makes it again"


class SplitFile(Origin):
    """The content of the file DESCRIPTION: the origin of the parts, and the number of rows of each."""

    rows: dict[str, int]

    @model_validator(mode="after")
    def _expect_parts(self) -> Self:
        if not {"train", "test"} <= self.rows.keys() <= {"train", "validation", "test"} or min(self.rows.values()) < 1:
            raise ValueError(f"rows of the parts {', '.join(self.rows)}")
        return self

    @property
    def target_columns(self) -> list[str]:
        """Return the names of the target columns in the files: a regression's targets, or `label`.

        If an input has one of these names, all target columns get a suffix.
        """
        names = [each.name for each in self.targets] or [LABEL]
        while set(names) & set(self.inputs):
            names = [f"{name} (target)" for name in names]
        return names


def save_split(split: Split, origin: Origin) -> None:
    """Write every part as a table of inputs and targets, and one description of all parts as JSON."""
    description = SplitFile(rows={name: len(part) for name, part in split.parts.items()}, **dict(origin))
    for name, part in split.parts.items():
        inputs = (
            part.inputs if part.inputs.ndim > 2 else pd.DataFrame(part.inputs, columns=list(origin.inputs), copy=False)
        )
        targets = pd.DataFrame(part.targets.reshape(len(part), -1), columns=description.target_columns)
        save_rows(inputs, targets, PARTS / name)
    save_text(description.model_dump_json(indent=2) + "\n", DESCRIPTION)


def load_origin() -> Origin:
    """Read the origin of the parts.

    Raises:
        UserError: the file is missing, damaged or of another version.
    """
    return Origin(**{name: value for name, value in _load() if name != "rows"})


def load_split() -> Split:
    """Read all parts.

    Raises:
        UserError: a part is missing or damaged, or has another number of rows than its description.
    """
    description = _load()
    parts = {name: _part(PARTS / name, rows, description) for name, rows in description.rows.items()}
    return Split(description.task, **parts)


def part_files() -> dict[str, Path]:
    """Return the file of each part, by name.

    Raises:
        UserError: a file is missing.
    """
    return {name: rows_path(PARTS / name) for name in _load().rows}


def fingerprint() -> str:
    """Return the first 12 digits of the SHA-256 of all parts, without their names.

    Raises:
        UserError: a part is missing.
    """
    digest = hashlib.sha256()
    for path in part_files().values():
        with reading(path, "a table"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _load() -> SplitFile:
    with reading(DESCRIPTION, "a description of parts as `split` writes it"):
        return SplitFile.model_validate_json(DESCRIPTION.read_bytes())


def _part(stem: Path, rows: int, description: SplitFile) -> Samples:
    features, table = load_rows(stem, description.target_columns, [])
    path = rows_path(stem)
    if isinstance(features, pd.DataFrame):
        missing = next((name for name in description.inputs if name not in features), None)
        if missing is not None:
            raise UserError(f"{path}: no column {missing}: must have {', '.join(description.inputs)}")
        features = features[list(description.inputs)]
    with reading(path, "a table of numbers"):
        targets = table.to_numpy(np.float64)
        inputs = np.asarray(features)
        if inputs.ndim == 2:  # a CSV does not store whether its numbers were float32
            inputs = inputs.astype(precision(sum(description.rows.values()), inputs.shape[1]), copy=False)
        if inputs.dtype.kind not in "biuf" or len(inputs) != len(targets):
            raise ValueError(f"{len(inputs)} rows of inputs of the type {inputs.dtype}, {len(targets)} targets")
    if len(targets) != rows:
        raise UserError(f"{path}: {len(targets)} rows: must have {rows}, as {DESCRIPTION} says; {RENEW}")
    if inputs.shape[1:] != description.shape:
        raise UserError(f"{path}: rows of shape {inputs.shape[1:]}: must be {description.shape}; {RENEW}")
    invalid = np.flatnonzero(
        ~np.isfinite(inputs.reshape(len(inputs), -1)).all(axis=1) | ~_are_valid(targets, description)
    )
    if len(invalid):
        classes = len(description.task.names)
        valid = f"a class from 0 to {classes - 1}" if description.task.is_classification else "a finite number"
        raise UserError(
            f"{path}: line {invalid[0] + 2}: every input must be a finite number, and the target {valid}; {RENEW}"
        )
    return Samples(inputs, targets[:, 0].astype(np.int64) if description.task.is_classification else targets)


def _are_valid(targets: np.ndarray, description: SplitFile) -> np.ndarray:
    if description.task.is_classification:
        return np.isin(targets[:, 0], np.arange(len(description.task.names)))
    return np.isfinite(targets).all(axis=1)
