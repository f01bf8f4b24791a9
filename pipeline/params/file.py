"""params.yaml as a document of plain values, and how a part of it is checked: every fault is one line."""

import difflib
import math
import re
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from pipeline.foundations.errors import UserError

PARAMS_FILE = Path("params.yaml")
NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
# Limits far above any real file. They end a recursion without end, such as on a list that contains itself.
DEEPEST, MOST = 20, 100_000

Model = TypeVar("Model", bound=BaseModel)


class StrictSection(BaseModel):
    """A frozen, strict group of parameters: no unknown keys, no silent conversion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def load(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """The parsed file, read as DVC reads it (YAML 1.2: `1e-3` is a number).

    Raises:
        UserError: the file is missing or not YAML, a key stands twice, or it is no map of plain values.
    """
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: not found in {Path.cwd()}: run from the folder that holds it") from None
    except OSError:
        raise
    except MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}:{line}: {error.problem}: must be valid YAML with every key once") from None
    except Exception as error:  # YAML tags trigger conversions, each with its own kind of exception
        raise UserError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(document, dict):
        raise UserError(f"{path}: must be a map of sections")
    _expect_plain(document, [], [0])
    return document


def check(value: Any, path: str, model: type[Model]) -> Model:
    """`value` as a `model`; the first fault, if any, is named by its dotted path.

    Args:
        path: where `value` stands, such as `evaluation`; empty for the arguments of a function.

    Raises:
        UserError: `path.key: found: what is allowed`.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise UserError(_first(error, path, model)) from None


def check_partly(value: Any, path: str, model: type[BaseModel]) -> None:
    """As `check`, of what is there; what is missing may be said elsewhere.

    Raises:
        UserError: as `check`.
    """
    try:
        model.model_validate(value)
    except ValidationError as error:
        if any(fault["type"] != "missing" for fault in error.errors(include_url=False)):
            raise UserError(_first(error, path, model)) from None


def one_of(allowed: Iterable[str], name: Any = None, what: str = "") -> str:
    """ "must be one of a, b, c", and which of them `name` may mean."""
    names = list(allowed)
    near = nearest(name, names)
    return f"must be one of {what}{', '.join(names) or '(none)'}" + (f": did you mean {near}?" if near else "")


def nearest(name: Any, allowed: Iterable[str]) -> str | None:
    """The allowed name that is written most like `name`, if one is."""
    near = difflib.get_close_matches(str(name), list(allowed), n=1, cutoff=0.7)
    return near[0] if near else None


def unknown_key(path: str, key: Any, allowed: Iterable[str]) -> str:
    """What is said of a key that nobody knows."""
    names = list(allowed)
    near = nearest(key, names)
    if not names:
        return f"{path}: unknown key"
    return f"{path}: unknown key: " + (f"did you mean {near}?" if near else f"must be one of {', '.join(names)}")


def brief(value: Any, most: int = 60) -> str:
    """A value in a message: at most so many characters, whatever it is."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**200:
        return f"a number of {math.ceil(value.bit_length() * math.log10(2))} digits"
    text = "(empty)" if value is None else str(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def _expect_plain(value: Any, keys: list[str], count: list[int]) -> None:
    """Raises: UserError: what params.yaml cannot mean: a date, a set, a number beyond 64 bits, a map in itself."""
    path = ".".join(keys) or str(PARAMS_FILE)
    count[0] += 1
    if len(keys) > DEEPEST or count[0] > MOST:
        raise UserError(f"{path[:100]}: must be at most {DEEPEST} levels deep, and {MOST} values in all")
    match value:
        case None | bool():
            return
        case dict():
            for key, below in value.items():
                if not isinstance(key, str) or not _is_text(key):
                    raise UserError(f"{path}: {brief(key)!r}: must be a text, to be a key")
                _expect_plain(below, [*keys, key], count)
        case list():
            for place, below in enumerate(value):
                _expect_plain(below, [*keys, str(place)], count)
        case str():
            if not _is_text(value.replace("\t", " ")):  # a tab may separate columns
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
    """No control characters, no halves of characters that UTF-8 cannot write."""
    return all(letter.isprintable() or letter == "\n" for letter in value)


def _first(error: ValidationError, path: str, model: type[BaseModel]) -> str:
    """The line of the first fault. Unknown keys come first: one is often a missing key, misspelled."""
    faults = error.errors(include_url=False)
    order = {"extra_forbidden": 0, "missing": 2}
    faults.sort(key=lambda fault: order.get(fault["type"], 1))
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return _line(path, faults[0], model) + more


def _line(path: str, fault: Any, model: type[BaseModel]) -> str:
    context = fault.get("ctx", {})
    dotted = ".".join(filter(None, [path, *(str(key) for key in fault["loc"])]))
    match fault["type"]:
        case "missing":
            return f"{dotted}: missing: must be given"
        case "extra_forbidden":
            return unknown_key(dotted, fault["loc"][-1], _fields_at(model, fault["loc"][:-1]))
        case "greater_than_equal":
            allowed = f"at least {context['ge']}"
        case "greater_than":
            allowed = f"greater than {context['gt']}"
        case "less_than_equal":
            allowed = f"at most {_grouped(context['le'])}"
        case "less_than":
            allowed = f"less than {context['lt']}"
        case "int_type" | "int_parsing" | "int_from_float":
            allowed = "a whole number"
        case "float_type" | "float_parsing" | "finite_number":
            allowed = "a finite number"
        case "bool_type":
            allowed = "true or false"
        case "string_type":
            allowed = "a text"
        case "literal_error":
            allowed = context["expected"]
        case "dict_type" | "model_type":
            allowed = "a map"
        case "list_type" | "tuple_type":
            allowed = "a list"
        case "string_too_long":
            allowed = f"at most {context['max_length']} characters"
        case "value_error" if isinstance(fault["input"], dict):  # of several values together
            return f"{dotted}: {context['error']}"
        case "value_error":
            return f"{dotted}: {brief(fault['input'])}: {context['error']}"
        case _:
            return f"{dotted}: {brief(fault['input'])}: {fault['msg']}"
    return f"{dotted}: {brief(fault['input'])}: must be {allowed}"


def _grouped(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else str(number)


def _fields_at(model: Any, keys: Iterable[Any]) -> list[str]:
    """The fields of the model that stands at the end of `keys`; none where it is no model."""
    for key in keys:
        if isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(str(key))
            model = field.annotation if field else None
        elif get_origin(model) is dict:
            model = get_args(model)[1]
        if get_origin(model) in (Union, UnionType):  # what may be left out
            model = get_args(model)[0]
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
