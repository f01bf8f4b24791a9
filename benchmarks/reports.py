"""What the callback reports about a training, and whether that is right."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

import keras

from pipeline import Diagnosis

LEARNED: Final = "learned"
UNEXPLAINED: Final = {"unexplained", "stuck"}  # stuck: the name in older results
ABSTENTIONS: Final = {*UNEXPLAINED, "no_signal"}  # causes that name no fault of the program


@dataclass(frozen=True)
class Report:
    """The report about one training.

    outcome: None where the callback cannot tell whether the model learned.
    notices: their names, the first one first.
    """

    outcome: str | None
    cause: str | None
    notices: tuple[str, ...] = ()

    @classmethod
    def of(cls, diagnosis: Diagnosis) -> "Report":
        """Return the report of a callback whose `fit` has ended."""
        return cls(diagnosis.outcome, diagnosis.cause, tuple(getattr(diagnosis, "notices", ())))

    @property
    def name(self) -> str | None:
        """The one name that the user reads first: the cause or, where the model learned, the first notice."""
        return next(iter(self.notices), None) if self.outcome == LEARNED else self.cause

    @property
    def is_false_cause(self) -> bool:
        """Whether the cause names a fault, on a program that has none."""
        return self.cause is not None and self.cause not in ABSTENTIONS

    @property
    def is_false_failure(self) -> bool:
        """Whether the report is that a good model did not learn, without naming a fault."""
        return self.outcome not in (LEARNED, None) and not self.is_false_cause

    def false_notices(self, accepted: Set[str] = frozenset()) -> tuple[str, ...]:
        """Return the notices that are not accepted."""
        return tuple(notice for notice in self.notices if notice not in accepted)


def fit_watched(model: keras.Model, arguments: Mapping[str, Any], diagnosis: Diagnosis | None) -> None:
    """Train the model with these arguments of `fit`; the diagnosis is the last callback, None for no diagnosis."""
    watchers = [] if diagnosis is None else [diagnosis]
    model.fit(**{**arguments, "callbacks": [*(arguments.get("callbacks") or ()), *watchers], "verbose": 0})
