"""The recipes that all peers train.

    relu_5   the tutorial's, with the data of params.yaml: two inputs, five hidden layers of five units
    digits   scikit-learn's digits: 1,797 rows of 64 inputs in ten classes; hidden layers of 32 and 32 units, batches of
             32
    million  a million rows of 20 inputs in two classes, 800,000 of which train; three hidden layers of 64 units,
             batches of 256

All other parameters, the optimizer included, are those of params.yaml. Every peer starts from the engine's initial
weights and takes the samples in the engine's orders. So all peers take the same steps, and their accuracies compare.
"""

from typing import Any, NamedTuple

import numpy as np

from pipeline.data.sources import load
from pipeline.data.split.samples import Split
from pipeline.data.splitting import split
from pipeline.foundations.seeds import Shuffles, derived_seed
from pipeline.models import uniform
from pipeline.params.file import load as document_of
from pipeline.params.params import parse
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams
from pipeline.training.compiled.eligible import dense_stack

# Sections that replace those of params.yaml; variants and training are merged instead.
RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "relu_5": {},
    "digits": {
        "data": {"source": "load_digits"},
        "split": {
            "train": 0.7,
            "shuffle": True,
            "seed": 1,
            "stratify": True,
            "scale": {"inputs": "minmax", "range": [0, 1]},
            "fit_scaler_on": "train",
        },
        "training": {"batch_size": 32},
        "variants": {"digits": {"units": [32, 32]}},
    },
    "million": {
        "data": {
            "source": "make_classification",
            "config": {"n_samples": 1_000_000, "n_features": 20, "n_informative": 10, "random_state": 1},
        },
        "split": {"train": 0.8, "scale": {"inputs": "standard"}, "fit_scaler_on": "train"},
        "training": {"batch_size": 256},
        "variants": {"million": {"units": [64, 64, 64]}},
    },
}


class PeerRecipe(NamedTuple):
    """A training that all peers can run.

    name: a key of RECIPES. parts: the data.
    """

    name: str
    variant: VariantParams
    training: TrainingParams
    parts: Split


def load_recipe(name: str, epochs: int, replicas: int) -> PeerRecipe:
    """Return one of RECIPES with everything recorded at every epoch."""
    document = document_of()
    for section, changes in RECIPES[name].items():
        is_merged = section in ("training", "variants")
        document[section] = {**document[section], **changes} if is_merged else changes
    document["training"] |= {"epochs": epochs, "replicas": replicas, "record_every": 1}
    params = parse(document)
    parts, _ = split(load(params.data), params.data, params.split)
    return PeerRecipe(name, params.variant(name), params.training, parts)


def initial_kernels(recipe: PeerRecipe) -> list[np.ndarray]:
    """Return the initial kernels by layer, float32 [replica, input, unit]; biases begin at 0."""
    kernels = []
    for path, shape in dense_stack(recipe.variant, recipe.parts.inputs, recipe.parts.task).kernels.items():
        spec = recipe.variant.output_kernel_initializer if "output" in path else recipe.variant.kernel_initializer
        replicas = range(recipe.training.replicas)
        seeds = [derived_seed(recipe.training.seed, replica, "initial weights", path) for replica in replicas]
        kernels.append(uniform.draw(uniform.limits(spec, shape), shape, np.array(seeds)))
    return kernels


def sample_orders(recipe: PeerRecipe) -> np.ndarray:
    """Return the samples in the order of training, int32 [epoch, replica, sample]."""
    shuffles = Shuffles(recipe.training.seed, range(recipe.training.replicas), len(recipe.parts.train))
    return shuffles.next_epochs(recipe.training.epochs)


def rate_and_momentum(recipe: PeerRecipe) -> tuple[np.float32, np.float32]:
    """Return learning rate and momentum."""
    config = recipe.variant.optimizer.config
    return np.float32(config["learning_rate"]), np.float32(config["momentum"])


def arrays(recipe: PeerRecipe) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return training inputs [sample, input] and targets [sample, output], then those of the test set; float32.

    Targets have the form of the outputs: the label of two classes, one-hot rows of more.
    """
    train, test = (
        (part.inputs.astype(np.float32), recipe.parts.task.target_matrix(part.targets))
        for part in (recipe.parts.train, recipe.parts.test)
    )
    return *train, *test
