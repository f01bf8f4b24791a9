"""What `generate` and `split` leave: the raw points and their picture, the scaled parts, and how they were made."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ConfigDict

from pipeline.data.samples import Data, Origin, Samples, Split
from pipeline.data.tasks import Task
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import reading, save_text
from pipeline.foundations.formats import load_table, save_table

POINTS = Path("data/raw/points.csv")
SCATTER = Path("data/raw/points.png")
TRAIN = Path("data/split/train.csv")
TEST = Path("data/split/test.csv")
SPLIT = Path("data/split/split.json")
LABEL = "label"


class SplitFile(Origin):
    """What SPLIT holds: where the parts come from, and how many rows each has."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rows: dict[str, int]


def save_points(data: Data, path: Path = POINTS) -> None:
    """One row per point: its inputs under their names, and its label."""
    table = pd.DataFrame(data.samples.inputs, columns=list(data.names))
    save_table(table.assign(**{LABEL: data.samples.targets}), path)


def load_points(path: Path = POINTS) -> Data:
    """Raises: UserError: missing, damaged, or not a table of numbers with labels 0 and 1."""
    table = load_table(path, ["x1", LABEL])
    with reading(path, "numbers in every field"):
        names = tuple(column for column in table if column != LABEL)
        inputs, labels = table[list(names)].to_numpy(np.float64), table[LABEL].to_numpy(np.float64)
    rows = np.flatnonzero(~np.isfinite(inputs).all(axis=1) | ~np.isin(labels, (0, 1)))
    if len(rows):
        raise UserError(f"{path}: line {rows[0] + 2}: every input must be a finite number and the label 0 or 1")
    if not len(labels):
        raise UserError(f"{path}: no points: must have at least one row")
    return Data(Samples(inputs, labels.astype(np.int64)), Task("binary", ("0", "1")), names)


def save_split(split: Split, origin: Origin) -> None:
    """Both parts as tables; where they come from and how many rows each has, as JSON."""
    names = tuple(each.name for each in origin.inputs)
    for part, path in ((split.train, TRAIN), (split.test, TEST)):
        save_points(Data(part, split.task, names), path)
    described = SplitFile(rows={name: len(part) for name, part in split.parts.items()}, **dict(origin))
    save_text(described.model_dump_json(indent=2) + "\n", SPLIT)


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
    return Split(found.task, _part(TRAIN, found.rows["train"]), _part(TEST, found.rows["test"]))


def fingerprint() -> str:
    """Of both parts, their names left out: the first digits of a SHA-256.

    Raises:
        UserError: a part is missing.
    """
    total = hashlib.sha256()
    for path in (TRAIN, TEST):
        with reading(path, "a table"):
            total.update(path.read_bytes())
    return total.hexdigest()[:12]


def _load() -> SplitFile:
    with reading(SPLIT, "what `split` writes"):
        return SplitFile.model_validate_json(SPLIT.read_bytes())


def _part(path: Path, rows: int) -> Samples:
    samples = load_points(path).samples
    if len(samples) != rows:
        raise UserError(f"{path}: {len(samples)} rows: must have {rows}, as {SPLIT} says; `dvc repro` makes it anew")
    return samples
