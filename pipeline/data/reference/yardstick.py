"""The score that judges a watched network, and the bar above which the network has learned."""

from typing import Final

from pydantic import Field

from pipeline.data.reference.reference import Reference
from pipeline.data.split.samples import Stored
from pipeline.data.split.tasks import Task

# With noise in the data, a narrow autoencoder or a quantile loss, even the best network's loss is far above 0. So the
# usual bar of a skill is low: a loss one tenth below the best constant's.
LEAST_SKILL: Final = 0.1


class Yardstick(Stored):
    """A score, and how to read it.

    score: a key of `evaluation_params.SCORES` or `FIT_SCORES`.
    guess: the score of guessing without the inputs.
    usual: the bar without a reference.
    top_k: the number of classes for the score `top_k_accuracy`.
    name: the output that is judged; "" for the only output.
    """

    score: str
    guess: float = 0.0
    usual: float = Field(default=0.5, allow_inf_nan=False)
    top_k: int = 1
    name: str = ""

    @classmethod
    def of_task(cls, task: Task) -> "Yardstick":
        """Return the usual yardstick of a task."""
        score, usual = task.usual_threshold
        return cls(score=score, guess=task.guessing(score), usual=usual)

    def bar(self, reference: Reference | None) -> float:
        """Return the score above which the network has learned.

        Halfway from guessing to perfect is the greatest bar. A skill's usual bar is lower; a reference may raise it.
        """
        if reference is None or not reference.has_bar(self.score):
            return self.usual
        return reference.bar(self.score, self.guess, (1 + self.guess) / 2)


class JudgedOutput(Stored):
    """The yardstick of one output of several, and the score at the end; the worst output decides.

    bar: the score above which the output has learned.
    """

    yardstick: Yardstick
    value: float
    bar: float

    @property
    def progress(self) -> float:
        """Return the way from guessing (0) to the bar (1); beyond 1 where the value is above the bar."""
        return (self.value - self.yardstick.guess) / max(self.bar - self.yardstick.guess, 1e-6)
