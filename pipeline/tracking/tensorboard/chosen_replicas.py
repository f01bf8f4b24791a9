"""Choose the replicas of a variant that TensorBoard shows, and name their runs."""

from collections.abc import Sequence

import pandas as pd
import xarray as xr

from pipeline.diagnosis.causes import cause_names
from pipeline.evaluation.ranking import best_replica, median_replica
from pipeline.params.tensorboard_params import BEST, EACH_CAUSE, MEDIAN


def chosen(choices: Sequence[str | int], history: xr.Dataset, table: pd.DataFrame, score: str) -> dict[str, int]:
    """Return the position of each chosen replica, by the name of its run, such as `median_replica_004`.

    A replica that is chosen twice, for example as the median and for its cause, has two runs.

    Args:
        choices: `tensorboard.replicas` of params.yaml.
        table: one row per replica in the history's order, with the column `cause`.
        score: the score by which the median and the best replica are chosen.
    """
    named: list[tuple[str, int]] = []
    for choice in choices:
        if choice == MEDIAN:
            named.append(("median_", median_replica(history, score)))
        elif choice == BEST:
            named.append(("best_", best_replica(history, score)))
        elif choice == EACH_CAUSE:
            causes = table.cause.tolist()
            named += [(f"{cause}_", causes.index(cause)) for cause in cause_names() if cause in causes]
        else:
            named.append(("", history.replica.values.tolist().index(choice)))
    return {f"{prefix}replica_{history.replica.values[position]:03d}": position for prefix, position in named}
