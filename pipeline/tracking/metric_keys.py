"""The keys of all metrics in MLflow with their meanings, and the points that more than one module writes.

The part before the last slash is the key's group: MLflow's UI shows a section of charts for each group. To add a
metric, add its key to a tuple below, and its value where the run is made: in `metric_values` for a variant,
`study_payload` for a study, `live_runs` for a live run, `watch/mlflow_run` for the callback. The metrics of a replica
are the numbers of `evaluation/replica_table`.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.diagnosis import evidence
from pipeline.evaluation.replica_table import COURSE
from pipeline.history.record import LAYER_VALUES, SATURATED, SATURATED_TEXT


@dataclass(frozen=True)
class Point:
    """One value of a metric.

    step: the epoch; in a profile across the layers, the layer; in a profile through time, the time step.
    """

    key: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class MetricKey:
    """A metric's key, or a family of keys with variable parts in braces: `loss/{part}_{quartile}`."""

    template: str
    meaning: str

    def of(self, **parts: str | int) -> str:
        """Return the key with these values of its variable parts."""
        return self.template.format(**parts)

    @property
    def group(self) -> str:
        """The key's group of charts, with the slash: `loss/`; empty for a key without a slash."""
        return "".join(self.template.rpartition("/")[:2])

    @property
    def pattern(self) -> str:
        """The key as a page shows it: `loss/<part>_<quartile>`."""
        return re.sub(r"{(\w+)[^}]*}", r"<\1>", self.template)


LEARNED_RATE: Final = MetricKey("learned_rate", "share of the replicas that learned")
LEARNED_RATE_LOW: Final = MetricKey("learned_rate_low", "lower end of the learned share's 95% interval (Wilson)")
LEARNED_RATE_HIGH: Final = MetricKey("learned_rate_high", "upper end of the learned share's 95% interval (Wilson)")
DIVERGED: Final = MetricKey("diverged", "number of replicas whose loss became NaN or infinite")
SCORE: Final = MetricKey(
    "{score}_{quartile}",
    "median and quartiles (`q25`, `median`, `q75`) over the replicas of a score at the end: `test_accuracy_median`",
)
EPOCHS_TO_LEARN: Final = MetricKey(
    "epochs_to_learn_{quartile}",
    "median and quartiles over the replicas of the first epoch from which a replica stays above the threshold",
)
REFERENCE: Final = MetricKey(
    "reference/{model}",
    "score of a linear model (`linear`), on imbalanced rows also with class weights (`weighted_linear`), and of a "
    "forest of random trees (`trees`) on the same rows: the score that decides whether a replica has learned",
)
OUTCOMES: Final = MetricKey("outcomes/{outcome}", "number of replicas that learned, and that failed for each cause")
LEARNED_SHARE: Final = MetricKey("learned_share", "share of the replicas that have learned, over the epochs")
ALIVE_SHARE: Final = MetricKey("alive_share", "share of the replicas without a dead layer, over the epochs")
CURVE: Final = MetricKey(
    "{curve}/{part}_{quartile}", "median and quartiles over the replicas of the loss or the main score, over the epochs"
)
LAYER: Final = MetricKey(
    "{value}/layer_{layer:02d}", "a value of one layer over the epochs, median over living replicas"
)
PROFILE: Final = MetricKey(
    "gradient_profile/epoch_{epoch:04d}",
    "`probe_gradient_mean_abs` across the layers at one epoch: **the step is the layer**, from the input on",
)
PROFILE_LOG10: Final = MetricKey(
    "gradient_profile_log10/epoch_{epoch:04d}",
    "log10 of the gradient profile, because the UI's axis is linear; without zeros",
)
TIME_PROFILE: Final = MetricKey(
    "gradient_time_profile/epoch_{epoch:04d}_layer_{layer:02d}",
    "log10 of the gradient's L2 norm by the input of a recurrent layer at one epoch: **the step is the time step**, as "
    "the layer reads them; without zeros. Layers count the calls of recurrent layers alone",
)
REPLICA_CURVE: Final = MetricKey(
    "{curve}/replica_{replica:03d}", "loss or score of one replica, if the live run has few replicas"
)
CELLS_DONE: Final = MetricKey("cells/done", "number of finished cells, in the live run of a study")
CELLS: Final = MetricKey("cells/{effect}", "number of cells that help, that harm, and that leave it undecided")
LEARNED: Final = MetricKey("learned", "1 if the replica learned, else 0")

