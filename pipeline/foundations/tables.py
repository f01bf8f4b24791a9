"""Tables as CSV, with every digit that a float64 needs."""

from pathlib import Path

import pandas as pd

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import reading, replacing


def save_table(table: pd.DataFrame, path: Path) -> None:
    """Without the index; a missing value is an empty field."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def load_table(path: Path, columns: list[str]) -> pd.DataFrame:
    """Raises: UserError: missing, damaged, or without one of `columns`."""
    with reading(path, f"a table with the columns {', '.join(columns)}"):
        table = pd.read_csv(path)
        missing = [column for column in columns if column not in table]
        if missing:
            raise UserError(f"{path}: no column {missing[0]}: must have {', '.join(columns)}")
        return table
