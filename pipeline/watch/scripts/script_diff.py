"""Write changes of calls as a diff of the user's script, if the calls can be found and changed safely."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

from pipeline.watch.scripts.source_changes import Change


class _Edit(NamedTuple):
    """A part of the text, from one place to another, and the new text for it."""

    start: int
    end: int
    text: str


class UnsafeError(Exception):
    """A change cannot be made safely."""


def diff(changes: Sequence[Change] | None, folder: Path) -> str | None:
    """Return the unified diff that makes the changes; None if it cannot be made safely.

    Args:
        folder: the folder that paths in the diff are relative to, if the files are within it.
    """
    if not changes:
        return None
    try:
        parts = [_of_file(Path(name), changes, folder) for name in dict.fromkeys(each.file for each in changes)]
    except (UnsafeError, OSError, SyntaxError, UnicodeDecodeError):
        return None
    return "".join(parts) or None


def _of_file(path: Path, changes: Sequence[Change], folder: Path) -> str:
    before = path.read_bytes().decode("utf-8")
    after = changed(before, [each for each in changes if each.file == str(path)])
    if after == before:
        raise UnsafeError
    name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
    lines = unified_diff(_lines(before), _lines(after), f"a/{name}", f"b/{name}")
    return "".join(each if each.endswith("\n") else f"{each}\n\\ No newline at end of file\n" for each in lines)


def changed(text: str, changes: Sequence[Change]) -> str:
    """Return the text of a script with changes.

    Raises:
        UnsafeError: a call is not found, or its arguments are not all written there.
        SyntaxError: the script cannot be parsed.
    """
    tree, places = ast.parse(text), _Places(text)
    edits: list[_Edit] = []
    for change in (_with_constructor(tree, each) for each in changes):
        new = [edit for call in _calls(tree, change) for edit in _edits(call, change, places)]
        if not new and change.where != "calls":
            raise UnsafeError
        edits += new
    after = _edited(text, edits)
    ast.parse(after)
    return after


def _edited(text: str, edits: Sequence[_Edit]) -> str:
    """Return the text with edits; several removals may overlap, other edits may not."""
    parts, end, was_removal = [], 0, False
    for edit in sorted(edits, key=lambda each: each.start):  # edits at one place keep their order
        is_removal = not edit.text
        if edit.start < end and not (is_removal and was_removal):
            raise UnsafeError
        parts += [text[end : max(end, edit.start)], edit.text]
        end, was_removal = max(end, edit.end), is_removal
    return "".join(parts) + text[end:]


def _with_constructor(tree: ast.AST, change: Change) -> Change:
    """Return a change of an optimizer that `compile` gets by name as a change of `compile`."""
    if change.where != "optimizer" or change.code is None:
        return change
    (call,) = _calls(tree, replace(change, where="compile"))
    optimizer = _argument(call, "optimizer", 0)
    if optimizer is not None and not (isinstance(optimizer, ast.Constant) and isinstance(optimizer.value, str)):
        return change
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {each.asname or each.name for node in imports for each in node.names}
    prefix = next((code for name, code in (("keras", "keras"), ("tf", "tf.keras")) if name in names), None)
    if prefix is None:
        raise UnsafeError
    code = f"{prefix}.optimizers.{change.name}({change.keyword}={change.code})"
    return replace(change, where="compile", keyword="optimizer", code=code, position=0)


class _Places:
    """Turns lines and columns of `ast` (in bytes of UTF-8) into places in the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = _lines(text)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def start(self, node: ast.AST) -> int:
        """Return the place of a node's first character."""
        return self._place(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        """Return the place behind a node's last character."""
        return self._place(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def _place(self, line: int, column: int) -> int:
        prefix = self._lines[line - 1].encode()[:column].decode()
        return self._starts[line - 1] + len(prefix)


def _lines(text: str) -> list[str]:
    """Return the lines as Python and `patch` count them, with their ends; `splitlines` also splits at form feeds."""
    *lines, last = text.split("\n")
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def _calls(tree: ast.AST, change: Change) -> list[ast.Call]:
    """Return the calls that a change is about."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    if change.where == "calls":
        return [call for call in calls if change.name in ("", _name(call))]
    method = "compile" if change.where in ("compile", "optimizer") else "fit"
    at_line = [call for call in calls if _name(call) == method and call.lineno <= change.line <= (call.end_lineno or 0)]
    if len(at_line) != 1:
        raise UnsafeError
    if change.where == "optimizer":
        return [_constructor(tree, _argument(at_line[0], "optimizer", 0))]
    return at_line


def _constructor(tree: ast.AST, optimizer: ast.expr | None) -> ast.Call:
    """Return the call that creates the optimizer, from the argument of `compile`."""
    if isinstance(optimizer, ast.Name):
        values = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            and any(isinstance(each, ast.Name) and each.id == optimizer.id for each in node.targets)
        ]
        optimizer = values[0] if len(values) == 1 else None
    if not isinstance(optimizer, ast.Call) or not _name(optimizer)[:1].isupper():
        raise UnsafeError
    return optimizer


def _edits(call: ast.Call, change: Change, places: _Places) -> Iterator[_Edit]:
    old = _argument(call, change.keyword, change.position)
    if change.where == "callbacks":
        yield from _without_callback(call, old, change.name, places)
    elif old is None and (change.code is None or not change.is_new):
        return
    elif old is None:
        if any(each.arg is None for each in call.keywords) or any(isinstance(each, ast.Starred) for each in call.args):
            raise UnsafeError
        arguments = [*call.args, *call.keywords]
        place = max(map(places.end, arguments)) if arguments else places.end(call) - 1
        yield _Edit(place, place, f"{', ' if arguments else ''}{change.keyword}={change.code}")
    elif change.code is not None:
        yield _Edit(places.start(old), places.end(old), change.code)
    else:
        keyword = next((each for each in call.keywords if each.arg == change.keyword), None)
        if keyword is None:
            raise UnsafeError
        yield _removed(keyword, [*call.args, *call.keywords], places)


def _without_callback(call: ast.Call, callbacks: ast.expr | None, name: str, places: _Places) -> Iterator[_Edit]:
    if not isinstance(callbacks, ast.List | ast.Tuple):
        raise UnsafeError
    elements = [each for each in callbacks.elts if isinstance(each, ast.Call) and _name(each) == name]
    if not elements:
        raise UnsafeError
    if len(elements) == len(callbacks.elts):
        keyword = next((each for each in call.keywords if each.arg == "callbacks"), None)
        if keyword is None:
            raise UnsafeError
        yield _removed(keyword, [*call.args, *call.keywords], places)
        return
    for each in elements:
        yield _removed(each, callbacks.elts, places)


def _removed(node: ast.AST, siblings: Sequence[ast.AST], places: _Places) -> _Edit:
    """Return the edit that removes a node and the comma beside it."""
    in_order = sorted(siblings, key=places.start)
    index = in_order.index(node)
    if index + 1 < len(in_order):
        return _Edit(places.start(node), places.start(in_order[index + 1]), "")
    if index:
        return _Edit(places.end(in_order[index - 1]), places.end(node), "")
    return _Edit(places.start(node), places.end(node), "")


def _argument(call: ast.Call, keyword: str, position: int) -> ast.expr | None:
    """Return an argument of a call; None if the call does not have it."""
    named = next((each.value for each in call.keywords if each.arg == keyword), None)
    if named is not None:
        return named
    if any(isinstance(each, ast.Starred) for each in call.args[: position + 1]):
        raise UnsafeError
    return call.args[position] if 0 <= position < len(call.args) else None


def _name(call: ast.Call) -> str:
    """Return the last part of the name of the called function."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""
