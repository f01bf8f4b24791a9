"""README.md and docs/: links lead somewhere, every parameter is described, commands exist, diffs apply."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

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
NAMES = ("variants", "studies")  # sections whose keys are names that a user gives


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def code(page: Path) -> Iterator[str]:
    """What the page shows as code: blocks, and spans within a line."""
    text = page.read_text(encoding="utf-8")
    yield from (block for _, block in FENCED.findall(text))
    yield from re.findall(r"`([^`]+)`", FENCED.sub("", text))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of the page's headings."""
    kept = (re.sub(r"[^\w\- ]", "", heading).strip() for heading in HEADING.findall(prose(page)))
    return {heading.lower().replace(" ", "-") for heading in kept}


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
    named = {*SECTIONS, *VariantParams.model_fields, *StudyParams.model_fields}
    named |= {key for section in SECTIONS if section not in NAMES for key in document[section]}
    described = set(re.findall(r"`([^`]+)`", prose(ROOT / "docs" / "reference.md")))
    assert sorted(named - described) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_of_make_exists(page: Path) -> None:
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony is not None
    assert {target for text in code(page) for target in MAKE.findall(text)} <= set(phony[1].split())


@pytest.mark.parametrize("cause", cause_names())
def test_every_cause_is_described(cause: str) -> None:
    """Its rule in the reference, and what it looks like on the page of causes."""
    assert f"| `{cause}` |" in (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert cause in (ROOT / "docs" / "causes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [REFERENCE, CAUSES], ids=lambda page: page.name)
def test_what_the_pages_take_from_the_code_is_as_in_the_code(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == pages()[page], "run `make docs`"


def test_the_comments_of_a_key_stand_behind_it_and_on_the_lines_that_follow() -> None:
    text = "# of all\na:  # of a\n  b: '#'  # first\n        # second\n  c:\n    d: 1  # of d\n# of nothing\ne: 2\n"
    assert comments_of(text) == {"a": "of a", "a.b": "first second", "a.c": "", "a.c.d": "of d", "e": ""}


def test_every_diff_applies() -> None:
    """To the code as it is; each by itself."""
    found = FENCED.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8"))
    diffs = [block for language, block in found if language == "diff"]
    assert diffs
    for diff in diffs:
        done = subprocess.run(
            ["git", "apply", "--check", "-"], input=diff, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert not done.returncode, f"{done.stderr}{diff}"
