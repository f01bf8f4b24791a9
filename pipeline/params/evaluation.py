"""`evaluation`: what counts as having learned."""

from typing import Annotated

from pydantic import Field

from pipeline.params.file import Section


class EvaluationParams(Section):
    """Thresholds of the evaluation; moving one retrains nothing."""

    learned_accuracy: Annotated[float, Field(ge=0, lt=1)]
