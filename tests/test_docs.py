"""README.md and docs/: links exist, parameters, commands and packages are complete, diffs apply."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_dependencies import ORDER

from docs.generate import CAUSES, REFERENCE, comments_of, pages
from pipeline.diagnosis.causes import cause_names
from pipeline.params.file import load
from pipeline.params.params import SECTIONS
from pipeline.params.study_params import StudyParams
from pipeline.params.variant_params import VariantParams

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README_BYTES = 7_000
FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MAKE = re.compile(r"\bmake(?: [A-Z]+=\S*)* ([a-z]+)")
PYTHON = re.compile(r"\bpython3 (?:-m (?!venv)([\w.]+)|((?:\w+/)+\w+\.py))")
NAMES = ("variants", "studies")  # sections whose keys are names that a user gives
# Scripts that no user runs: a helper of the tests, and a part of an example.
INTERNAL = {"tests/preloaded.py", "examples.customers.make_table"}


def prose(page: Path) -> str:
    """Return the page without its blocks of code."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def code(page: Path) -> Iterator[str]:
    """Yield the page's code: blocks, and spans within a line."""
    text = page.read_text(encoding="utf-8")
    yield from (block for _, block in FENCED.findall(text))
    yield from re.findall(r"`([^`]+)`", FENCED.sub("", text))


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of the page's headings."""
    headings = (re.sub(r"[^\w\- ]", "", heading).strip() for heading in HEADING.findall(prose(page)))
    return {heading.lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_and_pictures_exist(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= README_BYTES


def test_every_parameter_is_in_the_reference() -> None:
    document = load(ROOT / "params.yaml")
    parameters = {*SECTIONS, *VariantParams.model_fields, *StudyParams.model_fields}
    parameters |= {key for section in SECTIONS if section not in NAMES for key in document[section]}
    described = set(re.findall(r"`([^`]+)`", prose(ROOT / "docs" / "reference.md")))
    assert sorted(parameters - described) == []


def make_targets() -> set[str]:
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony is not None
    return set(phony[1].split())


def python_commands() -> set[str]:
    """Return what follows `python3` or `python3 -m` for all files of the repository that can be run."""
    commands = set()
    for folder in ("pipeline", "benchmarks", "docs", "examples", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            name = path.relative_to(ROOT)
            # examples/*/run has copies, and tests/scripts has scripts of imaginary users
            if path.name.startswith("test_") or "run" in name.parts or name.parts[:2] == ("tests", "scripts"):
                continue
            if '__name__ == "__main__"' in path.read_text(encoding="utf-8"):
                module = ".".join(name.with_suffix("").parts).removesuffix(".__main__")
                commands.add(str(name) if folder == "tests" else module)
    return commands - INTERNAL


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_exists(page: Path) -> None:
    shown = list(code(page))
    assert {target for text in shown for target in MAKE.findall(text)} <= make_targets()
    scripts = {module or script for text in shown for module, script in PYTHON.findall(text)}
    existing = python_commands() | {name for name in scripts if (ROOT / name).is_file()}
    assert scripts <= existing


def test_the_page_of_commands_has_all_of_them() -> None:
    shown = list(code(ROOT / "docs" / "commands.md"))
    assert {target for text in shown for target in MAKE.findall(text)} == make_targets()
    modules = {module or script for text in shown for module, script in PYTHON.findall(text)}
    assert python_commands() <= modules | set(shown)  # those that other commands start stand alone


def test_make_help_has_all_targets() -> None:
    help_ = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(MAKE.findall(help_)) == make_targets() - {"help"}


def test_the_table_of_packages_is_the_house() -> None:
    """All packages, in the order of their imports, the ground at the bottom."""
    section = (ROOT / "docs" / "explanation.md").read_text(encoding="utf-8").partition("## The packages")[2]
    packages = re.findall(r"^\| `(\w+)` \|", section.partition("\n## ")[0], re.MULTILINE)
    assert set(packages) == {path.parent.name for path in (ROOT / "pipeline").glob("*/__init__.py")}
    assert packages == [name for name in reversed(ORDER) if name in packages]


@pytest.mark.parametrize("cause", cause_names())
def test_every_cause_is_described(cause: str) -> None:
    """In the reference by its rule, on the page of causes by its symptoms."""
    assert f"| `{cause}` |" in (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert cause in (ROOT / "docs" / "causes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [REFERENCE, CAUSES], ids=lambda page: page.name)
def test_what_the_pages_take_from_the_code_is_as_in_the_code(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == pages()[page], "run `make docs`"


def test_the_comments_of_a_key_stand_behind_it_and_on_the_lines_that_follow() -> None:
    text = "# of all\na:  # of a\n  b: '#'  # first\n        # second\n  c:\n    d: 1  # of d\n# of nothing\ne: 2\n"
    assert comments_of(text) == {"a": "of a", "a.b": "first second", "a.c": "", "a.c.d": "of d", "e": ""}


def test_every_diff_applies() -> None:
    """Each diff, by itself, to the code as it is."""
    blocks = FENCED.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8"))
    diffs = [block for language, block in blocks if language == "diff"]
    assert diffs
    for diff in diffs:
        result = subprocess.run(
            ["git", "apply", "--check", "-"], input=diff, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert not result.returncode, f"{result.stderr}{diff}"
