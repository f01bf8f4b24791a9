"""What `compare` leaves: tables for people and for DVC's plots, figures, and the report as HTML and Markdown."""

import os
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import pandas as pd

from pipeline.evaluation.comparison import Comparison
from pipeline.foundations.files import save_text
from pipeline.foundations.formats import load_table, save_table

REPORTS = Path("reports")
PAGE = REPORTS / "index.html"
MARKDOWN = REPORTS / "index.md"
VARIANTS = REPORTS / "variants.csv"


def figure_path(name: str) -> Path:
    """A figure of the report."""
    return REPORTS / f"{name}.png"


def address(path: Path) -> str:
    """Of a file, as the pages have it."""
    return os.path.relpath(path, REPORTS)


def pictures(addresses: Iterable[str]) -> dict[str, bytes]:
    """The files at these addresses."""
    return {each: (REPORTS / each).read_bytes() for each in addresses}


def save_comparison(comparison: Comparison) -> None:
    """All tables."""
    for field in fields(comparison):
        save_table(getattr(comparison, field.name), REPORTS / f"{field.name}.csv")


def save_report(html: str, markdown: str) -> None:
    """Both pages."""
    save_text(html, PAGE)
    save_text(markdown, MARKDOWN)


def load_variants() -> pd.DataFrame:
    """The table of results, one row per variant.

    Raises:
        UserError: missing or damaged.
    """
    return load_table(VARIANTS, ["variant", "replicas", "learned"])
