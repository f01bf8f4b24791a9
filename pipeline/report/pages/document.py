"""A report as content, before it is a page: sections of text, tables and pictures. Text is Markdown, of one line."""

from collections.abc import Mapping, Sequence
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
    """A table's cell that shows how a whole is made up: replicas by outcome, those with none left out."""

    parts: Mapping[str, int]


@dataclass(frozen=True)
class Table:
    """Rows of cells under column heads."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Bar]]

    @property
    def in_bars(self) -> set[str]:
        """What its bars are made up of: what a legend explains."""
        return {part for row in self.rows for cell in row if isinstance(cell, Bar) for part in cell.parts}


@dataclass(frozen=True)
class Picture:
    """A figure by its address relative to the page, and what it says, for those who cannot see it."""

    address: str
    says: str


Block = Text | Bullets | Table | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A title, the answer in short, and the sections."""

    title: str
    answer: Sequence[Block]
    sections: Sequence[Section]

    @property
    def blocks(self) -> list[Block]:
        """All blocks in order."""
        return [*self.answer, *(block for section in self.sections for block in section.blocks)]
