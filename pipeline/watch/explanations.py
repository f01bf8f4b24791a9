"""Explain causes and notices: the text of docs/causes.md, and of `python3 -m pipeline.watch --explain NAME`."""

import re
from collections.abc import Iterator
from textwrap import fill
from typing import Final

from pipeline.diagnosis.causes import TABLE, spelled
from pipeline.diagnosis.notices import NOTICES, Notice
from pipeline.diagnosis.rules.cause import Cause
from pipeline.foundations.errors import UserError
from pipeline.params.file import one_of

WIDTH: Final = 120
EMPHASIS: Final = re.compile(r"\*\*(.+?)\*\*")
LINK: Final = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def explain(name: str) -> str:
    """Return the page of a cause or a notice, or of both if they share the name, as plain text.

    Raises:
        UserError: there is no such cause or notice.
    """
    parts = ["\n".join([f"Cause: {spelled(each.name)}", *cause_bullets(each)]) for each in TABLE if each.name == name]
    parts += [
        "\n".join([f"Notice: {spelled(each.name)}", *_notice_bullets(each)]) for each in NOTICES if each.name == name
    ]
    if not parts:
        names = dict.fromkeys([*(each.name for each in TABLE), *(each.name for each in NOTICES)])
        raise UserError(f"--explain: {name}: {one_of(names, name, 'the causes and notices ')}")
    return LINK.sub(r"\1", EMPHASIS.sub(r"\1", "\n\n".join(parts)))


def cause_bullets(cause: Cause) -> Iterator[str]:
    """Yield the page of a cause as Markdown, a bullet each."""
    yield _bullet("Looks like", cause.looks_like)
    yield _bullet("Means", f"{cause.means}. {cause.measured}".strip())
    yield _bullet("Rule", f"{condition(cause)}.")
    yield _bullet("Confused with", cause.confused_with)
    yield "* **What to try:**"
    yield from (_filled(f"  * {advice.words}", "    ") for advice in cause.advice)


def condition(cause: Cause) -> str:
    """Return the rule of a cause in terms of evidence and thresholds, as Markdown."""
    gate = "; and `train_fit` is not above `harmless_fit`"
    return f"{cause.condition}{gate if cause.needs_misfit else ''}"


def notice_bullet(notice: Notice) -> str:
    """Return a notice as one Markdown bullet."""
    return _filled(f"* **{notice.name}:** {notice.means}. False alarms: {notice.false_alarms}.", "  ")


def _notice_bullets(notice: Notice) -> Iterator[str]:
    yield _bullet("Means", f"{notice.means}.")
    yield _bullet("Rule", f"{notice.condition}.")
    yield _bullet("False alarms", f"{notice.false_alarms}.")


def _bullet(heading: str, text: str) -> str:
    return _filled(f"* **{heading}:** {text[0].upper()}{text[1:]}", "  ")


def _filled(text: str, indent: str) -> str:
    return fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
