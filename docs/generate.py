"""`make docs`: renew docs/verdict.schema.json, and generated sections of docs/reference.md and docs/causes.md.

The sections are the causes, evidence, remedies, parameters and metrics. Each section is between two comment lines; the
text around the sections is written by hand.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any, Final

from pydantic import BaseModel

from pipeline.diagnosis import evidence
from pipeline.diagnosis.causes import TABLE, network_remedies, spelled
from pipeline.diagnosis.evidence_units import UNITS
from pipeline.diagnosis.notices import NOTICES
from pipeline.diagnosis.rules.cause import Cause
from pipeline.history import record
from pipeline.params.file import load
from pipeline.params.params import Params
from pipeline.params.variant_params import VariantParams
from pipeline.remedies.remedy_registry import REMEDIES
from pipeline.tracking.metric_keys import GROUPS
from pipeline.watch.explanations import WIDTH, cause_bullets, condition, notice_bullet
from pipeline.watch.for_machines.report_models import schema

ROOT: Final = Path(__file__).resolve().parent.parent
PARAMS, REFERENCE, CAUSES = ROOT / "params.yaml", ROOT / "docs" / "reference.md", ROOT / "docs" / "causes.md"
SCHEMA: Final = ROOT / "docs" / "verdict.schema.json"
FAMILIES: Final = {
    "data": ("Data", ""),
    "model": ("Model", ""),
    "fit": (
        "Around the model",
        "The model may be fine, and what `fit` does with it is not. The callback sees it from the arguments of `fit`, "
        "the rows that it feeds, and the steps that the optimizer takes; variants of params.yaml have none of these "
        "causes.",
    ),
    "optimisation": ("Steps", ""),
    "signals": (
        "Signals",
        "The [explanation](explanation.md) says what small, dead and saturated signals do to the tutorial's networks, "
        "how often, and what was tried against it. None of these seven is a cause or an alarm if "
        "the loss fell all the same (by `diagnosis.harmless_fit`): units of a certain prediction are saturated, and a "
        "fitted network has small gradients.",
    ),
    "inference": ("In inference", ""),
    "rest": ("The rest", ""),
}
# The allowed values of parameters whose type does not state them.
ALLOWED: Final = {
    "data.source": "a name of the [list](your-data.md), or `tables/NAME.csv`, `.parquet`, `.npz`",
    "data.config": "a map; a generator needs a `random_state`, a source of sequences `steps`, `samples` and `seed`; of "
    "files, only `.npz` may have one: `crop` and `steps`",
    "data.target": "a column",
    "data.features": "`all`, or a list of columns",
    "data.positive_class": "a class of the target; empty (`null`): the last one, in ascending order or in the order "
    "that a Parquet file states (ordered categories)",
    "data.delimiter": 'one character that is no letter, digit, quote, `.`, `+` or `-`; a tab is `"\\t"`',
    "split.train": "a number of rows, or a share below 1",
    "split.validation": "0, a number of rows, or a share below 1",
    "split.scale.range": "[lower, upper], within -1000 to 1000, at least 0.001 apart",
    "defaults.hidden_layers": "1 to 1,000; may be left out where `units` is a list",
    "defaults.units": "1 to 10,000; or a list of one such number for each hidden layer, from the first",
    "defaults.activation": "a Keras activation, or `{class_name, config}` of an activation layer without a kernel, "
    "random numbers or a state",
    "defaults.residual": "`true`, `false`; only `false` where hidden layers differ in width",
    "defaults.kernel_initializer": "a Keras initialiser without a `seed`, `random_walk` with `gain` (`linear`, `relu` "
    "or a number above 0, at most 1000), or `randomized_asymmetric`",
    "defaults.output_kernel_initializer": "as above, except `randomized_asymmetric`",
    "defaults.kernel_regularizer": "`none`, or a Keras regulariser that is finite for each kernel",
    "defaults.optimizer": "SGD, RMSprop, Adam, AdamW, Adagrad, Adadelta, Adamax, Nadam, Lion or Ftrl, without "
    "`use_ema`, `gradient_accumulation_steps` and `loss_scale_factor`; `learning_rate` is a number, or one of Keras's "
    "schedules as `{class_name, config}`",
    "evaluation.learned": "a number below 1: of the task's main score; one score and its number, such as "
    "`{balanced_accuracy: 0.7}`; or left out: the task's usual threshold",
    "comparison.pair": "two different variants or networks",
    "comparison.weights": "two different variants or networks",
    "comparison.claims": "a map by variant; each of `train_accuracy`, `test_accuracy` (0 to 1), `learns` (`true`, "
    "`false`) and `converged_by_epoch` (0 to 1,000,000) may be left out",
    "comparison.gradient_claim": "`more` and `less`: two variants",
    "tracking.experiment": "1 to 200 characters",
    "tracking.registered_model": "letters, digits, `_ . -` and spaces, at most 200; `auto`, or left out: the source's "
    "name and the task",
    "tensorboard.replicas": "a list of `median`, `best`, `each_cause` or replica numbers from 0",
}
NOT_SHIPPED: Final = {"defaults.hidden_layers": "number of hidden dense layers; each variant states it"}
DESCRIBED: Final = (  # sections of params.yaml with one table
    *("data", "split", "training", "defaults", "evaluation", "comparison", "tracking", "tensorboard", "diagnosis"),
)
COMMENT: Final = re.compile(r"^(?P<code>(?:[^#'\"]|'[^']*'|\"[^\"]*\")*?)(?:(?:^|\s)#\s?(?P<comment>.*))?$")
KEY: Final = re.compile(r"^(?P<indent> *)(?P<key>\w+):")


def sections() -> dict[Path, dict[str, str]]:
    """Return the generated sections of each page, by name, as Markdown."""
    comments = comments_of(PARAMS.read_text(encoding="utf-8"))
    document = load(PARAMS)
    parameters = {f"parameters of {name}": parameters_of(name, document, comments) for name in DESCRIBED}
    return {
        REFERENCE: {
            **parameters,
            "remedies": remedies(),
            "causes": causes(),
            "notices": notices(),
            "evidence": _evidence(),
            "metrics": metrics(),
            "layer table": _meanings("column", record.LAYER_TABLE),
            "layer values": _meanings("value", {**record.LAYER_VALUES, record.SATURATED: record.SATURATED_TEXT}),
        },
        CAUSES: {
            "causes": "\n".join(_family(name) for name in FAMILIES),
            "notices": "".join(f"{notice_bullet(each)}\n" for each in NOTICES),
        },
    }


def renewed(page: str, name: str, text: str) -> str:
    """Return the page with a new text in one section.

    Raises:
        ValueError: the page does not have exactly one section of this name.
    """
    section = re.compile(rf"(<!-- {name}: [^\n]* -->\n).*?(<!-- /{name} -->\n)", re.DOTALL)
    if len(section.findall(page)) != 1:
        raise ValueError(f"{name}: must be one section between <!-- {name}: ... --> and <!-- /{name} -->")
    return section.sub(lambda match: f"{match[1]}{text}{match[2]}", page)


def pages() -> dict[Path, str]:
    """Return the schema of the report for machines, and each page with all its generated sections renewed."""
    texts = {SCHEMA: json.dumps(schema(), indent=2) + "\n"}
    for path, own in sections().items():
        texts[path] = path.read_text(encoding="utf-8")
        for name, text in own.items():
            texts[path] = renewed(texts[path], name, text)
    return texts


def _evidence() -> str:
    """Return the table of evidence."""
    rows = [(f"`{name}`", UNITS[name], meaning) for name, meaning in evidence.COLUMNS.items()]
    return _table(("evidence", "unit", "meaning"), rows)


def causes() -> str:
    """Return the table of causes, by precedence."""
    rows = [(f"`{each.name}`", each.family, each.means, condition(each)) for each in TABLE]
    return _table(("cause, by precedence", "family", "what it means", "evidence and rule"), rows)


def notices() -> str:
    """Return the table of notices."""
    rows = [(f"`{each.name}`", each.means, each.condition, "yes" if each.is_early else "no") for each in NOTICES]
    return _table(("notice", "what it means", "evidence and rule", "logged after the first epoch"), rows)


def metrics() -> str:
    """Return a table of MLflow's metrics for each kind of run."""
    tables = []
    for kind, keys in GROUPS.items():
        rows = [(f"`{key.pattern}`", key.meaning) for key in keys if key.template not in evidence.COLUMNS]
        if len(rows) < len(keys):
            rows.append(("each number of the [evidence](#causes)", "where it exists"))
        tables.append(_table((kind, "meaning"), rows))
    return "\n".join(tables)


