"""Which project modules a module imports, transitively: read from the sources, so nothing is executed.

`make deps` runs this file, and writes what each stage imports into the lists of dvc.yaml and studies/dvc.yaml.
"""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXEMPT = ROOT / "pipeline" / "params"  # DVC tracks its values, and it hands on nothing else
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
    """The module and every project module that importing it loads (empty packages left out)."""
    seen: set[str] = set()
    waiting = [module, *(module.rsplit(".", depth)[0] for depth in range(1, module.count(".") + 1))]
    while waiting:
        name = waiting.pop()
        if name in seen or module_file(name) is None:
            continue
        seen.add(name)
        skipped = set() if follow_subprocesses else SUBPROCESSES.get(name, set())
        waiting.extend(direct(name) - skipped)
    return {name for name in seen if module_file(name).stat().st_size}


def external_packages(module: str) -> set[str]:
    """Top-level names of everything foreign that importing the module loads directly or through project modules."""
    modules = project_modules(module, follow_subprocesses=False)
    skipped = set().union(*SUBPROCESSES.values())
    names = set().union(*(direct(name) for name in modules)) - skipped
    return {name.split(".")[0] for name in names} - {"pipeline"}


def dependencies(stage: str) -> list[str]:
    """What the stage must depend on: the modules that it imports, and files beside them that are no modules, such as
    the template of a page. A folder of which it needs everything stands for all of it, which keeps DVC's lock short."""
    modules = [module_file(name) for name in project_modules(f"pipeline.stages.{stage}")]
    beside = {file for module in modules for file in module.parent.iterdir() if file.suffix not in ("", ".py")}
    needed = {file for file in (*modules, *beside) if EXEMPT not in file.parents}
    folders = {folder for file in needed for folder in file.parents if ROOT / "pipeline" in folder.parents}
    for folder in sorted(folders):  # the outer ones first
        whole = {file for file in folder.rglob("*") if _counts(file)}
        if len(whole) > 1 and whole <= needed:
            needed = {file for file in needed if folder not in file.parents} | {folder}
    return sorted(str(file.relative_to(ROOT)) for file in needed)


def _counts(file: Path) -> bool:
    """Not so: what Python compiles, and packages that are empty."""
    return file.is_file() and "__pycache__" not in file.parts and bool(file.stat().st_size)


def renew(file: Path) -> None:
    """Write the lists into a dvc.yaml, and leave all else as it is."""
    stage, listing, indent, lines = "", False, "", []
    for line in file.read_text(encoding="utf-8").splitlines():
        name = re.fullmatch(r"  (\w+):", line)
        stage = name[1] if name else stage
        item = re.fullmatch(r"( +)- (\S+)", line) if listing else None
        if listing and item is None:
            lines += [f"{indent}- {each}" for each in dependencies(stage)]
        listing = item is not None or line.strip() == "deps:"
        indent = item[1] if item else " " * (len(line) - len(line.lstrip()) + 2)
        if item is None or not item[2].startswith("pipeline/"):
            lines.append(line)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name in ("dvc.yaml", "studies/dvc.yaml"):
        renew(ROOT / name)
