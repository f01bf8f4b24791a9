"""`studies`: what is changed about a variant, cell by cell, to see how often it learns then."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any

from pydantic import Field

from pipeline.foundations.errors import UserError
from pipeline.params.file import VARIANT_NAME, Section, check
from pipeline.params.training import TrainingParams
from pipeline.params.variants import VariantParams, merge, shown, stated

# What a cell may change of `training`; the rest is one for all, so that cells can be compared.
BUDGET = ("epochs", "batch_size")


class StudyParams(Section):
    """A study: every combination of the values in `grid`, then the `cells` by name; keys of `grid` may be dotted."""

    base: str
    replicas: Annotated[int, Field(ge=1)] | None = None  # as in `training` where it is not said
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    cells: dict[str, dict[str, Any]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """A variant inside a study.

    changes: what it changes of the base, by dotted parameter; none for the base itself.
    place: its values along the axes of the grid, where it belongs to one.
    """

    name: str
    variant: VariantParams
    training: TrainingParams
    changes: Mapping[str, Any]
    place: Mapping[str, Any]


def study_names(document: Mapping[str, Any]) -> list[str]:
    """All studies, in the file's order.

    Raises:
        UserError: `studies` is no map, or a name cannot be a folder's.
    """
    studies = document.get("studies") or {}
    if not isinstance(studies, dict):
        raise UserError(f"studies: {studies}: must be a map of studies by name, or {{}}")
    for name in studies:
        if not isinstance(name, str) or not VARIANT_NAME.fullmatch(name):
            raise UserError(f"studies.{name}: a study's name must be a text of A-Z a-z 0-9 _ -")
    return list(studies)


def cells(document: Mapping[str, Any], study: str, training: TrainingParams) -> tuple[StudyParams, list[Cell]]:
    """A study, checked, and its cells: first the base, unless a cell equals it, then the grid's, then those by name.

    Raises:
        UserError: there is no such study, or a value in it is bad.
    """
    if study not in study_names(document):
        raise UserError(f"studies.{study}: not found: must be one of {', '.join(study_names(document)) or '(none)'}")
    path = f"studies.{study}"
    params = check(document["studies"][study], path, StudyParams)
    if not params.grid and not params.cells:
        raise UserError(f"{path}: neither grid nor cells: must have at least one")
    base = _base(document, params.base, path)
    # Histograms are for `make tensorboard`, which shows the variants.
    shared = training.model_copy(update={"replicas": params.replicas or training.replicas, "histograms": False})
    found = [
        _cell(name, base, changes, shared, f"{path}.{where}", place)
        for name, changes, where, place in _stated(params, path)
    ]
    reference = _cell(params.base, base, {}, shared, f"variants.{params.base}", {})
    if not any(_same(cell, reference) for cell in found):
        found.insert(0, reference)
    names = [cell.name for cell in found]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: two cells are named {name}: must differ")
    return params, found


def reference_of(found: Sequence[Cell]) -> Cell:
    """The cell that changes nothing: in a grid the one that says what the base says."""
    return next(cell for cell in found if not cell.changes)


def numeric_axis(found: Sequence[Cell]) -> str | None:
    """The one axis of the grid that has several values, if these are numbers: along it results make a curve."""
    values: dict[str, list[Any]] = {}
    for cell in found:
        for key, value in cell.place.items():
            if value not in values.setdefault(key, []):
                values[key].append(value)
    axes = [key for key, each in values.items() if len(each) > 1]
    plain = len(axes) == 1 and all(isinstance(value, int | float) for value in values[axes[0]])
    return axes[0] if plain else None


def _stated(params: StudyParams, path: str) -> Iterator[tuple[str, dict[str, Any], str, dict[str, Any]]]:
    for values in product(*params.grid.values()) if params.grid else ():
        place = dict(zip(params.grid, values, strict=True))
        changes: dict[str, Any] = {}
        for key, value in place.items():
            changes = merge(changes, _nested(key.split("."), value))
        yield ", ".join(f"{key}={shown(value)}" for key, value in place.items()), changes, "grid", place
    for name, changes in params.cells.items():
        yield name, changes, f"cells.{name}", {}


def _nested(keys: list[str], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _base(document: Mapping[str, Any], name: str, path: str) -> dict[str, Any]:
    variants = document.get("variants")
    if not isinstance(variants, dict) or name not in variants:
        known = ", ".join(variants) if isinstance(variants, dict) else "(none)"
        raise UserError(f"{path}.base: {name}: must be one of the variants {known}")
    return stated(document, name)


def _cell(
    name: str, base: dict[str, Any], changes: Mapping[str, Any], training: TrainingParams, path: str, place: dict
) -> Cell:
    budget = {key: changes[key] for key in BUDGET if key in changes}
    rest = {key: value for key, value in changes.items() if key not in budget}
    allowed = (*VariantParams.model_fields, *BUDGET)
    for key in rest:
        if key not in allowed:
            raise UserError(f"{path}.{key}: unknown key: must be one of {', '.join(allowed)}")
    variant = check(merge(base, rest), path, VariantParams)
    own = check({**training.model_dump(), **budget}, path, TrainingParams)
    before = {**check(base, path, VariantParams).model_dump(mode="json"), **training.model_dump()}
    after = {**variant.model_dump(mode="json"), **own.model_dump()}
    differing = {key: after[key] for key in after if after[key] != before[key]}
    return Cell(name, variant, own, differing, place)


def _same(one: Cell, other: Cell) -> bool:
    return (one.variant, one.training) == (other.variant, other.training)
