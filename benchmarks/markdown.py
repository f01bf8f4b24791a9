"""Tables in Markdown, and the generated parts of pages."""

from collections.abc import Iterable, Sequence
from pathlib import Path


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, one line a row."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def generated_part(page: Path, begin: str, end: str) -> str:
    """Return the text between two lines of the page."""
    return page.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]


def renew(page: Path, begin: str, end: str, text: str) -> None:
    """Replace the text between two lines of the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}{text}{end}{after}", encoding="utf-8")
