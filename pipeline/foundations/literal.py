"""Names from data (classes, columns, layers) in Markdown, whatever marks are in them.

In figures `report.figures.style.in_figure` does the same. HTML needs no function: the pages' template escapes all text,
and the parser that makes HTML of Markdown lets no HTML through.
"""

import re
from typing import Final

MARKS: Final = re.compile(r"[\\`*_\[\]<>&~$]|:(?=//)")


def in_markdown(text: str) -> str:
    """Return Markdown that shows the text: no emphasis, link, picture, formula or HTML comes of it."""
    return MARKS.sub(r"\\\g<0>", " ".join(text.splitlines()))


def as_code(text: str) -> str:
    """Return a code span of Markdown with the text in it, backticks included."""
    line = " ".join(text.splitlines())
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    # Markdown takes away a space at each end, where there are two and something between them.
    is_stripped = line.startswith(" ") and line.endswith(" ") and line.strip(" ")
    if is_stripped or line.startswith("`") or line.endswith("`"):
        line = f" {line} "
    return f"{fence}{line}{fence}" if line else ""
