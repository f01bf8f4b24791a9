"""All known-good programs by name."""

from benchmarks.known_good import generative, own_steps, pictures, regression, sequences, several, tabular, text
from benchmarks.known_good.good_program import GoodProgram

MODULES = (tabular, regression, text, sequences, pictures, generative, several, own_steps)
PROGRAMS: dict[str, GoodProgram] = {program.name: program for module in MODULES for program in module.PROGRAMS}
