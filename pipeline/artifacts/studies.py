"""What a study leaves: tables, figures, and its page as HTML and Markdown."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.artifacts.files import save_json, save_text
from pipeline.artifacts.tables import save_table

STUDIES = Path("studies")


def folder(study: str) -> Path:
    """All that the study leaves."""
    return STUDIES / study


def page(study: str) -> Path:
    """Its page."""
    return folder(study) / "index.html"


def figure_path(study: str, name: str) -> Path:
    """One of its figures."""
    return folder(study) / f"{name}.png"


def save_study(study: str, tables: Mapping[str, pd.DataFrame], recipes: Mapping[str, object]) -> None:
    """Tables by name, and what each cell was trained with."""
    for name, table in tables.items():
        save_table(table, folder(study) / f"{name}.csv")
    save_json(recipes, folder(study) / "recipes.json")


def save_page(study: str, html: str, markdown: str) -> None:
    """Both pages."""
    save_text(html, page(study))
    save_text(markdown, folder(study) / "index.md")
