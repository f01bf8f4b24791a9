"""`networks`: Keras models of the user's own, each in a folder networks/<name>/, and how they are trained.

Whether network.py can be imported is checked in `fit.builder`, which imports Keras; this module needs no TensorFlow.
"""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pipeline.foundations.errors import UserError
from pipeline.params.file import NAME, StrictSection, brief, check
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import Named

NETWORKS = Path("networks")
FILE = "network.py"
# What a cell of a study may do to a network, by the names of `remedies.keras_remedies`.
RemedyName = Literal[
    "smaller_steps",
    "much_smaller_steps",
    "larger_steps",
    "much_larger_steps",
    "adam",
    "clipped_gradients",
    "finite_rows",
    "scaled_inputs",
    "scaled_targets",
    "class_weights",
    "fitting_output",
    "fresh_kernels",
    "trained_layers",
    "leaky_units",
    "rectified_units",
    "bounded_cells",
    "quicker_statistics",
    "weight_penalty",
    "batch_normalization",
    "residual",
    "dropout",
    "wider_layers",
]
# So many times the learning rate.
STEPS: Mapping[str, float] = {
    "smaller_steps": 0.1,
    "much_smaller_steps": 0.01,
    "larger_steps": 10,
    "much_larger_steps": 100,
}
# And what a remedy is that changes the training alone: so many times the epochs.
EPOCHS: Mapping[str, float] = {"longer": 4, "shorter": 0.25}
BUDGET = ("replicas", "epochs", "batch_size")  # of `training`, unless the network says others


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


class NetworkRecipe(StrictSection):
    """All of a network that its training depends on, beside `training`.

    config: the arguments of `build` after the shape and the task.
    optimizer: of a model that `build` does not compile. replaces_optimizer: and of one that it does; where params.yaml
        gives the network an optimizer of its own.
    remedy: what is done to the model, or to the data that it gets, before it is trained, one after the other; only a
        study's cell says it, a name or several.
    source: SHA-256 of the files in the network's folder.
    """

    config: dict[str, Any]
    optimizer: Named
    replaces_optimizer: bool
    remedy: Annotated[tuple[RemedyName, ...], BeforeValidator(_several)]
    source: str


class NetworkParams(NetworkRecipe):
    """One fully resolved network, and what it says of `training`."""

    replicas: Annotated[int, Field(ge=1, le=100_000)]
    epochs: Annotated[int, Field(ge=0, le=1_000_000)]
    batch_size: Annotated[int, Field(ge=1, le=10_000_000)]

    @property
    def recipe(self) -> NetworkRecipe:
        """Without what belongs to `training`."""
        return NetworkRecipe(**{name: getattr(self, name) for name in NetworkRecipe.model_fields})

    def training(self, shared: TrainingParams) -> TrainingParams:
        """As the network is trained: `training`, but for what it says itself."""
        return shared.model_copy(update={name: getattr(self, name) for name in BUDGET})


class _Stated(StrictSection):
    """What params.yaml may say of a network."""

    config: dict[str, Any] = Field(default_factory=dict)
    optimizer: Named | None = None
    replicas: int | None = None
    epochs: int | None = None
    batch_size: int | None = None


def file(name: str) -> Path:
    """The file that must define `build`."""
    return NETWORKS / name / FILE


def resolve(
    networks: Any, defaults: Mapping[str, Any], training: Mapping[str, Any], variants: Collection[str]
) -> dict[str, NetworkParams]:
    """All networks by name, each with what it inherits from `training` and `defaults`, in the file's order.

    Args:
        defaults, training: as params.yaml has them. variants: their names.

    Raises:
        UserError: a name cannot be a folder's or is a variant's, a file is missing, or a value is bad.
    """
    if networks is not None and not isinstance(networks, dict):
        raise UserError(f"networks: {brief(networks)}: must be a map of networks by name, or {{}}")
    return {name: _resolved(name, own, defaults, training, variants) for name, own in (networks or {}).items()}


def _resolved(
    name: str, own: Any, defaults: Mapping[str, Any], training: Mapping[str, Any], variants: Collection[str]
) -> NetworkParams:
    path = f"networks.{name}"
    if not NAME.fullmatch(name):
        raise UserError(f"{path}: a network's name must be a text of A-Z a-z 0-9 _ -")
    if name in variants:
        raise UserError(f"{path}: a variant has this name: networks and variants must have different names")
    stated = check({} if own is None else own, path, _Stated)
    if not file(name).is_file():
        raise UserError(f"{path}: {file(name)}: not found: must be there and define build(inputs, task, **config)")
    inherited = {key: training.get(key) for key in BUDGET}
    said = {key: value for key, value in stated.model_dump().items() if value is not None}
    found = {"optimizer": defaults.get("optimizer"), **inherited, **said}
    found |= {"replaces_optimizer": stated.optimizer is not None, "remedy": (), "source": fingerprint(name)}
    return check(found, path, NetworkParams)


def fingerprint(name: str) -> str:
    """SHA-256 of names and bytes of all files in the network's folder, but for what Python leaves there."""
    folder, total = NETWORKS / name, hashlib.sha256()
    for each in sorted(folder.rglob("*")):
        if each.is_file() and "__pycache__" not in each.parts:
            total.update(each.relative_to(folder).as_posix().encode() + hashlib.sha256(each.read_bytes()).digest())
    return total.hexdigest()
