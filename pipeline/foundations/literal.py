"""Escape names from data (classes, columns, layers), so that Markdown shows their special characters.

`report.figures.style.in_figure` does the same for figures. HTML needs no function: the template of the pages escapes
all text, and the Markdown parser passes no HTML through.
"""

import re
from typing import Final

MARKS: Final = re.compile(r"[\\`*_\[\]<>&~$]|:(?=//)")


def in_markdown(text: str) -> str:
    """Escape the text, so that Markdown shows it without emphasis, links, pictures, formulas or HTML."""
    return MARKS.sub(r"\\\g<0>", " ".join(text.splitlines()))


def as_code(text: str) -> str:
    """Return a Markdown code span that shows the text, backticks included."""
    line = " ".join(text.splitlines())
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    # Markdown removes one space at each end if both ends have one and the text is not blank.
    is_stripped = line.startswith(" ") and line.endswith(" ") and line.strip(" ")
    if is_stripped or line.startswith("`") or line.endswith("`"):
        line = f" {line} "
    return f"{fence}{line}{fence}" if line else ""
