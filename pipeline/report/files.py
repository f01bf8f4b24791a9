"""Read and write the files of a comparison: its tables, its figures, and the report as HTML and Markdown."""

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
    """Return the path of a figure of the report."""
    return REPORTS / f"{name}.png"


def address(path: Path) -> str:
    """Return the address of a file relative to the report's pages."""
    return os.path.relpath(path, REPORTS)


def pictures(addresses: Iterable[str]) -> dict[str, bytes]:
    """Return the bytes of each picture by its address."""
    return {each: (REPORTS / each).read_bytes() for each in addresses}


def save_comparison(comparison: Comparison) -> None:
    """Write all tables of the comparison."""
    for field in fields(comparison):
        save_table(getattr(comparison, field.name), REPORTS / f"{field.name}.csv")


def save_report(html: str, markdown: str) -> None:
    """Write the report's two pages."""
    save_text(html, PAGE)
    save_text(markdown, MARKDOWN)


def load_variants() -> pd.DataFrame:
    """Load the table of results, one row per variant.

    Raises:
        UserError: the file is missing or damaged.
    """
    return load_table(VARIANTS, ["variant", "replicas", "learned"])
