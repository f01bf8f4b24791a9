"""Turn the table of a source into checked rows: complete features, and labels or values as targets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.data.columns import convert_features, expect_numbers
from pipeline.data.split.samples import RawData
from pipeline.data.target_columns import convert_targets
from pipeline.foundations.errors import UserError
from pipeline.params.data_params import DataParams


@dataclass(frozen=True)
class RawTable:
    """The rows of a source.

    features: a table, or an array with more than two dimensions.
    targets: a table; labels 0, 1, ... if there are `classes`.
    is_classification: whether the targets are classes; None if the source does not know.
    classes: the names of the classes in the order of the labels; None if the source does not know.
    """

    features: pd.DataFrame | np.ndarray
    targets: pd.DataFrame
    is_classification: bool | None
    classes: Sequence[str] | None


def check_table(table: RawTable, params: DataParams) -> RawData:
    """Return the rows without missing values (filled, or their rows dropped), with labels or values as targets.

    Raises:
        UserError: no network can be trained on the data; the message names the column.
    """
    features, targets = table.features, table.targets
    is_unlabelled = targets.isna().any(axis=1).to_numpy()
    if is_unlabelled.any() and params.missing != "drop":
        name = str(targets.columns[targets.isna().any().to_numpy().argmax()])
        raise UserError(
            f"column {name}: {is_unlabelled.sum()} of {len(is_unlabelled)} rows have no target: every row must have "
            "one, or data.missing must be drop"
        )
    if is_unlabelled.any():
        features, targets = features[~is_unlabelled], targets[~is_unlabelled]
    if not len(targets):
        raise UserError("data: no rows with a target: must have at least one")
    if isinstance(features, pd.DataFrame):
        features, targets, kinds, fills, filled = convert_features(features, targets, params)
    else:
        kinds, fills, filled = {}, {}, {}
        expect_numbers(features, "x")
    task, values = convert_targets(targets.reset_index(drop=True), table.is_classification, table.classes, params)
    return RawData(features, values, task, kinds, fills, tuple(str(name) for name in targets.columns), filled)
