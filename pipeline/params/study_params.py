"""`studies`: what is changed about a variant, cell by cell, to see how often it learns then."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from pipeline.foundations.errors import UserError
from pipeline.params.file import NAME, StrictSection, brief, check, one_of, unknown_key
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams, merge, nested, shown

# What a cell may change of `training`; the rest is one for all, so that cells can be compared.
BUDGET = ("epochs", "batch_size")
OF_NETWORK = ("config", "optimizer", "remedy")  # what it may change of a network of the user's own
SUGGESTED: Final = "suggested"
MOST_CELLS = 10_000  # of a grid

CellName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.,=+ -]+$", max_length=100)]


def _map_or_word(value: Any) -> Any:
    """None for SUGGESTED."""
    if value != SUGGESTED and not isinstance(value, dict):
        raise ValueError(f"must be a map of cells, or {SUGGESTED}")
    return None if value == SUGGESTED else value


class StudyParams(StrictSection):
    """A study: every combination of the values in `grid`, then the `cells` by name; keys of `grid` may be dotted.

    `cells` are None where they are SUGGESTED: the remedies that the diagnosis of the base suggests, once it is trained.
    """

    base: str
    replicas: Annotated[int, Field(ge=1, le=100_000)] | None = None  # as in `training` where it is not said
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    cells: Annotated[dict[CellName, dict[str, Any]] | None, BeforeValidator(_map_or_word)] = Field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """A variant, or a network of the user's own, inside a study.

    base: the name of what it changes.
    changes: what it changes of it, by dotted parameter; none for the base itself.
    place: its values along the axes of the grid, where it belongs to one.
    path: where it stands in params.yaml, for messages.
    """

    name: str
    base: str
    variant: VariantParams | NetworkRecipe
    training: TrainingParams
    changes: Mapping[str, Any]
    place: Mapping[str, Any]
    path: str

    @property
    def recipe(self) -> dict[str, Any]:
        """Variant and training as plain values."""
        return {"variant": self.variant.model_dump(mode="json"), "training": self.training.model_dump(mode="json")}


def checked(studies: Any) -> dict[str, StudyParams]:
    """All studies by name, in the file's order; their cells are not looked at.

    Raises:
        UserError: `studies` is no map, a name cannot be a folder's, or a value is bad.
    """
    if not isinstance(studies or {}, dict):
        raise UserError(f"studies: {brief(studies)}: must be a map of studies by name, or {{}}")
    for name in studies or {}:
        if not NAME.fullmatch(name):
            raise UserError(f"studies.{name}: a study's name must be a text of A-Z a-z 0-9 _ -")
    return {name: check(value, f"studies.{name}", StudyParams) for name, value in (studies or {}).items()}


def cells(
    study: StudyParams,
    name: str,
    recipes: Mapping[str, VariantParams | NetworkRecipe],
    trainings: Callable[[str], TrainingParams],
) -> list[Cell]:
    """The cells of a study: first the base, unless a cell equals it, then the grid's, then those by name.

    Of one whose cells are SUGGESTED the base alone; see `suggested`.

    Args:
        recipes: of variants and networks, by name. trainings: gives how one of them is trained.

    Raises:
        UserError: a value of a cell is bad.
    """
    path = f"studies.{name}"
    if not study.grid and study.cells == {}:
        raise UserError(f"{path}: neither grid nor cells: must have at least one")
    if study.cells is None and study.grid:
        raise UserError(f"{path}.grid: must not be there beside cells: {SUGGESTED}")
    if study.base not in recipes:
        raise UserError(f"{path}.base: {study.base}: {one_of(recipes, study.base, 'the variants ')}")
    many = prod(len(values) for values in study.grid.values())
    if many > MOST_CELLS:
        raise UserError(f"{path}.grid: {many:,} combinations: must be at most {MOST_CELLS:,}")
    # Histograms are for `make tensorboard`, which shows the variants.
    training, base = trainings(study.base), recipes[study.base]
    shared = training.model_copy(update={"replicas": study.replicas or training.replicas, "histograms": False})
    section = "variants" if isinstance(base, VariantParams) else "networks"
    reference = Cell(study.base, study.base, base, shared, {}, {}, f"{section}.{study.base}")
    if study.cells is None:
        return [reference]
    found = [
        _cell(each, reference, changes, f"{path}.{where}", place)
        for each, changes, where, place in _stated(study, path)
    ]
    if not any(_same(cell, reference) for cell in found):
        found.insert(0, reference)
    names = Counter(cell.name for cell in found)
    twice = next((each for each, count in names.items() if count > 1), None)
    if twice is not None:
        raise UserError(f"{path}: two cells are named {twice}: must differ")
    return found


def suggested(found: Sequence[Cell], changes: Mapping[str, dict[str, Any]], name: str) -> list[Cell]:
    """What is suggested, as cells; without those that are among `found` already.

    Args:
        found: the base first. changes: by the cell's name, of the base's parameters. name: of the study.

    Raises:
        UserError: a change cannot be made.
    """
    made = [_cell(each, found[0], what, f"studies.{name}.{each}", {}) for each, what in changes.items()]
    return [cell for cell in made if not any(_same(cell, other) for other in found)]


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
            changes = merge(changes, nested(key, value))
        yield ", ".join(f"{key}={shown(value)}" for key, value in place.items()), changes, "grid", place
    for name, changes in (params.cells or {}).items():
        yield name, changes, f"cells.{name}", {}


def _cell(name: str, base: Cell, changes: dict[str, Any], path: str, place: dict[str, Any]) -> Cell:
    of_network = isinstance(base.variant, NetworkRecipe)
    allowed = (*(OF_NETWORK if of_network else VariantParams.model_fields), *BUDGET)
    for key in changes:
        if key not in allowed:
            raise UserError(unknown_key(f"{path}.{key}", key, allowed))
    budget = {key: changes[key] for key in BUDGET if key in changes}
    rest = {key: value for key, value in changes.items() if key not in budget}
    recipe, shared = base.variant.model_dump(mode="json"), base.training.model_dump()
    if of_network and "optimizer" in rest:
        recipe["replaces_optimizer"] = True
    variant = check(merge(recipe, rest), path, type(base.variant))
    training = check({**shared, **budget}, path, TrainingParams)
    before, after = {**recipe, **shared}, {**variant.model_dump(mode="json"), **training.model_dump()}
    differing = {key: after[key] for key in after if after[key] != before[key] and key in allowed}
    return Cell(name, base.base, variant, training, differing, place, path)


def _same(one: Cell, other: Cell) -> bool:
    return (one.variant, one.training) == (other.variant, other.training)
