"""`defaults` and `variants`: an architecture and a training recipe under a name; a variant states only its difference.

Whether Keras has a class of that name is checked in `models`, which imports Keras; this module needs no TensorFlow.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from pipeline.foundations.errors import UserError
from pipeline.params.file import NAME, StrictSection, brief, check, check_partly

NONE = "none"  # in place of a Keras object that a variant need not have
MOST_UNITS = 10_000  # of a layer
MOST_WEIGHTS = 100_000_000  # of a replica: 0.4 GB, and its optimizer needs as much again, or twice


class KerasObject(StrictSection):
    """A Keras object, such as an initialiser or an optimizer: a name, or a class name and its arguments."""

    class_name: Annotated[str, Field(min_length=1, max_length=100)]
    config: dict[str, Any] = Field(default_factory=dict)


def _named(value: Any) -> Any:
    return {"class_name": value} if isinstance(value, str) else value


def _expect_named(value: Any) -> Any:
    if not isinstance(value, str | dict | KerasObject):
        raise ValueError("must be a name, or a class_name and its config")
    return _named(value)


Named = Annotated[KerasObject, BeforeValidator(_expect_named)]


def _expect_units(value: Any) -> Any:
    """One width for all hidden layers, or a list of one for each."""
    for width in (value or [None]) if isinstance(value, list | tuple) else [value]:
        if isinstance(width, bool) or not isinstance(width, int):
            raise ValueError("must be a whole number, or a list of one for each hidden layer")
        if not 1 <= width <= MOST_UNITS:
            raise ValueError("must be at least 1" if width < 1 else f"must be at most {MOST_UNITS:,}")
    return value


Units = Annotated[int | Annotated[tuple[int, ...], Field(strict=False)], BeforeValidator(_expect_units)]


class VariantParams(StrictSection):
    """One fully resolved variant: `hidden_layers` dense layers, and the output layer that the task asks for.

    units: of all hidden layers, or of each; `widths` has them one by one. Where they are a list, `hidden_layers` may be
        left out.
    kernel_regularizer: of the class NONE where there is none.
    """

    hidden_layers: Annotated[int, Field(ge=1, le=1_000)]
    units: Units
    activation: Named
    batch_normalization: bool
    residual: bool
    kernel_initializer: Named
    output_kernel_initializer: Named
    kernel_regularizer: Named
    optimizer: Named
    pretraining: Literal["none", "layer_wise", "autoencoder"]
    pretraining_epochs: Annotated[int, Field(ge=1, le=1_000_000)]

    @model_validator(mode="before")
    @classmethod
    def _count_layers(cls, values: Any) -> Any:
        """A list of units says how many hidden layers there are."""
        units = values.get("units") if isinstance(values, dict) else None
        return {"hidden_layers": len(units), **values} if isinstance(units, list) and units else values

    @field_validator("units")
    @classmethod
    def _one_for_each(cls, units: int | tuple[int, ...], known: ValidationInfo) -> int | tuple[int, ...]:
        layers = known.data.get("hidden_layers")  # none where it is wrong itself
        if isinstance(units, tuple) and layers is not None and len(units) != layers:
            raise ValueError(f"must be {layers} numbers, one for each of hidden_layers")
        return units

    @field_validator("residual")
    @classmethod
    def _same_widths(cls, residual: bool, known: ValidationInfo) -> bool:
        units = known.data.get("units")
        if residual and isinstance(units, tuple) and len(set(units)) > 1:
            raise ValueError("must be false where hidden layers differ in width: what is added must be as wide")
        return residual

    @field_validator("kernel_regularizer")
    @classmethod
    def _nothing_of_none(cls, regularizer: KerasObject) -> KerasObject:
        if regularizer.class_name == NONE and regularizer.config:
            raise ValueError(f"{NONE}, with config {brief(regularizer.config)}: must have a class_name, or no config")
        return regularizer

    @model_validator(mode="after")
    def _fits(self) -> "VariantParams":
        weights = sum((inputs + 1) * units for inputs, units in pairwise(self.widths))
        if weights > MOST_WEIGHTS:
            units = brief(shown(self.units))
            raise ValueError(
                f"{self.hidden_layers} hidden layers of {units} units have {weights:,} weights between them: "
                f"must be at most {MOST_WEIGHTS:,} in a replica"
            )
        return self

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each hidden layer, from the first."""
        return self.units if isinstance(self.units, tuple) else (self.units,) * self.hidden_layers

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


def nested(dotted: str, value: Any) -> dict[str, Any]:
    """{"optimizer": {"config": {"learning_rate": 0.1}}} of a dotted name and a value."""
    for key in reversed(dotted.split(".")):
        value = {key: value}
    return value


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
    """A parameter as one would write it: `SGD(learning_rate=0.01, momentum=0.9)`, `[64, 32]`, or the plain value."""
    if not isinstance(value, Mapping) or "class_name" not in value:
        return str(list(value) if isinstance(value, tuple) else value)
    config = ", ".join(f"{key}={shown(each)}" for key, each in value.get("config", {}).items())
    return f"{value['class_name']}({config})" if config else str(value["class_name"])
