"""Write a report as Markdown, for a terminal or a code review."""

from pipeline.diagnosis.causes import spelled
from pipeline.report.pages.document import Bar, Block, Bullets, CodeBlock, Document, Picture, Table, Text


def render(document: Document) -> str:
    """Return the whole page, which links to its pictures."""
    parts = [f"# {document.title}", *map(_block, document.answer)]
    for section in document.sections:
        parts += [f"## {section.title}", *map(_block, section.blocks)]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Text(markdown):
            return markdown
        case Bullets(items):
            return "\n".join(f"* {item}" for item in items)
        case CodeBlock(text):
            return f"```\n{text.rstrip()}\n```"
        case Picture(address, description):
            return f"![{description}]({address})"
        case Table(columns, rows):
            lines = [columns, ["---"] * len(columns), *([_cell(cell) for cell in row] for row in rows)]
            return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(cell: str | Bar) -> str:
    if isinstance(cell, Bar):
        return ", ".join(f"{count} {spelled(outcome)}" for outcome, count in cell.parts.items())
    return cell.replace("|", r"\|")
