"""Find the rows of a study's cells: those of the split, or rows of its own for a cell that changes `data.config`.

Rows of its own are generated and split in memory, as the stages `generate` and `split` do.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pipeline.data import sources
from pipeline.data.split import files
from pipeline.data.split.samples import Origin, Split
from pipeline.data.splitting import split
from pipeline.foundations.errors import UserError
from pipeline.params.study_params import DATA_CONFIG, Cell


@dataclass(frozen=True)
class CellRows:
    """The rows on which a cell is trained and judged.

    origin: where the rows come from.
    fingerprint: a hash of the rows; cells with equal fingerprints have equal rows.
    """

    split: Split
    origin: Origin
    fingerprint: str

    @classmethod
    def of_base(cls) -> "CellRows":
        """Return the rows that the stage `split` wrote.

        Raises:
            UserError: a file is missing or damaged.
        """
        return cls(files.load_split(), files.load_origin(), files.fingerprint())


class StudyRows:
    """The rows of all cells of a study. Cells with equal `data.config` share their rows.

    Args:
        base: the rows of the base.
    """

    def __init__(self, base: CellRows) -> None:
        self.base = base
        self._own: dict[str, CellRows] = {}  # by `data.config` as text

    def of(self, cell: Cell) -> CellRows:
        """Return the rows of a cell.

        Raises:
            UserError: the source cannot have the cell's `data.config`, or its rows have another task than the base's.
        """
        if not cell.has_own_rows:
            return self.base
        key = repr(cell.data)
        if key not in self._own:
            with _named(cell):
                self._own[key] = self._make(cell)
        return self._own[key]

    def _make(self, cell: Cell) -> CellRows:
        data = self.base.origin.data.model_copy(update={"config": cell.data.config})
        parts, origin = split(sources.load(data), data, self.base.origin.split)
        if parts.task != self.base.split.task:
            raise UserError(
                f"{DATA_CONFIG}: the task is {parts.task.in_words}: must be {self.base.split.task.in_words}, as for "
                "the base"
            )
        return CellRows(parts, origin, _fingerprint(parts))


def expect_rows(cells: Sequence[Cell]) -> None:
    """Check that the source can have the `data.config` of each cell, without opening a file.

    Raises:
        UserError: an argument is missing, unknown or outside its limits.
    """
    for cell in cells:
        if cell.has_own_rows:
            with _named(cell):
                sources.expect_source(cell.data)


@contextmanager
def _named(cell: Cell) -> Iterator[None]:
    """Let messages of UserErrors begin with the cell's place in params.yaml.

    Raises:
        UserError: the context raised one.
    """
    try:
        yield
    except UserError as error:
        joint = "." if str(error).startswith(DATA_CONFIG) else f": {cell.name}: "
        raise UserError(f"{cell.path}{joint}{error}") from None


def _fingerprint(parts: Split) -> str:
    """Return the first 12 digits of a SHA-256 of the numbers of all parts, without the names of the parts."""
    digest = hashlib.sha256()
    for part in parts.parts.values():
        for array in (part.inputs, part.targets):
            digest.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:12]
