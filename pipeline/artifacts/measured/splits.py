"""What `split` leaves: the scaled parts, and the scaler's numbers."""

import hashlib
from pathlib import Path

from pipeline.artifacts.measured.points import load_points, save_points
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import load_json, reading, save_json
from pipeline.records.points import Points, Scaling, Split

TRAIN = Path("data/split/train.csv")
TEST = Path("data/split/test.csv")
SCALING = Path("data/split/scaling.json")


def save_split(split: Split, scaling: Scaling) -> None:
    """Both parts as tables; the scaling, and how many rows each part has, as JSON."""
    save_points(split.train, TRAIN)
    save_points(split.test, TEST)
    numbers = {"offset": scaling.offset.tolist(), "factor": scaling.factor.tolist()}
    save_json({"rows": {"train": len(split.train), "test": len(split.test)}, "scaled": numbers}, SCALING)


def load_split() -> Split:
    """Raises: UserError: a part is missing, damaged, or has not as many rows as it was written with."""
    rows = load_json(SCALING).get("rows", {})
    return Split(_part(TRAIN, rows.get("train")), _part(TEST, rows.get("test")))


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


def _part(path: Path, rows: int | None) -> Points:
    points = load_points(path)
    if len(points) != rows:
        raise UserError(f"{path}: {len(points)} rows: must have {rows}, as {SCALING} says; `dvc repro` makes it anew")
    return points
