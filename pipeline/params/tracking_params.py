"""`tracking`: the names in MLflow, and the part of each history that MLflow gets."""

from typing import Annotated, Final

from pydantic import Field

from pipeline.params.file import StrictSection

AUTO: Final = "auto"


class TrackingParams(StrictSection):
    """The names of the experiment and the registered model, and how many epochs of layer values MLflow gets.

    registered_model: `auto` names the model after the data's source and the task.
    layer_epochs: the number of epochs in a series of a layer's values.
    profile_epochs: the number of epochs that get a profile across the layers.
    """

    experiment: Annotated[str, Field(min_length=1, max_length=200)]
    registered_model: Annotated[str, Field(pattern=r"^[A-Za-z0-9_. -]+$", max_length=200)] = AUTO
    layer_epochs: Annotated[int, Field(ge=2, le=1000)]
    profile_epochs: Annotated[int, Field(ge=1, le=100)]
