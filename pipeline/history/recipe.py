"""What a variant was trained with: with the weights all that a replica's model follows from."""

from pydantic import ConfigDict

from pipeline.data.split.samples import Origin
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams


class Recipe(Origin):
    """The variant, or the network of the user's own, as it was resolved, and all that it was trained on and with.

    versions: of Python, the processor and the packages that the numbers depend on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    variant: VariantParams | NetworkRecipe
    training: TrainingParams
    versions: dict[str, str]
