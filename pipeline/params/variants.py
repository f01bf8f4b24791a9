"""`defaults` and `variants`: an architecture and a training recipe under a name; a variant states only its difference.

Whether Keras has a class of that name is checked in `models`, which imports Keras; this module needs no TensorFlow.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline.foundations.errors import UserError
from pipeline.params.file import NAME, Section, brief, check, check_partly

MOST_WEIGHTS = 100_000_000  # of a replica: 0.4 GB, and its optimizer needs as much again, or twice


class KerasObject(Section):
    """A Keras initialiser, optimizer or activation: a name, or a class name and its arguments."""

    class_name: Annotated[str, Field(min_length=1, max_length=100)]
    config: dict[str, Any] = Field(default_factory=dict)


def _named(value: Any) -> Any:
    return {"class_name": value} if isinstance(value, str) else value


def _expect_named(value: Any) -> Any:
    if not isinstance(value, str | dict | KerasObject):
        raise ValueError("must be a name, or a class_name and its config")
    return _named(value)


Named = Annotated[KerasObject, BeforeValidator(_expect_named)]


class VariantParams(Section):
    """One fully resolved variant: `hidden_layers` dense layers of `units`, and one sigmoid output unit."""

    hidden_layers: Annotated[int, Field(ge=1, le=1_000)]
    units: Annotated[int, Field(ge=1, le=10_000)]
    activation: Named
    batch_normalization: bool
    residual: bool
    kernel_initializer: Named
    output_kernel_initializer: Named
    optimizer: Named
    pretraining: Literal["none", "layer_wise", "autoencoder"]
    pretraining_epochs: Annotated[int, Field(ge=1, le=1_000_000)]

    @model_validator(mode="after")
    def _fits(self) -> "VariantParams":
        weights = (self.hidden_layers - 1) * self.units * (self.units + 1)
        if weights > MOST_WEIGHTS:
            raise ValueError(
                f"{self.hidden_layers} hidden layers of {self.units} units have {weights:,} weights between them: "
                f"must be at most {MOST_WEIGHTS:,} in a replica"
            )
        return self

    @property
    def extra_epochs(self) -> int:
        """Epochs of pre-training before the main training's, over all layers."""
        return 0 if self.pretraining == "none" else self.hidden_layers * self.pretraining_epochs


def resolve(defaults: Any, variants: Any) -> dict[str, VariantParams]:
    """All variants by name, each with what it inherits from `defaults`, in the file's order.

    Raises:
        UserError: there is none, a name cannot be a folder's, or a value is bad.
    """
    inherited = _as_map(defaults, "defaults")
    check_partly(inherited, "defaults", VariantParams)
    if not isinstance(variants, dict) or not variants:
        raise UserError(f"variants: {brief(variants)}: must be a map with at least one variant")
    for name in variants:
        if not NAME.fullmatch(name):
            raise UserError(f"variants.{name}: a variant's name must be a text of A-Z a-z 0-9 _ -")
    return {
        name: check(merge(inherited, _as_map(own, f"variants.{name}")), f"variants.{name}", VariantParams)
        for name, own in variants.items()
    }


def merge(inherited: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` over `inherited`: maps merge deeply, but another `class_name` drops the inherited `config`."""
    merged = dict(inherited)
    for key, value in own.items():
        below, above = inherited.get(key), value
        if isinstance(below, Mapping) != isinstance(above, Mapping):
            below, above = _named(below), _named(above)
        merged[key] = value
        if isinstance(below, Mapping) and isinstance(above, Mapping):
            name = below.get("class_name")
            if above.get("class_name", name) == name:
                merged[key] = merge(below, above)
    return merged


def _as_map(value: Any, path: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{path}: {brief(value)}: must be a map")
    return value


def shown(value: Any) -> str:
    """A parameter as one would write it: `SGD(learning_rate=0.01, momentum=0.9)`, or the plain value."""
    if not isinstance(value, Mapping) or "class_name" not in value:
        return str(value)
    config = ", ".join(f"{key}={number}" for key, number in value.get("config", {}).items())
    return f"{value['class_name']}({config})" if config else str(value["class_name"])
