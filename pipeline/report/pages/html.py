"""Write a report as one HTML file. It contains its pictures, so it can be opened from disk."""

import base64
import struct
from collections.abc import Mapping
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from pipeline.diagnosis.causes import outcome_colours, spelled
from pipeline.diagnosis.palette import LIGHT
from pipeline.report.pages.document import Bar, Bullets, CodeBlock, Document, Picture, Table, Text

INLINE = MarkdownIt("commonmark", {"html": False}).disable("image")  # a picture is a separate block
CSS_PIXELS_PER_METRE = 96 / 0.0254


def render(document: Document, pictures: Mapping[str, bytes]) -> str:
    """Return the whole page.

    Args:
        pictures: the PNG of every picture, by its address.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "inline": lambda text: Markup(INLINE.renderInline(text)),  # markdown-it has escaped all HTML
        "spelled": spelled,
        "anchor": _anchor,
    }
    environment.tests |= {
        kind.__name__.lower(): lambda value, kind=kind: isinstance(value, kind)
        for kind in (Text, Bullets, Table, Picture, CodeBlock, Bar)
    }
    template = environment.from_string(files("pipeline.report.pages").joinpath("page.html").read_text(encoding="utf-8"))
    images = {
        address: {"data": f"data:image/png;base64,{base64.b64encode(png).decode()}", "width": shown_width(png)}
        for address, png in pictures.items()
    }
    return template.render(document=document, pictures=images, colours=outcome_colours(), light=LIGHT)


def _anchor(title: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in title.lower()).split())


def shown_width(png: bytes) -> int:
    """Return the width in CSS pixels at which a figure's text has the intended size in points.

    Args:
        png: the file's bytes. Its chunk pHYs must state the resolution, as in matplotlib's files.
    """
    (width,) = struct.unpack(">I", png[16:20])
    start = png.index(b"pHYs") + 4
    (pixels_per_metre,) = struct.unpack(">I", png[start : start + 4])
    return round(width / pixels_per_metre * CSS_PIXELS_PER_METRE)