def remedies() -> str:
    """Return the table of remedies, and the causes that each is suggested against."""
    columns = ("remedy", "changes of any Keras model", "as parameters of a variant", "against")
    return _table(columns, [_remedy(name) for name in REMEDIES])


def _remedy(name: str) -> tuple[str, ...]:
    remedy, example = REMEDIES[name], _example()
    overrides = remedy.overrides(example, 100) if remedy.overrides is not None else {}
    against = [
        f"`{each.name}`"
        for each in TABLE
        if name in network_remedies(each.name) or name in {own.remedy for own in each.remedies}
    ]
    changes = remedy.changes if remedy.in_place or not remedy.changes else f"another model: {remedy.changes}"
    return f"`{name}`", changes, ", ".join(f"`{key}`" for key in overrides), ", ".join(against)


def _example() -> VariantParams:
    """Return a variant to which every change of parameters applies."""
    defaults = load(PARAMS)["defaults"]
    constants = {"class_name": "Constant", "config": {"value": 0.5}}
    own = {"hidden_layers": 3, "kernel_initializer": constants, "output_kernel_initializer": constants}
    return VariantParams.model_validate({**defaults, **own})


def _family(family: str) -> str:
    heading, text = FAMILIES[family]
    parts = [f"## {heading}\n", *([f"{fill(text, WIDTH)}\n"] if text else [])]
    return "\n".join([*parts, *(_cause(each) for each in TABLE if each.family == family)])


