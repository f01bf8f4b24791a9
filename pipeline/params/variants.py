"""`defaults` and `variants`: an architecture and a training recipe under a name; a variant states only its difference.

Whether a class name is Keras's is checked where Keras is at hand, in the model room: this one needs no TensorFlow.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pipeline.foundations.errors import UserError
from pipeline.params.file import Section, check


class KerasObject(Section):
    """A Keras initialiser, optimizer or activation: a name, or a class name and its arguments."""

    class_name: Annotated[str, Field(min_length=1)]
    config: dict[str, Any] = Field(default_factory=dict)


def _named(value: Any) -> Any:
    return {"class_name": value} if isinstance(value, str) else value


Named = Annotated[KerasObject, BeforeValidator(_named)]


class VariantParams(Section):
    """One fully resolved variant: `hidden_layers` dense layers of `units`, and one sigmoid output unit."""

    hidden_layers: Annotated[int, Field(ge=1)]
    units: Annotated[int, Field(ge=1)]
    activation: Named
    batch_normalization: bool
    residual: bool
    kernel_initializer: Named
    output_kernel_initializer: Named
    optimizer: Named
    pretraining: Literal["none", "layer_wise", "autoencoder"]
    pretraining_epochs: Annotated[int, Field(ge=1)]

    @property
    def extra_epochs(self) -> int:
        """Epochs of pre-training before the main training's, over all layers."""
        return 0 if self.pretraining == "none" else self.hidden_layers * self.pretraining_epochs


def resolve(document: Mapping[str, Any], name: str) -> VariantParams:
    """The variant `name`, with what it inherits from `defaults`.

    Raises:
        UserError: there is no such variant, or a value of it is bad.
    """
    variants = document.get("variants")
    if not isinstance(variants, dict) or not variants:
        raise UserError("variants: must be a map with at least one variant")
    if name not in variants:
        raise UserError(f"variants.{name}: not found: must be one of {', '.join(variants)}")
    path = f"variants.{name}"
    return check(stated(document, name), path, VariantParams)


def stated(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What params.yaml says of the variant `name`, which must be there: over what it inherits from `defaults`.

    Raises:
        UserError: one of them is no map.
    """
    own = _as_map(document["variants"][name], f"variants.{name}")
    return merge(_as_map(document.get("defaults"), "defaults"), own)


def names(document: Mapping[str, Any]) -> list[str]:
    """All variants, in the file's order.

    Raises:
        UserError: there is none.
    """
    variants = document.get("variants")
    if not isinstance(variants, dict) or not variants:
        raise UserError("variants: must be a map with at least one variant")
    return list(variants)


def merge(inherited: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` over `inherited`: maps merge deeply, but another `class_name` drops the inherited `config`."""
    merged = dict(inherited)
    for key, value in own.items():
        below, above = inherited.get(key), value
        if isinstance(below, Mapping) != isinstance(above, Mapping):
            below, above = _named(below), _named(above)
        if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
            merged[key] = value
        elif above.get("class_name", below.get("class_name")) != below.get("class_name"):
            merged[key] = dict(above)
        else:
            merged[key] = merge(below, above)
    return merged


def _as_map(value: Any, path: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{path}: {value}: must be a map")
    return value


def shown(value: Any) -> str:
    """A parameter as one would write it: `SGD(learning_rate=0.01, momentum=0.9)`, or the plain value."""
    if not isinstance(value, Mapping) or "class_name" not in value:
        return str(value)
    config = ", ".join(f"{key}={number}" for key, number in value.get("config", {}).items())
    return f"{value['class_name']}({config})" if config else str(value["class_name"])
