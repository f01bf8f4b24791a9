"""Keras models of single replicas, made from what training left; as `.keras` files whose bytes depend on nothing else.

    python3 -m pipeline.export relu_15 7 replica.keras

Training leaves weights and recipe, from which any replica's model can be rebuilt, so training need not import Keras. A
model takes raw inputs: its first layer scales them as they were scaled when the replica was trained.
"""

import argparse
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.samples import Origin, is_plain
from pipeline.evaluation.learned import rule_for
from pipeline.evaluation.ranking import best_replica, median_replica
from pipeline.foundations.errors import UserError, reported_in_one_line
from pipeline.foundations.files import replacing
from pipeline.foundations.tensorflow import keras
from pipeline.history.files import expect_recipe, load_history, load_recipe, load_weights, weights_path
from pipeline.history.recipe import Recipe
from pipeline.models.network import build
from pipeline.models.preprocessing import input_names
from pipeline.params.params import Params, read
from pipeline.params.variants import VariantParams
from pipeline.training.fit import builder

CHOSEN = {"median": median_replica, "best": best_replica}


def export(variant: str, replica: str, target: Path, params: Params) -> None:
    """Write a replica, by its number or as `median` or `best` by `ranking`, as a `.keras` file.

    Raises:
        UserError: the variant is not trained, there is no such replica, or `target` is not a `.keras` name.
    """
    if target.suffix != ".keras":
        raise UserError(f"{target}: must end in .keras")
    if replica not in CHOSEN and not replica.removeprefix("-").isdecimal():
        raise UserError(f"replica {replica}: must be a number, {' or '.join(CHOSEN)}")
    recipe = load_recipe(variant)
    score = rule_for(recipe.task, params.evaluation.learned).score
    number = CHOSEN[replica](load_history(variant), score) if replica in CHOSEN else int(replica)
    save_model(replica_model(variant, number), target)
    print(f"{target}: replica {number} of {variant}; takes {_takes(recipe)}, gives {recipe.task.says()}")


def main(variant: str, replica: str, target: Path) -> None:
    """Export a replica of a variant of params.yaml, as it says now.

    Raises:
        UserError: there is no such variant, or it was trained with other parameters; and as `export`.
    """
    params = read()
    params.recipe(variant)  # which names the nearest where there is no such one
    expect_recipe(variant, params)
    export(variant, replica, target, params)


def _takes(origin: Origin) -> str:
    if is_plain(origin.columns):
        return f"raw rows ({', '.join(each.name for each in origin.columns)})"
    named = (column.says(name) for name, column in zip(input_names(origin), origin.columns, strict=True))
    return f"raw rows, a map of columns: {', '.join(named)}"


def replica_model(variant: str, replica: int) -> keras.Model:
    """The network of a trained variant, with the weights of one replica.

    Raises:
        UserError: the variant is not trained, what training left is damaged, or there is no such replica.
    """
    (model,) = replica_models(variant, [replica])
    return model


def replica_models(variant: str, replicas: Sequence[int]) -> Iterator[keras.Model]:
    """As `replica_model`, for several replicas: one model, built once, that gets the weights of one after the other."""
    stacks, weights = load_weights(variant), weights_path(variant)
    recipe = load_recipe(variant)
    model, variables = _built(variant, recipe)
    trained = min(len(stack) for stack in stacks.values())
    for replica in replicas:
        if not 0 <= replica < trained:
            raise UserError(f"replica {replica}: {variant} has {trained}: must be 0 to {trained - 1}")
        assign(variables, {name: stack[replica] for name, stack in stacks.items()}, weights)
        yield model


def _built(name: str, recipe: Recipe) -> tuple[keras.Model, Mapping[str, keras.Variable]]:
    """A model that takes raw rows, and its variables by the names of the trained weights."""
    if isinstance(recipe.variant, VariantParams):
        model = build(recipe.variant, prod(recipe.shape), recipe.task, name, recipe).model
        return model, {variable.path: variable for variable in model.variables}
    network = builder.build(name, recipe.variant, recipe.shape, recipe.task)
    return builder.taking_raw_rows(network, recipe, name), builder.named_weights(network.model)


def assign(variables: Mapping[str, keras.Variable], weights: Mapping[str, np.ndarray], path: Path) -> None:
    """Give every variable the value that `weights`, which came from the file `path`, has for its name.

    Raises:
        UserError: the weights do not fit the model.
    """
    for name, variable in variables.items():
        value = weights.get(name)
        if value is None or value.shape != tuple(variable.shape):
            found = "missing" if value is None else f"of shape {value.shape}"
            raise UserError(f"{path}: weights of {name} are {found}: must be of shape {tuple(variable.shape)}")
        variable.assign(value)


def save_model(model: keras.Model, path: Path) -> None:
    """Save a model.

    A `.keras` file holds the time at which it was saved and, as ids of shared objects, addresses in memory: the first
    is taken out, the others are numbered anew.
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

    def renumbered(item: dict[str, Any]) -> dict[str, Any]:
        if "shared_object_id" in item:
            item["shared_object_id"] = numbers.setdefault(item["shared_object_id"], len(numbers) + 1)
        return item

    entries["config.json"] = json.dumps(json.loads(entries["config.json"], object_hook=renumbered)).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write one replica's trained network as a Keras model.")
    parser.add_argument("variant", help="a variant of params.yaml that `dvc repro` has trained")
    parser.add_argument(
        "replica",
        help="its number, from 0; or median or best: on the validation set or, which flatters the best, the test set",
    )
    parser.add_argument("target", type=Path, help="the file to write, NAME.keras")
    arguments = parser.parse_args()
    with reported_in_one_line():
        main(arguments.variant, arguments.replica, arguments.target)
