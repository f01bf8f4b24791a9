"""The results of a variant's evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import pandas as pd

from pipeline.data.split.tasks import OF_PREDICTIONS, Task
from pipeline.evaluation.expectations import Expectation
from pipeline.evaluation.intervals import Interval
from pipeline.evaluation.learned import Rule
from pipeline.remedies.recipe_remedies import Remedy


@dataclass(frozen=True)
class Spread:
    """Median and quartiles over replicas; None where there is no value."""

    q25: float | None
    median: float | None
    q75: float | None

    @property
    def known(self) -> dict[str, float]:
        """The values that exist, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Counted:
    """How many replicas, as a share, with its Wilson 95% interval."""

    count: int
    rate: float
    interval: Interval


@dataclass(frozen=True)
class Living:
    """How many replicas have no dead layer that no path bypasses, before the first step and at the end."""

    at_start: int
    at_end: int


_BESIDE_SCORES: Final = ("replicas", "learned", "epochs_to_learn", "outcomes", "diverged", "living")


@dataclass(frozen=True)
class VariantMetrics:
    """A variant in numbers.

    scores: of the score that the rule of learning looks at, by names such as `test_accuracy`, the judged part first.
    outcomes: how many replicas learned, and how many have each cause, by name.
    predicted: of final predictions, by names such as `test_macro_f1`; nothing where those are not kept.
    """

    replicas: int
    learned: Counted
    scores: Mapping[str, Spread]
    epochs_to_learn: Spread
    outcomes: Mapping[str, int]
    diverged: int
    living: Living
    predicted: Mapping[str, Spread] = field(default_factory=dict)

    @property
    def plain(self) -> dict[str, Any]:
        """As the metrics file has it: every score stands beside the other numbers."""
        return {
            "replicas": self.replicas,
            "learned": {**asdict(self.learned), "interval": list(self.learned.interval)},
            **{name: asdict(spread) for name, spread in self.scores.items()},
            "epochs_to_learn": asdict(self.epochs_to_learn),
            "outcomes": dict(self.outcomes),
            "diverged": self.diverged,
            "living": asdict(self.living),
            **{name: asdict(spread) for name, spread in self.predicted.items()},
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "VariantMetrics":
        """From what the metrics file has.

        Raises:
            KeyError, TypeError: something else.
        """
        learned = plain["learned"]
        spreads = {name: Spread(**spread) for name, spread in plain.items() if name not in _BESIDE_SCORES}
        predicted = {name: each for name, each in spreads.items() if name.partition("_")[2] in OF_PREDICTIONS}
        return cls(
            plain["replicas"],
            Counted(learned["count"], learned["rate"], Interval(*learned["interval"])),
            {name: each for name, each in spreads.items() if name not in predicted},
            Spread(**plain["epochs_to_learn"]),
            plain["outcomes"],
            plain["diverged"],
            Living(**plain["living"]),
            predicted,
        )


@dataclass(frozen=True)
class VariantDiagnosis:
    """What a variant suffers from, in words.

    cause: of most replicas that did not learn, if any. remedies: for it, the most promising first. theory: numbers
    known of such networks, beside the measured ones.
    """

    verdict: str
    cause: str | None
    remedies: Sequence[Remedy]
    theory: Sequence[Expectation]


@dataclass(frozen=True)
class VariantEvaluation:
    """All numbers of a variant, and what they say.

    rule: when a replica has learned.
    replicas: one row per replica; curves: one row per epoch; layers: one row per recorded epoch and layer.
    """

    task: Task
    rule: Rule
    metrics: VariantMetrics
    diagnosis: VariantDiagnosis
    replicas: pd.DataFrame
    curves: pd.DataFrame
    layers: pd.DataFrame

    @property
    def final(self) -> str:
        """The column of `replicas` with the score that decides: `test_accuracy`."""
        return next(iter(self.metrics.scores))

    @property
    def chosen_by(self) -> str:
        """The column of `replicas` by which the best one is chosen: `validation_accuracy`, where there is one."""
        return next((name for name in self.metrics.scores if name.startswith("validation_")), self.final)

    @property
    def learned(self) -> tuple[int, int]:
        """How many replicas learned, and of how many."""
        return self.metrics.learned.count, self.metrics.replicas
