"""Read params.yaml as plain values, and check parts of it: each fault is reported in one line."""

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Final, TypeAlias, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from pipeline.foundations.errors import UserError

PARAMS_FILE = Path("params.yaml")
NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
# The values that YAML and JSON can hold.
Plain: TypeAlias = "bool | int | float | str | Sequence[Plain] | Mapping[str, Plain] | None"
Fault: TypeAlias = Mapping[str, Any]  # an entry of pydantic's `ValidationError.errors()`
# Limits far above any real file. They stop infinite recursion, such as on a list that contains itself.
MAX_DEPTH, MAX_VALUES = 20, 100_000
# What is allowed, by pydantic's type of the fault; pydantic's context of the fault fills the braces.
_ALLOWED: Final = {
    "greater_than_equal": "at least {ge}",
    "greater_than": "greater than {gt}",
    "less_than_equal": "at most {le:,}",
    "less_than": "less than {lt}",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "a finite number"),
    "bool_type": "true or false",
    "string_type": "a text",
    "string_too_short": "a text of {min_length} or more characters",
    "string_too_long": "at most {max_length} characters",
    "literal_error": "{expected}",
    **dict.fromkeys(("dict_type", "model_type"), "a map"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    "too_short": "a list of {min_length} or more",
}

Model = TypeVar("Model", bound=BaseModel)


class StrictSection(BaseModel):
    """A frozen, strict group of parameters: no unknown keys, no silent conversion, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def load(path: Path = PARAMS_FILE) -> dict[str, Plain]:
    """Read the file as DVC does (YAML 1.2, in which `1e-3` is a number).

    Raises:
        UserError: the file is missing or not YAML, a key occurs twice, or the document is not a map of plain values.
    """
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: not found in {Path.cwd()}: run this in the folder that has it") from None
    except OSError:
        raise
    except MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}:{line}: {error.problem}: must be valid YAML, and no key may occur twice") from None
    except Exception as error:  # YAML tags call converters, which raise many types
        raise UserError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(document, dict):
        raise UserError(f"{path}: must be a map of sections")
    _expect_plain(document, [], [0])
    return document


def check(value: Any, path: str, model: type[Model]) -> Model:
    """Return `value` as a `model`.

    Args:
        value: a part of params.yaml, or arguments that a user passes to a function.
        path: the dotted path of `value`, such as `evaluation`; empty for arguments of a function.

    Raises:
        UserError: the first fault, as `path.key: value: what is allowed`.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise UserError(_first_message(error, path, model)) from None


def check_partly(value: Mapping[str, Plain], path: str, model: type[BaseModel]) -> None:
    """Check the present keys as `check` does; the others may be missing, because each variant may have them."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        if any(fault["type"] != "missing" for fault in error.errors(include_url=False)):
            raise UserError(_first_message(error, path, model)) from None


def as_map(value: Plain, path: str) -> Mapping[str, Plain]:
    """Return a section that must be a map; an empty map if the section is empty.

    Raises:
        UserError: the section is something else.
    """
    if value is not None and not isinstance(value, dict):
        raise UserError(f"{path}: {brief(value)}: must be a map, or {{}}")
    return value or {}


def by_name(value: Plain, section: str, kind: str) -> Mapping[str, Plain]:
    """Return a section whose keys are names of folders.

    Args:
        section: the section's name, such as `studies`.
        kind: what each key names, such as "study".

    Raises:
        UserError: the section is not a map, or a name is not a valid folder name.
    """
    entries = as_map(value, section)
    for name in entries:
        if not NAME.fullmatch(name):
            raise UserError(f"{section}.{name}: a {kind}'s name must be a text of A-Z a-z 0-9 _ -")
    return entries


def one_of(allowed: Iterable[str], name: str = "", what: str = "") -> str:
    """Return "must be one of a, b, c: did you mean b?"; the question only if a spelling is close to `name`.

    Args:
        what: words in front of the names, such as "the variants ".
    """
    names = list(allowed)
    near = nearest(name, names)
    return f"must be one of {what}{', '.join(names) or '(none)'}" + (f": did you mean {near}?" if near else "")


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed name that is spelled most like `name`; None if none is close."""
    near = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.7)
    return near[0] if near else None


