"""The recipe that all peers train: relu_5 as params.yaml has it, on its data, from the engine's own initial weights.

So each of them takes the same steps, and the learned counts that they print can be compared.
"""

from typing import NamedTuple

import numpy as np

from pipeline.data.samples import Split
from pipeline.data.sources import load
from pipeline.data.split import split
from pipeline.foundations.seeds import Shuffles, derived_seed
from pipeline.models import uniform
from pipeline.params.params import read
from pipeline.params.training import TrainingParams
from pipeline.params.variants import VariantParams
from pipeline.training.compiled.eligible import dense_stack

VARIANT = "relu_5"


class Recipe(NamedTuple):
    """variant, training: of params.yaml. parts: its data."""

    variant: VariantParams
    training: TrainingParams
    parts: Split


def recipe(epochs: int, replicas: int) -> Recipe:
    """relu_5 for so many epochs and replicas, everything recorded at every epoch."""
    params = read()
    changes = {"epochs": epochs, "record_every": 1, "replicas": replicas}
    parts, _ = split(load(params.data), params.data, params.split)
    return Recipe(params.variant(VARIANT), params.training.model_copy(update=changes), parts)


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
    """Training inputs [sample, input] and labels, then those of the test set; float32."""
    return tuple(
        values.astype(np.float32)
        for part in (made.parts.train, made.parts.test)
        for values in (part.inputs, part.targets)
    )
