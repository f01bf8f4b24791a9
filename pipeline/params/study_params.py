"""`studies`: a variant or network with changes, one cell for each, to see how often each cell learns."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from pipeline.foundations.errors import UserError
from pipeline.params.data_params import DataParams
from pipeline.params.file import StrictSection, as_map, by_name, check, expect_known_keys, one_of
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams, merge, nested, shown

# The keys of `training` that a cell may change; all others are the same for all cells, so that they can be compared.
BUDGET = ("epochs", "batch_size")
OF_NETWORK = ("config", "optimizer", "remedy")  # the keys of a network that a cell may change
DATA, CONFIG = "data", "config"  # of `data`, a cell may change the arguments of the source
DATA_CONFIG: Final = f"{DATA}.{CONFIG}"
SUGGESTED: Final = "suggested"
MOST_CELLS = 10_000  # in a grid

CellName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.,=+ -]+$", max_length=100)]


def _map_or_word(value: Any) -> Any:
    """Return the map of cells; None for SUGGESTED."""
    if value != SUGGESTED and not isinstance(value, dict):
        raise ValueError(f"must be a map of cells, or {SUGGESTED}")
    return None if value == SUGGESTED else value


class StudyParams(StrictSection):
    """A study of the variant or network `base`.

    grid: for each parameter its values; each combination of values is a cell. A key may be dotted.
    cells: further cells: the changed parameters by the cell's name. None if params.yaml has SUGGESTED: then the base is
        trained first, and each remedy that its diagnosis suggests becomes a cell.
    """

    base: str
    replicas: Annotated[int, Field(ge=1, le=100_000)] | None = None  # as in `training` if left out
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    cells: Annotated[dict[CellName, dict[str, Any]] | None, BeforeValidator(_map_or_word)] = Field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """A variant or network inside a study.

    base: the name of the variant or network that the cell changes.
    data: the source of the cell's rows.
    changes: the changed parameters of the base, by name; those of the data by dotted name, such as `data.config.steps`.
        Empty for the base itself.
    place: the cell's values along the axes of the grid; empty for a cell that is not of a grid.
    path: the cell's place in params.yaml, for messages.
    """

    name: str
    base: str
    variant: VariantParams | NetworkRecipe
    training: TrainingParams
    data: DataParams
    changes: Mapping[str, Any]
    place: Mapping[str, Any]
    path: str

    @property
    def recipe(self) -> dict[str, Any]:
        """Return the variant, its training, and the data if the cell has its own rows, as plain values."""
        data = {DATA: {CONFIG: self.data.config}} if self.has_own_rows else {}
        recipe = {"variant": self.variant.model_dump(mode="json"), "training": self.training.model_dump(mode="json")}
        return {**recipe, **data}

    @property
    def has_own_rows(self) -> bool:
        """Return whether the cell changes `data.config`, so that its rows differ from the base's."""
        return any(key.startswith(DATA_CONFIG) for key in self.changes)


def resolve(studies: Any) -> dict[str, StudyParams]:
    """Return all studies by name, in the file's order, without checking their cells.

    Raises:
        UserError: `studies` is not a map, a name is not a valid folder name, or a value is invalid.
    """
    entries = by_name(studies, "studies", "study")
    return {name: check(value, f"studies.{name}", StudyParams) for name, value in entries.items()}


def cells(
    study: StudyParams,
    name: str,
    recipes: Mapping[str, VariantParams | NetworkRecipe],
    trainings: Callable[[str], TrainingParams],
    data: DataParams,
) -> list[Cell]:
    """Return the cells of a study: the base (unless a cell equals it), the cells of the grid, then the named cells.

    If the cells are SUGGESTED, return only the base; see `suggested`.

    Args:
        study: the study.
        name: the name of the study.
        recipes: the variants, and the recipes of the networks, by name.
        trainings: takes a name of `recipes`; returns its training.
        data: the section `data` of params.yaml.

    Raises:
        UserError: a value of a cell is invalid.
    """
    path = f"studies.{name}"
    if not study.grid and study.cells == {}:
        raise UserError(f"{path}: neither grid nor cells: must have at least one")
    if study.cells is None and study.grid:
        raise UserError(f"{path}.grid: must be left out with cells: {SUGGESTED}")
    if study.base not in recipes:
        raise UserError(f"{path}.base: {study.base}: {one_of(recipes, study.base, 'the variants ')}")
    count = prod(len(values) for values in study.grid.values())
    if count > MOST_CELLS:
        raise UserError(f"{path}.grid: {count:,} combinations: must be at most {MOST_CELLS:,}")
    # Histograms are for `make tensorboard`, which shows the variants.
    training, base = trainings(study.base), recipes[study.base]
    shared = training.model_copy(update={"replicas": study.replicas or training.replicas, "histograms": False})
    section = "variants" if isinstance(base, VariantParams) else "networks"
    reference = Cell(study.base, study.base, base, shared, data, {}, {}, f"{section}.{study.base}")
    if study.cells is None:
        return [reference]
    result = [
        _cell(each, reference, changes, f"{path}.{where}", place) for each, changes, where, place in _changes(study)
    ]
    if not any(_are_same(cell, reference) for cell in result):
        result.insert(0, reference)
    repeated, count = Counter(cell.name for cell in result).most_common(1)[0]
    if count > 1:
        raise UserError(f"{path}: two cells are named {repeated}: names must differ")
    return result


