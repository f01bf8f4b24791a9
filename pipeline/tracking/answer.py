"""Name the columns of a packaged model's answer, the table that the model returns."""

from collections.abc import Mapping
from typing import Final

from pipeline.data.split.tasks import Task

PREDICTED: Final = "predicted"  # the column with the most probable class


def answer(task: Task) -> Mapping[str, str]:
    """Return the columns of a packaged model's answer in order, each with MLflow's name of its type.

    For a classification they are the most probable class and the probability of each class, in the order of the labels;
    for a regression they are the targets, by name.
    """
    if not task.is_classification:
        return dict.fromkeys(task.names, "float")
    return {PREDICTED: "string", **{f"probability of {name}": "float" for name in task.names}}
