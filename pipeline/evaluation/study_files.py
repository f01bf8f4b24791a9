"""Read and write the files of a study (tables, figures, its page) and the file of all studies' results.

`studies/tried.json` holds the results of all studies. It is in git and is no output of a stage: `compare` reads it, and
a dependency on a study's output would make the root's `dvc repro` run all studies. Each study writes its own results as
an output; they are then copied into `studies/tried.json`.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pandas as pd
from pydantic import JsonValue, TypeAdapter

from pipeline.diagnosis.causes import FORMER_NAMES, cause_names, outcome_names
from pipeline.evaluation.learned import score_column
from pipeline.evaluation.tried import TriedStudy
from pipeline.foundations.errors import UserError, first_line
from pipeline.foundations.files import load_json, reading, save_json, save_text
from pipeline.foundations.formats import load_table, save_table
from pipeline.params.file import Plain

STUDIES = Path("studies")
TRIED = STUDIES / "tried.json"
# The columns of numbers that the table of a study's cells must have, beside its score and its outcomes.
NUMBERS = (
    *("replicas", "learned", "learned_rate", "learned_low", "learned_high"),
    *("difference", "difference_low", "difference_high", "extra_epochs", "epochs_to_learn_median"),
)
_TRIED = TypeAdapter(dict[str, TriedStudy])
_RECIPES = TypeAdapter(dict[str, dict[str, dict[str, JsonValue]]])


def folder(study: str) -> Path:
    """Return the folder with the outputs of a study."""
    return STUDIES / study


def page(study: str) -> Path:
    """Return the path of a study's HTML page."""
    return folder(study) / "index.html"


def figure_path(study: str, name: str) -> Path:
    """Return the path of a study's figure."""
    return folder(study) / f"{name}.png"


def figures(study: str) -> list[Path]:
    """Return the paths of all figures of a study, sorted by name."""
    return sorted(folder(study).glob("*.png"))


def tables(study: str) -> list[Path]:
    """Return the paths of all tables of a study, sorted by name."""
    return sorted(folder(study).glob("*.csv"))


def load_cells(study: str) -> pd.DataFrame:
    """Read the table of a study's cells.

    Raises:
        UserError: the table is missing or damaged.
    """
    path = folder(study) / "cells.csv"
    cells = load_table(path, ["cell", "changes", "effect", *NUMBERS], ["cell"])
    with reading(path, "a table of cells as `study` writes it"):
        cells = cells.rename(columns=FORMER_NAMES)
        # Causes younger than the table.
        cells = cells.assign(**{name: 0 for name in cause_names() if name not in cells})
        for name in (*NUMBERS, score_column(cells), *outcome_names()):
            if cells[name].dtype.kind not in "iuf":
                raise ValueError(f"column {name} must hold only numbers")
        if not len(cells) or cells.cell.duplicated().any():
            raise ValueError("no cells, or two of one name")
    return cells


def load_recipes(study: str, cells: Collection[str]) -> dict[str, dict[str, dict[str, JsonValue]]]:
    """Read the parameters of each cell, by cell name: `variant` and `training`.

    Args:
        cells: the names of the study's cells.

    Raises:
        UserError: the file is missing or damaged.
    """
    path = folder(study) / "recipes.json"
    with reading(path, "the parameters of all cells as `study` writes them"):
        recipes = _RECIPES.validate_python(load_json(path))
        missing = [cell for cell in cells if "variant" not in recipes.get(cell, {})]
        if missing:
            raise ValueError(f"no parameters of the cell {missing[0]}")
    return recipes


def save_tried_of(study: str, tried: TriedStudy) -> None:
    """Write the results of a study into its own folder."""
    _save_tried({study: tried}, folder(study) / TRIED.name)


def load_tried(path: Path = TRIED) -> dict[str, TriedStudy]:
    """Read the results of studies, by study; without the file the map is empty.

    Raises:
        UserError: the file is damaged.
    """
    if not path.exists():
        return {}
    try:
        return _TRIED.validate_json(path.read_bytes())
    except ValueError as error:  # pydantic's too
        raise UserError(
            f"{path}: damaged ({first_line(error)}): must be as `make studies` writes it, or {{}}"
        ) from None


def renew_tried(study: str) -> None:
    """Copy a study's results into the file of all studies, and replace its earlier results.

    A lock protects that file, because several studies may finish at the same time. Equal results give equal bytes.

    Raises:
        UserError: one of the two files is damaged, or the study has no results.
    """
    with _locked_tried():
        _save_tried(renewed_tried(study), TRIED)


def renewed_tried(study: str) -> dict[str, TriedStudy]:
    """Return what the file of all studies will hold once it has a study's results.

    Raises:
        UserError: one of the two files is damaged, or the study has no results.
    """
    own = load_tried(folder(study) / TRIED.name)
    if study not in own:
        raise UserError(f"{folder(study) / TRIED.name}: no results of {study}: run `make studies`")
    return load_tried() | own


def forget_tried(kept: Collection[str]) -> None:
    """Remove the results of studies that are no longer in params.yaml from the file of all studies.

    Args:
        kept: the names of the studies of params.yaml.

    Raises:
        UserError: the file is damaged.
    """
    with _locked_tried():
        tried = load_tried()
        if not tried.keys() <= set(kept):
            _save_tried({name: each for name, each in tried.items() if name in kept}, TRIED)


def _save_tried(tried: Mapping[str, TriedStudy], path: Path) -> None:
    save_json(json.loads(json.dumps(_TRIED.dump_python(dict(tried), mode="json"), sort_keys=True)), path)


def load_answer(study: str) -> str:
    """Read a study's answer, which lists the cells that help or harm: its Markdown page up to the first section.

    Raises:
        UserError: the page is missing.
    """
    path = folder(study) / "index.md"
    with reading(path, "Markdown"):
        return path.read_text(encoding="utf-8").partition("\n## ")[0].partition("\n")[2].strip()


def _locked_tried() -> AbstractContextManager[object]:
    """Return the lock of the file of all studies; only one writer at a time can hold it."""
    from filelock import FileLock  # here, because readers need no lock

    return FileLock(STUDIES / ".tried.lock")


def save_study(study: str, tables: Mapping[str, pd.DataFrame], recipes: Mapping[str, Plain]) -> None:
    """Write the tables of a study, and the parameters of each cell.

    Args:
        tables: by the names of their files.
        recipes: as `load_recipes` reads them.
    """
    for name, table in tables.items():
        save_table(table, folder(study) / f"{name}.csv")
    save_json(recipes, folder(study) / "recipes.json")


def save_page(study: str, html: str, markdown: str) -> None:
    """Write a study's page as HTML and as Markdown."""
    save_text(html, page(study))
    save_text(markdown, folder(study) / "index.md")


def pictures(study: str, addresses: Iterable[str]) -> dict[str, bytes]:
    """Return the bytes of each figure by its address relative to the study's page."""
    return {each: (folder(study) / each).read_bytes() for each in addresses}
