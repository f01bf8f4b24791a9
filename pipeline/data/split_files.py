"""What `split` leaves: the scaled parts, the scaler's numbers, and the parameters that made them."""

import hashlib
from pathlib import Path
from typing import Any

from pipeline.data.points import Points, Scaling, Split
from pipeline.data.raw_files import load_points, save_points
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import load_json, reading, save_json

TRAIN = Path("data/split/train.csv")
TEST = Path("data/split/test.csv")
SCALING = Path("data/split/scaling.json")


def save_split(split: Split, scaling: Scaling, params: dict[str, Any]) -> None:
    """Both parts as tables; the scaling, how many rows each part has and what it was made with, as JSON.

    Args:
        params: the sections `data` and `split` of params.yaml, as plain values.
    """
    save_points(split.train, TRAIN)
    save_points(split.test, TEST)
    inputs = [
        {"name": name, "offset": offset, "factor": factor}
        for name, offset, factor in zip(scaling.names, scaling.offset.tolist(), scaling.factor.tolist(), strict=True)
    ]
    save_json({"rows": {"train": len(split.train), "test": len(split.test)}, "inputs": inputs, **params}, SCALING)


def load_origin() -> dict[str, Any]:
    """Where the points of a training come from, for its recipe: `data` and `split`, as params.yaml said then, and for
    each of the `inputs` its name and scaling.

    Raises:
        UserError: missing, damaged or of another version.
    """
    found = load_json(SCALING)
    names = ("inputs", "data", "split")
    for name in names:
        if not isinstance(found, dict) or name not in found:
            raise UserError(f"{SCALING}: no {name}: must have it; `dvc repro` makes it anew")
    return {name: found[name] for name in names}


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
