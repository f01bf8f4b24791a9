"""Find the project modules that a module imports, transitively, by reading sources and executing nothing."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# No result depends on these: DVC tracks the values of params.yaml, and the others report errors and write files.
EXEMPT = (
    "pipeline/params",
    "pipeline/foundations/errors.py",
    "pipeline/foundations/files.py",
    "pipeline/stages/__init__.py",
)
# The package of public names is imported first, but no module of the project uses it. It loads each name when a script
# uses it; until then only the standard library, which tests/test_wheel.py checks.
SURFACE = "pipeline"
# A module that starts another module as a process depends on it without an import statement.
SUBPROCESSES = {"pipeline.tracking.packaging": {"pipeline.tracking.package_models"}}


@cache
def module_file(module: str) -> Path | None:
    """Return the module's file; None if the module is not the project's."""
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def direct(module: str) -> frozenset[str]:
    """Return all modules and their packages that import statements anywhere in the module name."""
    found: set[str] = set(SUBPROCESSES.get(module, ()))
    for node in ast.walk(ast.parse(module_file(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    parents = {".".join(name.split(".")[:depth]) for name in found for depth in range(1, name.count(".") + 1)}
    return frozenset(found | parents)


@cache
def project_modules(module: str, follow_subprocesses: bool = True) -> frozenset[str]:
    """Return the module and every project module that importing it loads, except empty packages and SURFACE."""
    visited: set[str] = {SURFACE}
    waiting = [module, *(module.rsplit(".", depth)[0] for depth in range(1, module.count(".") + 1))]
    while waiting:
        name = waiting.pop()
        if name in visited or module_file(name) is None:
            continue
        visited.add(name)
        skipped = set() if follow_subprocesses else SUBPROCESSES.get(name, set())
        waiting.extend(direct(name) - skipped)
    return frozenset(name for name in visited - {SURFACE} if module_file(name).stat().st_size)


def external_packages(module: str) -> set[str]:
    """Return the names of other packages that importing the module loads, directly or through project modules."""
    modules = project_modules(module, follow_subprocesses=False)
    skipped = set().union(*SUBPROCESSES.values())
    names = set().union(*(direct(name) for name in modules)) - skipped
    return {name.split(".")[0] for name in names} - {"pipeline"}


def within(place: str, file: Path) -> bool:
    """Return whether the file is the place, or lies below it; both are relative to the root."""
    return file == Path(place) or Path(place) in file.parents
