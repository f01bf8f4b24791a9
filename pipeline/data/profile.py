"""Describe the data in numbers, and warn of likely faults, for the report, MLflow and the terminal."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from pipeline.data.split.samples import ColumnKind, Origin, RawData, Split, Stored
from pipeline.data.split.tasks import Task
from pipeline.foundations.files import reading, save_text

PROFILE = Path("data/split/profile.json")
# Limits for warnings. They are here and not in params.yaml because they change no result.
DECADES = 2.0  # warn of unscaled inputs whose sizes differ by more than this many powers of ten
WIDE = 100.0  # warn of an unscaled input beyond this, or of targets with a larger standard deviation
IMBALANCE = 4.0  # warn if the most frequent class has more than this many times the rows of the rarest
FEWEST_ROWS = 10  # with fewer rows, no column counts as an index of the rows
MOST_COLUMNS = 200  # at most so many columns get a range or values
MOST_VALUES = 5  # at most so many values of a text column get a share
UNNAMED = re.compile(r"Unnamed: \d+")  # pandas's name for a file's unnamed index


class ColumnRange(Stored):
    """The smallest and the greatest value of a number column, raw and after scaling."""

    name: str
    raw: tuple[float, float]
    scaled: tuple[float, float]


class ColumnValues(Stored):
    """The number of different values of a text or boolean column, and the shares of its most frequent values."""

    name: str
    kind: ColumnKind
    distinct: int
    shares: dict[str, float]


class Profile(Stored):
    """The data in numbers.

    rows: the number of rows of each part.
    features: the number of raw columns.
    inputs: how many numbers a network takes per row.
    shares: for each part the share of each class; empty for a regression.
    targets: for each target of a regression the smallest, mean and greatest raw value; empty for classes.
    ranges: the ranges of the first MOST_COLUMNS number columns.
    warnings: sentences about likely faults.
    values: the values of the first MOST_COLUMNS text or boolean columns.
    filled: the number of missing values that were replaced, by column.
    """

    source: str
    task: Task
    rows: dict[str, int]
    features: int
    inputs: int
    shares: dict[str, dict[str, float]]
    targets: dict[str, tuple[float, float, float]]
    ranges: tuple[ColumnRange, ...]
    warnings: tuple[str, ...]
    values: tuple[ColumnValues, ...] = ()
    filled: dict[str, int] = Field({})


def profile(raw: RawData, split: Split, origin: Origin) -> Profile:
    """Describe the raw rows and their split."""
    ranges = list(_ranges(raw, origin))
    return Profile(
        source=origin.data.source,
        task=raw.task,
        rows={name: len(part) for name, part in split.parts.items()},
        features=len(origin.columns),
        inputs=split.inputs,
        shares=_shares(split) if raw.task.is_classification else {},
        targets={} if raw.task.is_classification else _spreads(raw),
        ranges=tuple(ranges[:MOST_COLUMNS]),
        warnings=(
            *(_about_inputs(ranges) if origin.split.scale.inputs == "none" else ()),
            *_about_targets(split),
            *_about_classes(split),
            *_about_rows(split),
            *_about_leaks(raw),
            *_about_index(raw),
        ),
        values=tuple(islice(_values(raw), MOST_COLUMNS)),
        filled=raw.filled,
    )


def save_profile(data_profile: Profile) -> None:
    """Write the profile as JSON."""
    save_text(data_profile.model_dump_json(indent=2, exclude_defaults=True) + "\n", PROFILE)


def load_profile() -> Profile:
    """Read the profile.

    Raises:
        UserError: the file is missing or damaged.
    """
    with reading(PROFILE, "a profile as `split` writes it"):
        return Profile.model_validate_json(PROFILE.read_bytes())


def _shares(split: Split) -> dict[str, dict[str, float]]:
    names = split.task.names
    return {
        part: {
            name: round(count / len(samples), 6)
            for name, count in zip(names, np.bincount(samples.targets, minlength=len(names)).tolist(), strict=True)
        }
        for part, samples in split.parts.items()
    }


def _spreads(raw: RawData) -> dict[str, tuple[float, float, float]]:
    columns = zip(raw.task.names, raw.targets.T, strict=True)
    return {name: (float(each.min()), float(each.mean()), float(each.max())) for name, each in columns}


def _ranges(raw: RawData, origin: Origin) -> Iterator[ColumnRange]:
    for place, column in enumerate(origin.columns):
        if column.kind == "number":
            values = raw.features[..., place] if isinstance(raw.features, np.ndarray) else raw.features[column.name]
            low, high = float(values.min()), float(values.max())
            scaled = (low * column.factor + column.offset, high * column.factor + column.offset)
            yield ColumnRange(name=column.name, raw=(low, high), scaled=scaled)


def _values(raw: RawData) -> Iterator[ColumnValues]:
    for name, kind, values in raw.columns:
        if kind != "number":
            texts = values if kind == "category" else values.map({0: "false", 1: "true"})
            # Equally frequent values come in alphabetical order.
            counts = texts.value_counts().sort_index().sort_values(ascending=False, kind="stable")
            shares = {str(value): round(count / len(raw), 6) for value, count in counts.head(MOST_VALUES).items()}
            yield ColumnValues(name=name, kind=kind, distinct=len(counts), shares=shares)


def _about_inputs(ranges: list[ColumnRange]) -> Iterator[str]:
    sizes = {each.name: max(map(abs, each.scaled)) for each in ranges if any(each.scaled)}
    if not sizes:
        return
    small, large = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    if sizes[large] > WIDE or np.log10(sizes[large] / sizes[small]) > DECADES:
        yield (
            f"inputs are not scaled: {large} reaches {sizes[large]:.3g}, {small} only {sizes[small]:.3g}; set "
            "split.scale.inputs to standard or minmax"
        )


def _about_targets(split: Split) -> Iterator[str]:
    if split.task.is_classification:
        return
    for name, values in zip(split.task.names, split.train.targets.T, strict=True):
        if np.std(values) > WIDE:
            yield (
                f"targets are not scaled: {name} has a standard deviation of {np.std(values):.3g}; set "
                "split.scale.targets to standard"
            )


def _about_classes(split: Split) -> Iterator[str]:
    if not split.task.is_classification:
        return
    names = split.task.names
    counts = np.bincount(split.train.targets, minlength=len(names))
    absent = [names[label] for label in np.flatnonzero(counts == 0)]
    if absent:
        yield f"no training row is of class {', '.join(absent)}; set split.shuffle, or split.stratify too, to true"
    elif counts.max() > IMBALANCE * counts.min():
        most, least = names[int(counts.argmax())], names[int(counts.argmin())]
        yield (
            f"classes are imbalanced: {counts.max()} training rows of {most}, {counts.min()} of {least}; a network "
            f"that always predicts {most} has a high accuracy, so judge by balanced_accuracy"
        )


def _about_rows(split: Split) -> Iterator[str]:
    train, test = (_hashes(part.inputs) for part in (split.train, split.test))
    train.sort()  # in place; faster than numpy.isin
    shared = int((train[np.searchsorted(train, test).clip(max=len(train) - 1)] == test).sum())
    if shared:
        yield f"{shared} of {len(test)} test rows have the same inputs as a training row"


def _hashes(inputs: np.ndarray) -> np.ndarray:
    """Return a hash of each row, equal for equal rows: uint64 [row]."""
    total = np.zeros(len(inputs), np.uint64)
    for column in inputs.reshape(len(inputs), -1).T:
        total ^= total >> np.uint64(29)
        total *= np.uint64(0x9E3779B97F4A7C15)
        positive = np.ascontiguousarray(column) + 0.0  # -0.0 equals 0.0 but has other bits
        total += positive.view(np.uint32 if column.dtype == np.float32 else np.uint64)
    return total


def _about_leaks(raw: RawData) -> Iterator[str]:
    for name, _, values in raw.columns:
        if raw.task.is_classification:
            classes = len(raw.task.names)
            if values.head(1000).nunique() > classes:
                continue  # a quick check: a feature that determines the target has one value per class
            codes, distinct = pd.factorize(values)
            pairs = np.unique(codes * classes + raw.targets)
            is_target = len(distinct) == len(pairs) == classes
        else:
            is_target = any(np.array_equal(values.to_numpy(), each) for each in raw.targets.T)
        if is_target:
            yield f"feature {name} determines the target; leave it out by data.features if new rows will not have it"


def _about_index(raw: RawData) -> Iterator[str]:
    for name, kind, values in raw.columns:
        if UNNAMED.fullmatch(name) or (kind == "number" and _is_count(values.to_numpy())):
            yield (
                f"feature {name} seems to be an index of the rows, which says nothing about new rows; leave it out by "
                "data.features"
            )


def _is_count(values: np.ndarray) -> bool:
    """Return whether whole numbers rise with every row, mostly by one, because rows of an index may be missing."""
    if len(values) < FEWEST_ROWS or (values[:FEWEST_ROWS] % 1).any():
        return False
    steps = np.diff(values)
    return bool((steps >= 1).all() and np.median(steps) == 1 and (values % 1 == 0).all())
