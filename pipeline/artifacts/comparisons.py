"""What `compare` leaves: tables for people and for DVC's plots, figures, and a Markdown page."""

from pathlib import Path

import pandas as pd

from pipeline.artifacts.files import save_text
from pipeline.artifacts.tables import load_table, save_table

REPORTS = Path("reports")
LEARNED_SHARES = REPORTS / "learned_share.png"
PAIR = REPORTS / "pair.png"
PAGE = REPORTS / "comparison.md"
WIDE = REPORTS / "variants.csv"


def save_comparison(
    wide: pd.DataFrame, curves: pd.DataFrame, differences: pd.DataFrame, claims: pd.DataFrame, page: str
) -> None:
    """All tables, and the page."""
    save_table(wide, WIDE)
    save_table(curves, REPORTS / "curves.csv")
    save_table(differences, REPORTS / "differences.csv")
    save_table(claims, REPORTS / "claims.csv")
    save_text(page, PAGE)


def load_wide() -> pd.DataFrame:
    """The wide table, a row a variant.

    Raises:
        UserError: missing or damaged.
    """
    return load_table(WIDE, ["variant", "replicas", "learned"])
