"""The columns of a packaged model's answer."""

from collections.abc import Mapping
from typing import Final

from pipeline.data.split.tasks import Task

PREDICTED: Final = "predicted"  # the class


def answer(task: Task) -> Mapping[str, str]:
    """Return the answer's columns in order, each with MLflow's name of its type.

    A classification answers with the most probable class, and with the probability of each class in the order of their
    labels; a regression with its targets, by name.
    """
    if not task.is_classification:
        return dict.fromkeys(task.names, "float")
    return {PREDICTED: "string", **{f"probability of {name}": "float" for name in task.names}}