def _cause(cause: Cause) -> str:
    title, picture = spelled(cause.name).capitalize(), f"causes/{cause.name}.png"
    has_picture = (ROOT / "docs" / picture).is_file()
    lines = [
        f"### {cause.name}\n",
        *([f"![{title}: a faulty program and its repaired twin]({picture})\n"] if has_picture else []),
        *cause_bullets(cause),
        "",
    ]
    return "\n".join(lines)


def parameters_of(section: str, document: Mapping[str, Any], comments: Mapping[str, str]) -> str:
    """Return the table of a section's parameters: meanings from params.yaml, allowed values from the model.

    Args:
        document: the content of params.yaml.
        comments: the comments of params.yaml, by dotted key.
    """
    model = VariantParams if section == "defaults" else Params.model_fields[section].annotation
    assert isinstance(model, type)
    rows = list(_parameters(section, model, document[section], comments))
    return _table(("key", "meaning", "allowed", "as shipped"), rows)


def _parameters(
    path: str, model: type[BaseModel], values: Mapping[str, Any], comments: Mapping[str, str]
) -> Iterable[tuple[str, ...]]:
    schema = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        dotted = f"{path}.{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel) and dotted not in ALLOWED:
            yield from _parameters(dotted, field.annotation, values[name], comments)
            continue
        shown = f"`{_written(values[name])}`" if values.get(name) is not None else "empty"
        key = f"`{'`: `'.join(dotted.split('.')[1:])}`"
        yield (
            key,
            comments.get(dotted) or NOT_SHIPPED[dotted],
            ALLOWED.get(dotted) or _allowed(schema[name], dotted),
            shown,
        )


def _allowed(schema: Mapping[str, Any], path: str) -> str:
    """Return the allowed values of a parameter, from its JSON schema.

    Raises:
        KeyError: the schema does not state them, so ALLOWED must.
    """
    if schema.get("type") == "boolean":
        return "`true`, `false`"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("type") in ("integer", "number"):
        low, high = schema.get("minimum"), schema.get("maximum")
        above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        if above is not None and below is not None:
            return f"between {_number(above)} and {_number(below)}"
        lower = f"above {_number(above)}" if above is not None else _number(low)
        upper = f"below {_number(below)}" if below is not None else _number(high)
        return f"{lower}, at most {upper}" if above is not None else f"{lower} to {upper}"
    raise KeyError(f"{path}: its type does not say what is allowed; add it to ALLOWED in docs/generate.py")


def _number(value: float) -> str:
    if value == 2**32:
        return "2^32"
    return f"{int(value):,}" if value == int(value) and value < 1e9 else f"{value:g}".replace("e+0", "e")


def _written(value: object) -> str:
    """Return a value as params.yaml could have it in one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_written, value)) + "]"
    return f'"{value}"' if value == "," else f"{value:g}" if isinstance(value, float) else str(value)


def comments_of(text: str) -> dict[str, str]:
    """Return the comment of each key of a YAML file, by dotted path.

    A comment begins on the line of its key, and may continue on comment lines below it.
    """
    comments: dict[str, str] = {}
    above: list[tuple[int, str]] = []  # indents and keys down to this line
    for line in text.splitlines():
        parts = COMMENT.match(line)
        if parts is None:
            continue
        key, comment = KEY.match(parts["code"]), (parts["comment"] or "").strip()
        if key is not None:
            indent = len(key["indent"])
            above = [*((depth, name) for depth, name in above if depth < indent), (indent, key["key"])]
            comments[".".join(name for _, name in above)] = comment
        elif comment and above and parts["code"].isspace():
            path = ".".join(name for _, name in above)
            comments[path] = f"{comments[path]} {comment}".strip()
    return comments


def _meanings(heading: str, meanings: Mapping[str, str]) -> str:
    return _table((heading, "meaning"), [(f"`{name}`", meaning) for name, meaning in meanings.items()])


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
