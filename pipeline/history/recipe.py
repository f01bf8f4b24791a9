"""Define the recipe of a training; recipe and weights together determine a replica's model."""

from pipeline.data.split.samples import Origin
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams


class Recipe(Origin):
    """A variant or a user's network with all inherited values, the origin of its data, and how it was trained.

    versions: the versions of Python and of packages, and the processor, because the numbers depend on them.
    """

    variant: VariantParams | NetworkRecipe
    training: TrainingParams
    versions: dict[str, str]
