"""The parameters of a run in MLflow, by dotted name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pipeline.params.file import Plain

Sections: TypeAlias = Mapping[str, Mapping[str, Plain]]  # of params.yaml
JUDGED_BY = ("evaluation", "diagnosis")  # the sections of params.yaml with the thresholds


@dataclass(frozen=True)
class Parameters:
    """All parameters of a variant, by dotted name.

    trained: the parameters of the training; in MLflow they are parameters.
    judged: the thresholds; in MLflow they are tags, because they may change later.
    """

    trained: dict[str, str]
    judged: dict[str, str]


def parameters(trained: Sections, judged: Sections) -> Parameters:
    """Return the parameters in MLflow's form. For the arguments see `VariantSource`."""
    shared = {name: section for name, section in trained.items() if name != "variant"}
    return Parameters({**flattened(trained["variant"]), **flattened(shared)}, flattened(judged))


def flattened(sections: Mapping[str, Plain]) -> dict[str, str]:
    """Return nested parameters under dotted names.

    `optimizer: {class_name: SGD, config: {momentum: 0.9}}` becomes `optimizer: SGD` and `optimizer.momentum: 0.9`.
    """
    return dict(_flat(sections, ()))


def _flat(value: Plain, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and "class_name" in value:
        yield ".".join(path), str(value["class_name"])
        yield from _flat(value.get("config", {}), path)
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from _flat(below, (*path, str(key)))
    else:
        yield ".".join(path), str(list(value) if isinstance(value, tuple) else value)