# The values of a layer that are written over the epochs, with their meanings.
LAYER_SERIES: Final = {
    name: {**LAYER_VALUES, SATURATED: SATURATED_TEXT}[name]
    for name in (
        *("gradient_mean_abs", "gradient_norm", "gradient_zero_share", "probe_gradient_mean_abs"),
        *("weight_l1", "weight_change_l1", SATURATED),
    )
}
OF_VARIANT: Final = (
    *(LEARNED_RATE, LEARNED_RATE_LOW, LEARNED_RATE_HIGH, DIVERGED, SCORE, EPOCHS_TO_LEARN, OUTCOMES),
    *(LEARNED_SHARE, ALIVE_SHARE, CURVE),
    *(MetricKey(LAYER.template.replace("{value}", name), meaning) for name, meaning in LAYER_SERIES.items()),
    *(PROFILE, PROFILE_LOG10, TIME_PROFILE),
    REFERENCE,
)
OF_REPLICA: Final = (
    MetricKey("{part}_{score}", "the loss and every score at the end, on each part of the data: `test_accuracy`"),
    LEARNED,
    *(MetricKey(name, meaning) for name, meaning in {**COURSE, **evidence.COLUMNS}.items()),
)
OF_STUDY: Final = (CELLS,)
OF_CELL: Final = (
    MetricKey("replicas", "number of replicas"),
    LEARNED_RATE,
    MetricKey("learned_low", LEARNED_RATE_LOW.meaning),
    MetricKey("learned_high", LEARNED_RATE_HIGH.meaning),
    MetricKey("difference", "learned share minus the learned share of the study's reference"),
    MetricKey("difference_low", "lower end of the difference's 95% interval (Newcombe, unpaired)"),
    MetricKey("difference_high", "upper end of the difference's 95% interval (Newcombe, unpaired)"),
    MetricKey("extra_epochs", "epochs of pre-training, in addition to the epochs of the training"),
    MetricKey("epochs_to_learn_median", "median of the first epoch from which a replica stays above the threshold"),
)
OF_LIVE_RUN: Final = (CURVE, REPLICA_CURVE, CELLS_DONE)
# The keys of each kind of run, by the heading of their table in docs/reference.md.
GROUPS: Final = {
    "run of a variant": OF_VARIANT,
    "run of a replica": OF_REPLICA,
    "run of a study": OF_STUDY,
    "run of a cell": (*OF_CELL, SCORE, OUTCOMES),
    "live run": OF_LIVE_RUN,
}


def finite(points: Iterable[Point]) -> list[Point]:
    """Return the points whose value is a finite number: MLflow would store inf as a huge number."""
    return [point for point in points if math.isfinite(point.value)]


def profile(epoch: int, values: Iterable[float]) -> Iterator[Point]:
    """Yield the gradient's profile across the layers at an epoch: each layer's value and its logarithm.

    Args:
        values: `probe_gradient_mean_abs` of each layer, from the input on.
    """
    for layer, value in enumerate(values, start=1):
        yield Point(PROFILE.of(epoch=epoch), float(value), layer)
        if value > 0:
            yield Point(PROFILE_LOG10.of(epoch=epoch), math.log10(value), layer)


def time_profile(epoch: int, layer: int, steps: Iterable[int], norms: Iterable[float]) -> Iterator[Point]:
    """Yield the logarithm of the gradient's profile through time of one call of a recurrent layer at an epoch.

    Args:
        layer: the call's number.
        steps: the recorded time steps.
        norms: `gradient_norm_by_time` at these steps.
    """
    for step, norm in zip(steps, norms, strict=True):
        if norm > 0:
            yield Point(TIME_PROFILE.of(epoch=epoch, layer=layer), math.log10(norm), int(step))
