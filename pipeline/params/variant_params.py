"""`defaults` and `variants`: architectures by name, with how they are trained; a variant states only what differs.

This module needs no TensorFlow; `models`, which imports Keras, checks whether Keras knows the classes.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from pipeline.foundations.errors import UserError
from pipeline.params.file import Plain, StrictSection, as_map, brief, by_name, check, check_partly

NONE = "none"  # the name that stands for no Keras object
MOST_UNITS = 10_000  # in a layer
MOST_WEIGHTS = 100_000_000  # in a replica: 0.4 GB, and its optimizer needs once or twice as much again


class KerasObject(StrictSection):
    """A Keras object, such as an initialiser or an optimizer: a name, or a class name and its arguments."""

    class_name: Annotated[str, Field(min_length=1, max_length=100)]
    config: dict[str, Any] = Field(default_factory=dict)


def _with_class_name(value: Plain) -> Plain:
    return {"class_name": value} if isinstance(value, str) else value


def _expect_named(value: "Plain | KerasObject") -> "Plain | KerasObject":
    if isinstance(value, KerasObject):
        return value
    if not isinstance(value, str | dict):
        raise ValueError("must be a name, or a class_name and its config")
    return _with_class_name(value)


Named = Annotated[KerasObject, BeforeValidator(_expect_named)]


def _expect_units(value: Plain) -> Plain:
    widths: Sequence[Plain] = (value or [None]) if isinstance(value, list | tuple) else [value]
    for width in widths:
        if isinstance(width, bool) or not isinstance(width, int):
            raise ValueError("must be a whole number, or a list with one for each hidden layer")
        if not 1 <= width <= MOST_UNITS:
            raise ValueError("must be at least 1" if width < 1 else f"must be at most {MOST_UNITS:,}")
    return value


Units = Annotated[int | Annotated[tuple[int, ...], Field(strict=False)], BeforeValidator(_expect_units)]


class VariantParams(StrictSection):
    """A variant with all inherited values: `hidden_layers` dense layers and the output layer of the task.

    units: the width of all hidden layers, or a list with the width of each (then `hidden_layers` may be left out).
        `widths` always lists the width of each.
    kernel_regularizer: if there is none, its class name is NONE.
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
    def _count_layers(cls, values: Plain) -> Plain:
        """Take the number of hidden layers from a list of units."""
        if not isinstance(values, dict):
            return values
        units = values.get("units")
        return {"hidden_layers": len(units), **values} if isinstance(units, list) and units else values

    @field_validator("units")
    @classmethod
    def _expect_units_for_each(cls, units: int | tuple[int, ...], info: ValidationInfo) -> int | tuple[int, ...]:
        count = info.data.get("hidden_layers")  # missing if invalid
        if isinstance(units, tuple) and count is not None and len(units) != count:
            raise ValueError(f"must be {count} numbers, one for each of hidden_layers")
        return units

    @field_validator("residual")
    @classmethod
    def _expect_equal_widths(cls, residual: bool, info: ValidationInfo) -> bool:
        units = info.data.get("units")
        if residual and isinstance(units, tuple) and len(set(units)) > 1:
            raise ValueError(
                "must be false if hidden layers differ in width: a skip connection adds equally wide layers"
            )
        return residual

    @field_validator("kernel_regularizer")
    @classmethod
    def _expect_no_config_of_none(cls, regularizer: KerasObject) -> KerasObject:
        if regularizer.class_name == NONE and regularizer.config:
            raise ValueError(f"{NONE}, with config {brief(regularizer.config)}: must have a class_name, or no config")
        return regularizer

    @model_validator(mode="after")
    def _expect_few_weights(self) -> "VariantParams":
        weights = sum((inputs + 1) * units for inputs, units in pairwise(self.widths))
        if weights > MOST_WEIGHTS:
            units = brief(shown(self.units))
            raise ValueError(
                f"{self.hidden_layers} hidden layers of {units} units have {weights:,} weights: "
                f"must be at most {MOST_WEIGHTS:,} in a replica"
            )
        return self

    @property
    def widths(self) -> tuple[int, ...]:
        """Return the units of each hidden layer, from the first."""
        return self.units if isinstance(self.units, tuple) else (self.units,) * self.hidden_layers

    @property
    def extra_epochs(self) -> int:
        """Return the number of epochs of pre-training, over all layers."""
        return 0 if self.pretraining == "none" else self.hidden_layers * self.pretraining_epochs


def resolve(defaults: Plain, variants: Plain, needs_variant: bool = True) -> dict[str, VariantParams]:
    """Return all variants by name, in the file's order, each with the values that it inherits from `defaults`.

    Args:
        needs_variant: whether there must be a variant, because there is no network.

    Raises:
        UserError: there is no variant and no network, a name is not a valid folder name, or a value is invalid.
    """
    inherited, own_params = as_map(defaults, "defaults"), by_name(variants, "variants", "variant")
    check_partly(inherited, "defaults", VariantParams)
    if not own_params and needs_variant:
        raise UserError(
            f"variants: {brief(variants)}: must be a map with at least one variant, or networks must have one"
        )
    return {
        name: check(merge(inherited, as_map(own, f"variants.{name}")), f"variants.{name}", VariantParams)
        for name, own in own_params.items()
    }


def nested(dotted: str, value: Plain) -> dict[str, Plain]:
    """Return {"optimizer": {"config": {"learning_rate": 0.1}}} for "optimizer.config.learning_rate" and 0.1."""
    first, _, rest = dotted.partition(".")
    return {first: nested(rest, value) if rest else value}


def merge(inherited: Mapping[str, Plain], own: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return `inherited`, overridden by `own`: maps merge deeply, but another `class_name` drops the old `config`."""
    merged = dict(inherited)
    for key, value in own.items():
        old, new = inherited.get(key), value
        if isinstance(old, Mapping) != isinstance(new, Mapping):
            old, new = _with_class_name(old), _with_class_name(new)
        merged[key] = value
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            name = old.get("class_name")
            if new.get("class_name", name) == name:
                merged[key] = merge(old, new)
    return merged


def shown(value: Plain) -> str:
    """Format a parameter for people: `SGD(learning_rate=0.01, momentum=0.9)`, `[64, 32]`, `0.1`."""
    if not isinstance(value, Mapping) or "class_name" not in value:
        return str(list(value) if isinstance(value, tuple) else value)
    arguments = as_map(value.get("config"), "config").items()
    config = ", ".join(f"{key}={shown(argument)}" for key, argument in arguments)
    return f"{value['class_name']}({config})" if config else str(value["class_name"])
