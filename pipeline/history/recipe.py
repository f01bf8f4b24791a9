"""Define the recipe of a training. Recipe and weights together determine a replica's model."""

from pydantic import ConfigDict

from pipeline.data.split.samples import Origin
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams


class Recipe(Origin):
    """A variant or a user's network, with all inherited values, its data, and the settings of its training.

    versions: what the numbers depend on: the versions of Python and of packages, and the processor.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    variant: VariantParams | NetworkRecipe
    training: TrainingParams
    versions: dict[str, str]
