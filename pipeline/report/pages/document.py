"""The content of a report, without its layout: sections of text, lists, tables and pictures.

`html` and `markdown` write it as pages. Each text is one line of Markdown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    markdown: str


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Bar:
    """A table's cell that is drawn as a bar.

    parts: the number of replicas with each outcome; outcomes that no replica has are left out.
    """

    parts: Mapping[str, int]


@dataclass(frozen=True)
class Table:
    """Rows of cells under the headings of the columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Bar]]

    @property
    def outcomes(self) -> set[str]:
        """The outcomes in the table's bars, which a legend explains."""
        return {part for row in self.rows for cell in row if isinstance(cell, Bar) for part in cell.parts}


@dataclass(frozen=True)
class Picture:
    """A figure.

    address: its address relative to the page.
    description: a text for readers who cannot see the figure.
    """

    address: str
    description: str


@dataclass(frozen=True)
class CodeBlock:
    """Lines of code, or of a diff."""

    text: str


Block = Text | Bullets | Table | Picture | CodeBlock


@dataclass(frozen=True)
class Section:
    """A heading and the blocks below it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A title, the short answer, and the sections."""

    title: str
    answer: Sequence[Block]
    sections: Sequence[Section]

    @property
    def blocks(self) -> list[Block]:
        """All blocks in order."""
        return [*self.answer, *(block for section in self.sections for block in section.blocks)]


def verdicts(texts: Iterable[str]) -> Bullets:
    """Return a list of verdicts, each with its first sentence in bold."""
    parts = [text.partition(". ") for text in texts]
    return Bullets([f"**{first.rstrip('.')}.** {rest}".strip() for first, _, rest in parts])
