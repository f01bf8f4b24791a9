"""`tracking`: the names in MLflow, and how much of a history it gets; everything is in the history file."""

from typing import Annotated, Final

from pydantic import Field

from pipeline.params.file import StrictSection

AUTO: Final = "auto"


class TrackingParams(StrictSection):
    """The experiment's and the registered model's names, and how many epochs of per-layer values are published.

    registered_model: `auto` names it after the data's source and the task.
    """

    experiment: Annotated[str, Field(min_length=1, max_length=200)]
    registered_model: Annotated[str, Field(pattern=r"^[A-Za-z0-9_. -]+$", max_length=200)] = AUTO
    layer_epochs: Annotated[int, Field(ge=2, le=1000)]
    profile_epochs: Annotated[int, Field(ge=1, le=100)]
