"""Rebuild Keras models of trained replicas from the training's files; save them with the same bytes every time.

Training saves only weights and a recipe, so that it does not have to import Keras. A rebuilt model takes raw rows,
because its first layer scales them as the training did.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import replacing
from pipeline.foundations.tensorflow import keras
from pipeline.foundations.untyped import Array, Attributes
from pipeline.history.files import load_recipe, load_weights, recipe_path, weights_path
from pipeline.history.recipe import Recipe
from pipeline.models.network import build
from pipeline.params.variant_params import VariantParams
from pipeline.training.networks import builder


def replica_model(variant: str, replica: int) -> keras.Model:
    """Return the model of one trained replica.

    Raises:
        UserError: the variant is not trained, its files are damaged, or there is no such replica.
    """
    (model,) = replica_models(variant, [replica])
    return model


def replica_models(variant: str, replicas: Sequence[int]) -> Iterator[keras.Model]:
    """Yield the same model object for each replica, each time with that replica's weights.

    Raises:
        UserError: see `replica_model`.
    """
    stacks, weights = load_weights(variant), weights_path(variant)
    recipe = load_recipe(variant)
    model, variables = _build(variant, recipe)
    trained = min(len(stack) for stack in stacks.values())
    for replica in replicas:
        if not 0 <= replica < trained:
            raise UserError(f"replica {replica}: {variant} has {trained} replicas: must be 0 to {trained - 1}")
        assign(variables, {name: stack[replica] for name, stack in stacks.items()}, weights)
        yield model


def _build(name: str, recipe: Recipe) -> tuple[keras.Model, Mapping[str, keras.Variable]]:
    """Return a model that takes raw rows, and its variables by the names of the trained weights.

    Raises:
        UserError: the recipe names objects that Keras does not have, or the network's file is invalid.
    """
    if isinstance(recipe.variant, VariantParams):
        try:
            model = build(recipe.variant, prod(recipe.shape), recipe.task, name, recipe).model
        except UserError as error:  # which names a parameter of params.yaml
            raise UserError(f"{recipe_path(name)}: {error}") from None
        return model, {variable.path: variable for variable in model.variables}
    network = builder.build(name, recipe.variant, recipe.shape, recipe.task)
    return builder.build_raw_model(network, recipe, name), builder.named_weights(network.model)


def assign(variables: Mapping[str, keras.Variable], weights: Mapping[str, Array], path: Path) -> None:
    """Assign weights to variables by name.

    Args:
        path: the weights' file, for messages.

    Raises:
        UserError: the weights of a variable are missing or have another shape.
    """
    for name, variable in variables.items():
        value = weights.get(name)
        if value is None or value.shape != tuple(variable.shape):
            actual = "missing" if value is None else f"of shape {value.shape}"
            raise UserError(f"{path}: weights of {name} are {actual}: must be of shape {tuple(variable.shape)}")
        variable.assign(value)


def save_model(model: keras.Model, path: Path) -> None:
    """Save a model, with the same bytes every time.

    Keras writes the time of saving into the file, and memory addresses as ids of shared objects. The time is removed,
    and the ids are numbered from 1.
    """
    with replacing(path) as temporary:
        model.save(temporary)
        _make_reproducible(temporary)


def _make_reproducible(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(entries["metadata.json"])
    metadata.pop("date_saved", None)
    entries["metadata.json"] = json.dumps(metadata).encode()
    numbers: dict[int, int] = {}

    def renumber(item: Attributes) -> Attributes:
        if "shared_object_id" in item:
            item["shared_object_id"] = numbers.setdefault(item["shared_object_id"], len(numbers) + 1)
        return item

    entries["config.json"] = json.dumps(json.loads(entries["config.json"], object_hook=renumber)).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