def suggested(known: Sequence[Cell], changes: Mapping[str, dict[str, Any]], name: str) -> list[Cell]:
    """Return suggested changes as cells, except cells that equal a known cell.

    Args:
        known: the cells that the study has already, the base first.
        changes: the suggested changes of the base's parameters, by the name of the cell.
        name: the name of the study.

    Raises:
        UserError: a change is invalid.
    """
    new = [_cell(each, known[0], change, f"studies.{name}.{each}", {}) for each, change in changes.items()]
    return [cell for cell in new if not any(_are_same(cell, other) for other in known)]


def reference_of(cells: Sequence[Cell]) -> Cell:
    """Return the cell that changes nothing; in a grid, it is the cell with the base's values."""
    return next(cell for cell in cells if not cell.changes)


def numeric_axis(cells: Sequence[Cell]) -> str | None:
    """Return the axis of a curve: the grid's only axis with several values, if these are numbers; else None."""
    axes = _axes(cells)
    return next(iter(axes)) if list(axes.values()) == [True] else None


def axes_of_lines(cells: Sequence[Cell]) -> tuple[str, str] | None:
    """Return the axis of numbers and the other axis of a grid with exactly two such axes; else None.

    A figure then has a line for each value of the other axis.
    """
    axes = _axes(cells)
    if sorted(axes.values()) != [False, True]:
        return None
    other, numbers = sorted(axes, key=axes.__getitem__)
    return numbers, other


def _axes(cells: Sequence[Cell]) -> dict[str, bool]:
    """Return for each axis of a grid with several values whether all are numbers."""
    values: dict[str, list[Any]] = {}
    for cell in cells:
        for key, value in cell.place.items():
            if value not in values.setdefault(key, []):
                values[key].append(value)
    return {
        key: all(isinstance(value, int | float) and not isinstance(value, bool) for value in each)
        for key, each in values.items()
        if len(each) > 1
    }


def _changes(params: StudyParams) -> Iterator[tuple[str, dict[str, Any], str, dict[str, Any]]]:
    """Yield name, changes, place in params.yaml and place in the grid of each cell."""
    for values in product(*params.grid.values()) if params.grid else ():
        place = dict(zip(params.grid, values, strict=True))
        changes: dict[str, Any] = {}
        for key, value in place.items():
            changes = merge(changes, nested(key, value))
        yield ", ".join(f"{key}={shown(value)}" for key, value in place.items()), changes, "grid", place
    for name, changes in (params.cells or {}).items():
        yield name, changes, f"cells.{name}", {}


def _cell(name: str, base: Cell, changes: dict[str, Any], path: str, place: dict[str, Any]) -> Cell:
    is_network = isinstance(base.variant, NetworkRecipe)
    allowed = (*(OF_NETWORK if is_network else VariantParams.model_fields), *BUDGET)
    expect_known_keys(changes, path, (*allowed, DATA))
    budget = {key: changes[key] for key in BUDGET if key in changes}
    rest = {key: value for key, value in changes.items() if key not in (*budget, DATA)}
    recipe, shared = base.variant.model_dump(mode="json"), base.training.model_dump()
    if is_network and "optimizer" in rest:
        recipe["replaces_optimizer"] = True
    variant = check(merge(recipe, rest), path, type(base.variant))
    training = check({**shared, **budget}, path, TrainingParams)
    before, after = {**recipe, **shared}, {**variant.model_dump(mode="json"), **training.model_dump()}
    differing = {key: after[key] for key in after if after[key] != before[key] and key in allowed}
    config = _data_config(changes, base.data.config, path)
    own = {key: value for key, value in config.items() if key not in base.data.config or base.data.config[key] != value}
    differing = {**{f"{DATA_CONFIG}.{key}": value for key, value in own.items()}, **differing}
    data = base.data.model_copy(update={CONFIG: config})
    return Cell(name, base.base, variant, training, data, differing, place, path)


def _data_config(changes: Mapping[str, Any], config: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the arguments of the source, overridden by a cell's.

    Raises:
        UserError: the cell changes something else of `data`.
    """
    section = as_map(changes.get(DATA), f"{path}.{DATA}")
    expect_known_keys(section, f"{path}.{DATA}", (CONFIG,))
    return merge(config, as_map(section.get(CONFIG), f"{path}.{DATA_CONFIG}"))


def _are_same(one: Cell, other: Cell) -> bool:
    return (one.variant, one.training, one.data) == (other.variant, other.training, other.data)
