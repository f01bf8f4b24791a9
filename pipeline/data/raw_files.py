"""What `generate` leaves: the raw points, and their scatter plot."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data.points import Points, input_names
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import reading
from pipeline.foundations.formats import load_table, save_table

POINTS = Path("data/raw/points.csv")
SCATTER = Path("data/raw/points.png")


def save_points(points: Points, path: Path = POINTS) -> None:
    """A row a point: its inputs x1, x2, ... and its label."""
    save_table(pd.DataFrame(points.inputs, columns=input_names(points)).assign(label=points.labels), path)


def load_points(path: Path = POINTS) -> Points:
    """Raises: UserError: missing, damaged, or not a table of numbers with labels 0 and 1."""
    table = load_table(path, ["x1", "label"])
    with reading(path, "numbers in every field"):
        names = [column for column in table if column != "label"]
        inputs, labels = table[names].to_numpy(np.float64), table["label"].to_numpy(np.float64)
    rows = np.flatnonzero(~np.isfinite(inputs).all(axis=1) | ~np.isin(labels, (0, 1)))
    if len(rows):
        raise UserError(f"{path}: line {rows[0] + 2}: every input must be a finite number and the label 0 or 1")
    if not len(labels):
        raise UserError(f"{path}: no points: must have at least one row")
    return Points(inputs, labels.astype(np.int64))
