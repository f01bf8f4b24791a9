"""What a study leaves: tables, figures, and its page as HTML and Markdown; and what all studies have tried.

`studies/tried.json` is in git and is no output of a stage, for `compare` reads it: a dependency on the output of a
study would make the root's `dvc repro` run all studies. Each study leaves its own part as an output, which is copied.
"""

import json
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter

from pipeline.evaluation.tried import TriedStudy
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import load_json, reading, save_json, save_text
from pipeline.foundations.formats import load_table, save_table
from pipeline.params.file import Plain

STUDIES = Path("studies")
TRIED = STUDIES / "tried.json"
_TRIED = TypeAdapter(dict[str, TriedStudy])


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


def save_tried_of(study: str, tried: TriedStudy) -> None:
    """What the study has tried, among its outputs."""
    _save_tried({study: tried}, folder(study) / TRIED.name)


def load_tried(path: Path = TRIED) -> dict[str, TriedStudy]:
    """What was tried, by study; nothing where the file is missing.

    Raises:
        UserError: damaged.
    """
    if not path.exists():
        return {}
    try:
        return _TRIED.validate_json(path.read_bytes())
    except ValueError as error:  # pydantic's too
        raise UserError(
            f"{path}: damaged ({str(error).splitlines()[0]}): must be as `make studies` leaves it, or {{}}"
        ) from None


def renew_tried(study: str) -> None:
    """Copy what the study has tried into the file of all studies, in place of what was there of it.

    Studies finish side by side, so it happens under a lock. The bytes depend on the content alone.

    Raises:
        UserError: one of both files is damaged, or the study's own is missing.
    """
    own = load_tried(folder(study) / TRIED.name)
    if study not in own:
        raise UserError(f"{folder(study) / TRIED.name}: nothing of {study}: `make studies` makes it")
    with _locked_tried():
        _save_tried(load_tried() | own, TRIED)


def forget_tried(kept: Collection[str]) -> None:
    """Drop what studies had tried that are not among these, which params.yaml has.

    Raises:
        UserError: the file is damaged.
    """
    with _locked_tried():
        known = load_tried()
        if not known.keys() <= set(kept):
            _save_tried({name: known[name] for name in known if name in kept}, TRIED)


def _save_tried(tried: Mapping[str, TriedStudy], path: Path) -> None:
    plain = {name: each.model_dump(mode="json") for name, each in tried.items()}
    save_json(json.loads(json.dumps(plain, sort_keys=True)), path)


def load_answer(study: str) -> str:
    """The page in Markdown, up to its first section: which cells help, which harm, which are undecided.

    Raises:
        UserError: missing.
    """
    path = folder(study) / "index.md"
    with reading(path, "Markdown"):
        return path.read_text(encoding="utf-8").partition("\n## ")[0].partition("\n")[2].strip()


def _locked_tried() -> AbstractContextManager[object]:
    """One writer of what was tried at a time."""
    from filelock import FileLock  # here, for those who read a record do without

    return FileLock(STUDIES / ".tried.lock")


def save_study(study: str, tables: Mapping[str, pd.DataFrame], recipes: Mapping[str, Plain]) -> None:
    """Tables by name, and what each cell was trained with."""
    for name, table in tables.items():
        save_table(table, folder(study) / f"{name}.csv")
    save_json(recipes, folder(study) / "recipes.json")


def save_page(study: str, html: str, markdown: str) -> None:
    """Both pages."""
    save_text(html, page(study))
    save_text(markdown, folder(study) / "index.md")
