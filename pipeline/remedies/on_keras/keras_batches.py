"""Remedies for any Keras model that change how rows form batches: their order, their number, the part held out."""

from collections.abc import Iterator
from typing import Final

import keras
import numpy as np
import tensorflow as tf

from pipeline.recorder.layers import batch_size, every_layer
from pipeline.remedies.on_keras.trial import TRAIN, InapplicableError, Trial
from pipeline.remedies.remedy import ENOUGH_ROWS, LARGER_BATCH

DEFAULT_ROWS: Final = 32  # in a batch, where `fit` gets no `batch_size`
MOST_SHUFFLED: Final = 100_000  # rows of a dataset that are held in memory


def shuffled_rows(trial: Trial) -> Iterator[str]:
    """Shuffle the rows in each epoch."""
    if _is_stateful(trial):
        raise InapplicableError("its recurrent layers keep states from batch to batch, so the order matters")
    dataset = _dataset(trial)
    if dataset is None:
        if trial.arguments.get("shuffle", True):
            raise InapplicableError("its rows are shuffled already")
        yield "`shuffle=True` in `fit`"
        trial.arguments["shuffle"] = True
        return
    size = _rows_of_batch(dataset)
    rows = min(MOST_SHUFFLED, (batches(trial) or MOST_SHUFFLED) * size)
    yield f"`dataset.shuffle({rows})` before `batch`"
    trial.arguments["x"] = _batched(dataset.unbatch().shuffle(rows), dataset, size, 1)


def rows_in_order(trial: Trial) -> Iterator[str]:
    """Keep the order of the rows, so that each state belongs to the sequence that it continues."""
    if not _is_stateful(trial):
        raise InapplicableError("no recurrent layer keeps states from batch to batch")
    if _dataset(trial) is not None or not trial.arguments.get("shuffle", True):
        raise InapplicableError("`fit` does not shuffle its rows")
    yield "`shuffle=False` in `fit`, with row i of each batch continuing row i of the batch before"
    trial.arguments["shuffle"] = False


def larger_batches(trial: Trial) -> Iterator[str]:
    """Put more rows into a batch."""
    fixed = batch_size(trial.model)
    if fixed is not None:
        raise InapplicableError(f"its inputs have a fixed batch of {fixed} rows")
    if trial.arguments.get("steps_per_epoch") is not None:
        raise InapplicableError("`steps_per_epoch` sets the number of its batches")
    dataset = _dataset(trial)
    before = (trial.arguments.get("batch_size") or DEFAULT_ROWS) if dataset is None else _rows_of_batch(dataset)
    factor = max(LARGER_BATCH, -(-ENOUGH_ROWS // before))
    after = factor * before
    yield f"batches of {after} rows, not {before}" if dataset is not None else f"`batch_size={after}` in `fit`"
    if dataset is None:
        trial.arguments["batch_size"] = after
    else:
        trial.arguments["x"] = _batched(dataset.unbatch(), dataset, before, factor)


def shuffled_split(trial: Trial) -> Iterator[str]:
    """Shuffle the rows once, before `validation_split` takes the last ones."""
    inputs, targets = trial.data
    if not trial.arguments.get("validation_split"):
        raise InapplicableError("`fit` gets no `validation_split`")
    yield "rows shuffled before `fit`: `order = numpy.random.permutation(len(x))`, then `x[order]` and `y[order]`"
    order = np.random.default_rng(0).permutation(len(np.asarray(keras.tree.flatten(targets)[0])))
    part = keras.tree.map_structure(lambda leaf: np.asarray(leaf)[order], (inputs, targets))
    trial.parts = {**trial.parts, TRAIN: part}
    if trial.arguments.get("sample_weight") is not None:
        trial.arguments["sample_weight"] = np.asarray(trial.arguments["sample_weight"])[order]


def batches(trial: Trial) -> int | None:
    """Return the number of batches in an epoch; None if it is unknown."""
    if trial.arguments.get("steps_per_epoch") is not None:
        return int(trial.arguments["steps_per_epoch"])
    fed = trial.arguments.get("x")
    if isinstance(fed, tf.data.Dataset):
        return max(int(fed.cardinality()), 0) or None  # below 0 if it is infinite or unknown
    if TRAIN not in trial.parts:
        return getattr(fed, "num_batches", None)  # of a PyDataset
    rows = len(np.asarray(keras.tree.flatten(trial.parts[TRAIN][0])[0]))
    rows = int(rows * (1 - (trial.arguments.get("validation_split") or 0)))
    return -(-rows // (trial.arguments.get("batch_size") or DEFAULT_ROWS))


def _dataset(trial: Trial) -> tf.data.Dataset | None:
    """Return the dataset that `fit` trains on; None for arrays.

    Raises:
        InapplicableError: it trains on neither.
    """
    rows = trial.arguments.get("x")
    if isinstance(rows, tf.data.Dataset):
        return rows
    if TRAIN not in trial.parts:
        raise InapplicableError("its batches come from a generator, and only this can change them")
    return None


def _rows_of_batch(dataset: tf.data.Dataset) -> int:
    return len(keras.tree.flatten(next(iter(dataset.take(1))))[0])


def _batched(rows: tf.data.Dataset, like: tf.data.Dataset, size: int, factor: int) -> tf.data.Dataset:
    """Return batches of `factor * size` rows from the rows of `like`, whose batches have `size` rows.

    All batches have equal size if those of `like` have. Their number is stated, as Keras stops a training whose dataset
    turns out to be shorter than before.
    """
    is_fixed = keras.tree.flatten(like.element_spec)[0].shape[0] is not None
    batched = rows.batch(factor * size, drop_remainder=is_fixed).prefetch(1)
    count = int(like.cardinality())
    if count < 0:
        return batched
    new_count = count // factor if is_fixed else -(-count // factor)
    return batched.apply(tf.data.experimental.assert_cardinality(new_count))


def _is_stateful(trial: Trial) -> bool:
    return any(getattr(layer, "stateful", False) for layer in every_layer(trial.model))
