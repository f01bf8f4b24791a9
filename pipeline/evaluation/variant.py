"""Data classes for the results of a variant's evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import pandas as pd
from pydantic import TypeAdapter

from pipeline.data.split.tasks import OF_PREDICTIONS, Task
from pipeline.diagnosis import causes
from pipeline.evaluation.expectations import Expectation
from pipeline.evaluation.intervals import Interval
from pipeline.evaluation.learned import Rule
from pipeline.params.file import Plain
from pipeline.remedies.recipe_changes import RecipeChange


@dataclass(frozen=True)
class Spread:
    """Median and quartiles over replicas; None if no replica has a value."""

    q25: float | None
    median: float | None
    q75: float | None

    @property
    def known(self) -> dict[str, float]:
        """The values that exist, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Counted:
    """A number of replicas, and their share of all replicas with Wilson's 95% interval."""

    count: int
    rate: float
    interval: Interval


@dataclass(frozen=True)
class Living:
    """The number of replicas without a dead layer, before training and at the end; bypassed layers do not count."""

    at_start: int
    at_end: int


_BESIDE_SCORES: Final = ("replicas", "learned", "epochs_to_learn", "outcomes", "diverged", "living")


@dataclass(frozen=True)
class VariantMetrics:
    """A variant's results in numbers.

    replicas: the number of replicas.
    scores: quartiles of the final main score, by names such as `test_accuracy`, the judged part first.
    epochs_to_learn: quartiles over the replicas that learned.
    outcomes: the number of replicas that learned, and the number that have each cause, by name.
    diverged: the number of replicas whose loss became NaN or infinite.
    predicted: quartiles of the scores of the final predictions, by names such as `test_macro_f1`; empty without
        predictions.
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
    def plain(self) -> dict[str, Plain]:
        """The content of the metrics file, with the scores at the top level."""
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
        """Return the metrics from the content of a metrics file.

        Raises:
            ValidationError: the content is not that of a metrics file.
        """
        spreads = {name: spread for name, spread in plain.items() if name not in _BESIDE_SCORES}
        predicted = {name: each for name, each in spreads.items() if name.partition("_")[2] in OF_PREDICTIONS}
        scores = {name: each for name, each in spreads.items() if name not in predicted}
        return TypeAdapter(cls).validate_python(
            {**plain, "outcomes": causes.all_counts(plain["outcomes"]), "scores": scores, "predicted": predicted}
        )


@dataclass(frozen=True)
class VariantDiagnosis:
    """A variant's diagnosis.

    verdict: how many replicas learned, and why the others did not, in sentences.
    cause: the most frequent cause; None if all replicas learned.
    remedies: the remedies for that cause, the most promising first.
    theory: the numbers that theory predicts, with the measured numbers.
    """

    verdict: str
    cause: str | None
    remedies: Sequence[RecipeChange]
    theory: Sequence[Expectation]


@dataclass(frozen=True)
class VariantEvaluation:
    """All numbers of a variant, and its diagnosis.

    rule: the rule by which a replica has learned.
    replicas: one row per replica.
    curves: one row per epoch.
    layers: one row per recorded epoch and layer.
    times: one row per recorded epoch, call of a recurrent layer and time step; empty without a recurrent layer.
    """

    task: Task
    rule: Rule
    metrics: VariantMetrics
    diagnosis: VariantDiagnosis
    replicas: pd.DataFrame
    curves: pd.DataFrame
    layers: pd.DataFrame
    times: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def final(self) -> str:
        """The column of `replicas` with the main score: `test_accuracy`."""
        return next(iter(self.metrics.scores))

    @property
    def chosen_by(self) -> str:
        """The column of `replicas` that decides which replica is best: `validation_accuracy`, or `final` without it."""
        return next((name for name in self.metrics.scores if name.startswith("validation_")), self.final)

    @property
    def learned(self) -> tuple[int, int]:
        """The number of replicas that learned, and the number of all replicas."""
        return self.metrics.learned.count, self.metrics.replicas
