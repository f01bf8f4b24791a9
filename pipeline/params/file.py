"""params.yaml: the one home of every scientific value. Read here, checked section by section."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.foundations.errors import UserError

PARAMS_FILE = Path("params.yaml")
SECTIONS = (
    "data",
    "split",
    "training",
    "defaults",
    "variants",
    "evaluation",
    "comparison",
    "tracking",
    "tensorboard",
    "diagnosis",
    "studies",
)
VARIANT_NAME = re.compile(r"[A-Za-z0-9_-]+")

Model = TypeVar("Model", bound=BaseModel)


class Section(BaseModel):
    """A frozen, strict group of parameters: no unknown keys, no silent conversion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def read(path: Path = PARAMS_FILE) -> Mapping[str, Any]:
    """The parsed file, read as DVC reads it (YAML 1.2: `1e-3` is a number).

    Raises:
        UserError: the file is missing or not YAML, a key stands twice, or a section or variant has a bad name.
    """
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: not found in {Path.cwd()}: run from the folder that holds it") from None
    except MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}:{line}: {error.problem}: must be valid YAML with every key once") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(document, dict):
        raise UserError(f"{path}: must be a map with the sections {', '.join(SECTIONS)}")
    unknown = [str(name) for name in document if name not in SECTIONS]
    if unknown:
        raise UserError(f"{unknown[0]}: unknown section: must be one of {', '.join(SECTIONS)}")
    variants = document.get("variants")
    if isinstance(variants, dict):
        for name in variants:
            if not isinstance(name, str) or not VARIANT_NAME.fullmatch(name):
                raise UserError(f"variants.{name}: a variant's name must be a text of A-Z a-z 0-9 _ -")
    return document


def section(document: Mapping[str, Any], name: str, model: type[Model]) -> Model:
    """The top-level section `name`, checked.

    Raises:
        UserError: the section is missing or holds a bad value.
    """
    if name not in document:
        raise UserError(f"{name}: missing from {PARAMS_FILE}")
    return check(document[name], name, model)


def check(value: Any, path: str, model: type[Model]) -> Model:
    """`value` as a `model`; the first fault, if any, is named by its dotted path.

    Raises:
        UserError: `path.key: found: what is allowed`.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise UserError(_line(path, faults[0], model) + more) from None


def _line(path: str, fault: Any, model: type[BaseModel]) -> str:
    context = fault.get("ctx", {})
    dotted = ".".join([path, *(str(key) for key in fault["loc"])])
    match fault["type"]:
        case "missing":
            return f"{dotted}: missing: must be given"
        case "extra_forbidden":
            known = _fields_at(model, fault["loc"][:-1])
            return f"{dotted}: unknown key" + (f": must be one of {', '.join(known)}" if known else "")
        case "greater_than_equal":
            allowed = f"at least {context['ge']}"
        case "greater_than":
            allowed = f"greater than {context['gt']}"
        case "less_than_equal":
            allowed = f"at most {context['le']}"
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
        case "value_error":
            return f"{dotted}: {_shown(fault['input'])}: {context['error']}"
        case _:
            return f"{dotted}: {_shown(fault['input'])}: {fault['msg']}"
    return f"{dotted}: {_shown(fault['input'])}: must be {allowed}"


def _fields_at(model: type[BaseModel], keys: tuple[Any, ...]) -> list[str]:
    for key in keys:
        field = model.model_fields.get(str(key))
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return []
        model = field.annotation
    return list(model.model_fields)


def _shown(value: Any) -> str:
    text = "(empty)" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
