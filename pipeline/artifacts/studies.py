"""What a study leaves: tables, figures, and its page as HTML and Markdown."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.foundations.files import load_json, reading, save_json, save_text
from pipeline.foundations.tables import load_table, save_table

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


def figures(study: str) -> list[Path]:
    """All of its figures, by name."""
    return sorted(folder(study).glob("*.png"))


def tables(study: str) -> list[Path]:
    """All of its tables, by name."""
    return sorted(folder(study).glob("*.csv"))


def load_cells(study: str) -> pd.DataFrame:
    """The table of cells.

    Raises:
        UserError: missing or damaged.
    """
    return load_table(folder(study) / "cells.csv", ["cell", "effect", "learned", "replicas", "difference"])


def load_recipes(study: str) -> dict[str, dict[str, Any]]:
    """What each cell was trained with: `variant` and `training`.

    Raises:
        UserError: missing or damaged.
    """
    return load_json(folder(study) / "recipes.json")


def load_answer(study: str) -> str:
    """The page in Markdown, up to its first section: which cells help, which harm, which are undecided.

    Raises:
        UserError: missing.
    """
    path = folder(study) / "index.md"
    with reading(path, "Markdown"):
        return path.read_text(encoding="utf-8").partition("\n## ")[0].partition("\n")[2].strip()


def save_study(study: str, tables: Mapping[str, pd.DataFrame], recipes: Mapping[str, object]) -> None:
    """Tables by name, and what each cell was trained with."""
    for name, table in tables.items():
        save_table(table, folder(study) / f"{name}.csv")
    save_json(recipes, folder(study) / "recipes.json")


def save_page(study: str, html: str, markdown: str) -> None:
    """Both pages."""
    save_text(html, page(study))
    save_text(markdown, folder(study) / "index.md")
