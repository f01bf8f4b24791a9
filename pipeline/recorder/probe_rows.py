"""Choose the rows of the probe; a model with a fixed batch size gets whole batches."""

import keras
import numpy as np

from pipeline.foundations.untyped import Batch
from pipeline.recorder.dear_rows import probe_limit
from pipeline.recorder.fed_rows import RowStatistics
from pipeline.recorder.guard import Guard
from pipeline.recorder.layers import batch_size, states
from pipeline.recorder.probe import Rows


class ProbeRows:
    """The rows on which layers are measured.

    rows: None before they are chosen.
    text: which rows these are, in words.
    statistics: of the rows on which the record's training loss is measured; None if unknown.
    """

    def __init__(self, model: keras.Model, most: int, are_thinned: bool, guard: Guard) -> None:
        """Prepare the choice.

        Args:
            most: the largest number of rows.
            are_thinned: whether fewer rows are chosen where each row takes long.
        """
        self.rows: Rows | None = None
        self.text = "no rows"
        self.statistics: RowStatistics | None = None
        self._model = model
        self._most = most
        self._are_thinned = are_thinned
        self._guard = guard

    def use_given(self, inputs: Batch, targets: Batch, is_whole_part: bool) -> None:
        """Choose rows from those that the user gave.

        Args:
            is_whole_part: whether the user's rows are the training part of the pipeline's data.
        """
        with self._guard("use the given rows"):
            count = len(keras.tree.flatten(inputs)[0])
            self.rows = spread(self._model, inputs, targets, self._limit(count))
            self.text = "all rows of its part" if is_whole_part else f"{self.rows.size:,} given rows{self._why(count)}"
        with self._guard.optional("check whether `fit` trains on the given rows"):
            self.statistics = RowStatistics.of(inputs, targets, are_all=True)

    def use_captured(self, captured: tuple[Batch, Batch, Batch]) -> Rows:
        """Choose and return the rows of the first batches of `fit`: inputs, targets and sample weights."""
        whole = Rows.of(*captured)
        self.rows = rows = in_batches(self._model, whole.between(0, min(whole.size, self._limit(None))))
        self.text = f"{rows.size:,} rows of the first batches{self._why(whole.size)}"
        self.statistics = RowStatistics.of(*captured[:2], are_all=False)
        return rows

    def _limit(self, count: int | None) -> int:
        if not self._are_thinned or not self._model.built:
            return self._most
        return max(probe_limit(self._model, count, self._most), batch_size(self._model) or 1)

    def _why(self, count: int) -> str:
        limit = self._limit(count)
        return (
            f" instead of {min(count, self._most):,}, because each takes long" if limit < min(count, self._most) else ""
        )


def spread(model: keras.Model, inputs: Batch, targets: Batch, most: int) -> Rows:
    """Return at most `most` rows, evenly from first to last, so that sorted rows give each label its share.

    Stateful layers need consecutive rows: they get the first rows, at least one batch.

    Raises:
        ValueError: there are fewer rows than the model's fixed batch size.
    """
    count = len(keras.tree.flatten(inputs)[0])
    indices = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))
    if model.built and states(model):
        indices = np.arange(min(count, max(most, batch_size(model) or 1)))

    def chosen(leaf: Batch) -> Batch:
        return None if leaf is None else np.asarray(leaf)[indices]

    return in_batches(model, Rows.of(*keras.tree.map_structure(chosen, (inputs, targets, None))))


def in_batches(model: keras.Model, data: Rows) -> Rows:
    """Return all rows; for a built model with a fixed batch size, the first rows in whole batches.

    Raises:
        ValueError: there are fewer rows than one batch.
    """
    batch = batch_size(model) if model.built else None
    if batch is None:
        return data
    if data.size < batch:
        raise ValueError(f"{data.size} rows: must be at least {batch}, the model's batch size")
    return data.between(0, data.size // batch * batch)
