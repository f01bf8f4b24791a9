"""Which project modules a module imports, transitively: read from the sources, so nothing is executed."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# No result depends on them: DVC tracks the values of params.yaml, and the rest says what went wrong, or guards.
EXEMPT = (
    "pipeline/params",
    "pipeline/foundations/errors.py",
    "pipeline/foundations/files.py",
    "pipeline/stages/__init__.py",
)
# Imported before all else, and no module here uses it: public names, each loaded where a script asks for it. By itself
# it loads only the standard library, which tests/test_wheel.py checks.
SURFACE = "pipeline"
# Started as a process of its own, which is an import that no import statement shows.
SUBPROCESSES = {"pipeline.tracking.packaging": {"pipeline.tracking.package_models"}}


def module_file(module: str) -> Path | None:
    """The module's file, if it is the project's."""
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def direct(module: str) -> frozenset[str]:
    """All modules that its import statements name, packages on the way included; wherever they stand."""
    found: set[str] = set(SUBPROCESSES.get(module, ()))
    for node in ast.walk(ast.parse(module_file(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    parents = {".".join(name.split(".")[:depth]) for name in found for depth in range(1, name.count(".") + 1)}
    return frozenset(found | parents)


def project_modules(module: str, follow_subprocesses: bool = True) -> set[str]:
    """The module and every project module that importing it loads (empty packages left out, and the public surface)."""
    seen: set[str] = {SURFACE}
    waiting = [module, *(module.rsplit(".", depth)[0] for depth in range(1, module.count(".") + 1))]
    while waiting:
        name = waiting.pop()
        if name in seen or module_file(name) is None:
            continue
        seen.add(name)
        skipped = set() if follow_subprocesses else SUBPROCESSES.get(name, set())
        waiting.extend(direct(name) - skipped)
    return {name for name in seen - {SURFACE} if module_file(name).stat().st_size}


def external_packages(module: str) -> set[str]:
    """Top-level names of everything foreign that importing the module loads directly or through project modules."""
    modules = project_modules(module, follow_subprocesses=False)
    skipped = set().union(*SUBPROCESSES.values())
    names = set().union(*(direct(name) for name in modules)) - skipped
    return {name.split(".")[0] for name in names} - {"pipeline"}


def within(place: str, file: Path) -> bool:
    """Whether a file is the place, or lies below it; both relative to the root."""
    return file == Path(place) or Path(place) in file.parents
