"""`tracking`: the names in MLflow, and how much of each history is published there."""

from typing import Annotated, Final

from pydantic import Field

from pipeline.params.file import StrictSection

AUTO: Final = "auto"


class TrackingParams(StrictSection):
    """The section `tracking`.

    experiment: the name of the experiment.
    registered_model: the name of the registered model; `auto` names it after the data's source and the task.
    layer_epochs: the number of epochs for which MLflow gets each layer's values.
    profile_epochs: the number of epochs for which MLflow gets a profile across the layers.
    """

    experiment: Annotated[str, Field(min_length=1, max_length=200)]
    registered_model: Annotated[str, Field(pattern=r"^[A-Za-z0-9_. -]+$", max_length=200)] = AUTO
    layer_epochs: Annotated[int, Field(ge=2, le=1000)]
    profile_epochs: Annotated[int, Field(ge=1, le=100)]
