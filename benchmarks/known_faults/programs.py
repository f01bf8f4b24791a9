"""All programs: thirty after reports, and more for kinds of fault that the thirty lack."""

from typing import Final

from benchmarks.known_faults import (
    batches,
    data,
    endings,
    outputs,
    padding,
    reading,
    rows,
    signals,
    steps,
    structure,
    updates,
)
from benchmarks.known_faults.program import Program

FAMILIES: Final = (outputs, data, steps, signals, structure)
LATER_FAMILIES: Final = (rows, batches, padding, updates, endings, reading)
REPORTED: Final[tuple[Program, ...]] = tuple(program for family in FAMILIES for program in family.PROGRAMS)
MORE: Final[tuple[Program, ...]] = tuple(program for family in (*FAMILIES, *LATER_FAMILIES) for program in family.MORE)
ALL: Final[dict[str, Program]] = {program.name: program for program in (*REPORTED, *MORE)}
