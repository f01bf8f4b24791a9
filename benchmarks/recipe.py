"""The recipes that all peers train, each from the engine's own initial weights and in its own orders of the samples.

    relu_5   the tutorial's: params.yaml's own data, two inputs, five hidden layers of five units
    digits   scikit-learn's digits, 1,797 rows of 64 inputs in ten classes; hidden layers of 32 and 32 units, batches
             of 32
    million  a million rows of 20 inputs in two classes, 800,000 of which train; three hidden layers of 64 units,
             batches of 256

What a recipe does not say itself, the optimizer too, is params.yaml's. So all of them take the same steps, and the
accuracies that they print can be compared.
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

# Sections in the place of params.yaml's; what stands in variants and training is added to what is there.
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


class Recipe(NamedTuple):
    """name: a key of RECIPES. variant, training: as params.yaml has them. parts: the data."""

    name: str
    variant: VariantParams
    training: TrainingParams
    parts: Split


def recipe(name: str, epochs: int, replicas: int) -> Recipe:
    """One of RECIPES for so many epochs and replicas, everything recorded at every epoch."""
    document = document_of()
    for section, own in RECIPES[name].items():
        document[section] = {**document[section], **own} if section in ("training", "variants") else own
    document["training"] |= {"epochs": epochs, "replicas": replicas, "record_every": 1}
    params = parse(document)
    parts, _ = split(load(params.data), params.data, params.split)
    return Recipe(name, params.variant(name), params.training, parts)


def initial(made: Recipe) -> list[np.ndarray]:
    """Kernels by layer, float32 [replica, input, unit]; biases begin at 0."""
    kernels = []
    for path, shape in dense_stack(made.variant, made.parts.inputs, made.parts.task).kernels.items():
        spec = made.variant.output_kernel_initializer if "output" in path else made.variant.kernel_initializer
        numbers = range(made.training.replicas)
        seeds = [derived_seed(made.training.seed, replica, "initial weights", path) for replica in numbers]
        kernels.append(uniform.draw(uniform.limits(spec, shape), shape, np.array(seeds)))
    return kernels


def orders(made: Recipe) -> np.ndarray:
    """int32 [epoch, replica, sample]."""
    shuffles = Shuffles(made.training.seed, range(made.training.replicas), len(made.parts.train))
    return shuffles.next_epochs(made.training.epochs)


def numbers(made: Recipe) -> tuple[np.float32, np.float32]:
    """Learning rate and momentum."""
    config = made.variant.optimizer.config
    return np.float32(config["learning_rate"]), np.float32(config["momentum"])


def columns(made: Recipe) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training inputs [sample, input] and targets [sample, output], then those of the test set; float32. Targets are
    what the output layer is to give: of two classes the label, of more one-hot."""
    train, test = (
        (part.inputs.astype(np.float32), made.parts.task.target_matrix(part.targets))
        for part in (made.parts.train, made.parts.test)
    )
    return *train, *test