def unknown_key(path: str, key: str, allowed: Iterable[str]) -> str:
    """Return the message about an unknown key."""
    names = list(allowed)
    near = nearest(key, names)
    hint = f"did you mean {near}?" if near else f"must be one of {', '.join(names)}"
    return f"{path}: unknown key" + (f": {hint}" if names else "")


def expect_known_keys(section: Mapping[str, Plain], path: str, allowed: Iterable[str]) -> None:
    """Raise a UserError if a section has a key that is not allowed."""
    for key in section:
        if key not in allowed:
            raise UserError(unknown_key(f"{path}.{key}", key, allowed))


def brief(value: Any, most: int = 60) -> str:
    """Return any value as a short text for a message: at most `most` characters."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**200:
        return f"a number of {math.ceil(value.bit_length() * math.log10(2))} digits"
    text = "(empty)" if value is None else str(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def _expect_plain(value: Any, keys: list[str], count: list[int]) -> None:
    """Check that a parsed document holds only plain values.

    Args:
        value: a value from the YAML parser.
        keys: the path of `value` in the document.
        count: a list with one number, the count of values so far.

    Raises:
        UserError: a value is a date, a set, a number beyond 64 bits, unprintable text, or a map that contains itself.
    """
    path = ".".join(keys) or str(PARAMS_FILE)
    count[0] += 1
    if len(keys) > MAX_DEPTH or count[0] > MAX_VALUES:
        raise UserError(f"{path[:100]}: must be at most {MAX_DEPTH} levels deep, and {MAX_VALUES} values in all")
    match value:
        case None | bool():
            return
        case dict():
            for key, inner in value.items():
                if not isinstance(key, str) or not _is_text(key):
                    raise UserError(f"{path}: {brief(key)!r}: every key must be printable text")
                _expect_plain(inner, [*keys, key], count)
        case list():
            for place, inner in enumerate(value):
                _expect_plain(inner, [*keys, str(place)], count)
        case str():
            if not _is_text(value.replace("\t", " ")):  # a tab is a possible delimiter of a CSV
                raise UserError(f"{path}: {brief(value)!r}: must be printable text")
        case int() if abs(value) >= 2**63:
            raise UserError(f"{path}: {brief(value)}: must be a whole number of at most 64 bits")
        case float() if not math.isfinite(value):
            raise UserError(f"{path}: {value}: must be a finite number")
        case int() | float():
            return
        case _:
            raise UserError(f"{path}: {brief(value)}: must be a number, a text, true or false, a list or a map")


def _is_text(value: str) -> bool:
    """Return whether the text has no control characters and no surrogates, which UTF-8 cannot encode."""
    return all(letter.isprintable() or letter == "\n" for letter in value)


def _first_message(error: ValidationError, path: str, model: type[BaseModel]) -> str:
    """Return the message of the first fault: unknown keys before others, because many are misspelled missing keys."""
    faults = error.errors(include_url=False)
    order = {"extra_forbidden": 0, "missing": 2}
    faults.sort(key=lambda fault: order.get(fault["type"], 1))
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return _message(path, faults[0], model) + more


def _message(path: str, fault: Fault, model: type[BaseModel]) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    dotted = ".".join(filter(None, [path, *(str(key) for key in fault["loc"])]))
    if kind == "missing":
        return f"{dotted}: missing: must be given"
    if kind == "extra_forbidden":
        return unknown_key(dotted, str(fault["loc"][-1]), _fields_at(model, fault["loc"][:-1]))
    if kind == "value_error" and isinstance(fault["input"], dict):  # a fault of several values together
        return f"{dotted}: {context['error']}"
    reason = context["error"] if kind == "value_error" else fault["msg"]
    if kind in _ALLOWED:
        reason = f"must be {_ALLOWED[kind].format(**context)}"
    return f"{dotted}: {brief(fault['input'])}: {reason}"


def _fields_at(model: Any, keys: Iterable[int | str]) -> list[str]:
    """Return the field names of the model at the path `keys` inside `model`; empty if no model is there.

    Args:
        model: a model, or any other type annotation.
    """
    for key in keys:
        if isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(str(key))
            model = field.annotation if field else None
        elif get_origin(model) is dict:
            model = get_args(model)[1]
        if get_origin(model) in (Union, UnionType):  # an optional value
            model = get_args(model)[0]
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
