"""`networks`: the user's own Keras models, each in a folder networks/<name>/, and how they are trained.

This module needs no TensorFlow; `training.networks.builder`, which imports Keras, checks network.py.
"""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from pipeline.foundations.errors import UserError
from pipeline.params.file import StrictSection, as_map, by_name, check, expect_known_keys
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import Named

NETWORKS = Path("networks")
FILE = "network.py"
BUDGET = ("replicas", "epochs", "batch_size")  # taken from `training`, unless the network states its own
OWN = ("config", "optimizer", *BUDGET)  # the keys of a network in params.yaml
RemedyName = Annotated[str, Field(pattern=r"^[a-z_]+$", max_length=100)]


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


class NetworkRecipe(StrictSection):
    """Everything that the training of a network depends on, except the section `training`.

    config: the arguments of `build` after the shape and the task.
    optimizer: the optimizer of a model that `build` does not compile.
    replaces_optimizer: whether `optimizer` also replaces the optimizer of a model that `build` compiles; true if
        params.yaml states an optimizer for this network.
    remedy: the names of the remedies that change the model or its data before training, in this order, as in
        `remedies.remedy_registry`. Only a study's cell has remedies.
    source: the SHA-256 of the files in the network's folder.
    """

    config: dict[str, Any]
    optimizer: Named
    replaces_optimizer: bool
    remedy: Annotated[tuple[RemedyName, ...], BeforeValidator(_as_tuple)]
    source: str


class NetworkParams(NetworkRecipe):
    """One fully resolved network, with its own values of `training`."""

    replicas: Annotated[int, Field(ge=1, le=100_000)]
    epochs: Annotated[int, Field(ge=0, le=1_000_000)]
    batch_size: Annotated[int, Field(ge=1, le=10_000_000)]

    @property
    def recipe(self) -> NetworkRecipe:
        """Return the network without its own values of `training`."""
        return NetworkRecipe(**{name: getattr(self, name) for name in NetworkRecipe.model_fields})

    def training(self, shared: TrainingParams) -> TrainingParams:
        """Return `training` with the network's own values."""
        return shared.model_copy(update={name: getattr(self, name) for name in BUDGET})


def file(name: str) -> Path:
    """Return the path of the file that must define `build`."""
    return NETWORKS / name / FILE


def resolve(
    networks: Any, defaults: Mapping[str, Any], training: Mapping[str, Any], variants: Collection[str]
) -> dict[str, NetworkParams]:
    """Return all networks by name, in the file's order, with the values that they inherit.

    Args:
        networks: the section `networks` of params.yaml.
        defaults: the section `defaults`, for the optimizer.
        training: the section `training`, for the keys of BUDGET.
        variants: the names of the variants.

    Raises:
        UserError: a name is not a valid folder name or is that of a variant, a file is missing, or a value is invalid.
    """
    own_params = by_name(networks, "networks", "network")
    return {name: _resolved(name, own, defaults, training, variants) for name, own in own_params.items()}


def _resolved(
    name: str, own: Any, defaults: Mapping[str, Any], training: Mapping[str, Any], variants: Collection[str]
) -> NetworkParams:
    path = f"networks.{name}"
    if name in variants:
        raise UserError(f"{path}: a variant has this name: networks and variants must have different names")
    own_values = {key: value for key, value in as_map(own, path).items() if value is not None}
    expect_known_keys(own_values, path, OWN)
    if not file(name).is_file():
        raise UserError(f"{path}: {file(name)}: not found: must exist and define build(inputs, task, **config)")
    inherited: dict[str, Any] = {
        "config": {},
        "optimizer": defaults.get("optimizer"),
        **{key: training.get(key) for key in BUDGET},
    }
    derived = {"replaces_optimizer": "optimizer" in own_values, "remedy": (), "source": fingerprint(name)}
    return check({**inherited, **own_values, **derived}, path, NetworkParams)


def fingerprint(name: str) -> str:
    """Return the SHA-256 of the names and bytes of all files in the network's folder, without Python's caches."""
    folder, digest = NETWORKS / name, hashlib.sha256()
    for each in sorted(folder.rglob("*")):
        if each.is_file() and "__pycache__" not in each.parts:
            digest.update(each.relative_to(folder).as_posix().encode() + hashlib.sha256(each.read_bytes()).digest())
    return digest.hexdigest()
