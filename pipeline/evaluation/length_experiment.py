"""Read from a study whose grid has the length of sequences what length decides: the experiment on memory."""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from pipeline.diagnosis.variant_verdict import learn
from pipeline.params.study_params import Cell

STEPS: Final = "data.config.steps"
HALF: Final = 0.5  # most replicas learn if the interval of their share is above it, and most fail if it is below


def on_lengths(cells: Sequence[Cell], table: pd.DataFrame, reach: pd.DataFrame) -> list[str]:
    """Return a sentence for each network that a study trains at several lengths; empty without lengths in the grid.

    Args:
        cells: the cells of the study.
        table: the study's table, a row for each of `cells`.
        reach: how far back the gradient reaches before training, as `UntrainedReach.cells`.
    """
    reaches_all = set(reach.cell[reach.reach_median >= reach.steps]) if len(reach) else set[str]()
    groups: dict[str, list[int]] = {}
    for row, cell in enumerate(cells):
        if isinstance(cell.place.get(STEPS), int):
            others = ", ".join(f"{axis}: {value}" for axis, value in cell.place.items() if axis != STEPS)
            groups.setdefault(others, []).append(row)
    sentences = []
    for others, rows in groups.items():
        ordered = sorted(rows, key=lambda row: int(cells[row].place[STEPS]))
        if len(ordered) > 1:
            lengths = [int(cells[row].place[STEPS]) for row in ordered]
            reaches = all(cells[row].name in reaches_all for row in ordered)
            sentence = _sentence(lengths, table.iloc[ordered], reaches)
            sentences.append(f"{f'`{others}`: ' if others else ''}{sentence}")
    return sentences


def _sentence(lengths: list[int], rows: pd.DataFrame, reaches_all: bool) -> str:
    """Return what a network's shares at several lengths say about its memory.

    Args:
        lengths: in increasing order.
        rows: of the study's table, one for each length.
        reaches_all: whether the gradient reaches every step before training, at every length.
    """
    counts = [learn(int(row.learned), int(row.replicas)) for row in rows.itertuples()]
    learned = [length for length, low in zip(lengths, rows.learned_low, strict=True) if low > HALF]
    failed = [length for length, high in zip(lengths, rows.learned_high, strict=True) if high < HALF]
    listed = "; ".join(f"{count} at {length} steps" for length, count in zip(lengths, counts, strict=True))
    if len(learned) == len(lengths):
        return f"most replicas learn at every length ({listed}), so length is no problem here."
    if lengths[0] in failed:
        return (
            f"most replicas fail even at {lengths[0]} steps ({listed}). This speaks against `vanishing_in_time` as the "
            "cause; still shorter sequences would tell more."
        )
    if learned and any(length > max(learned) for length in failed):
        first = min(length for length in failed if length > max(learned))
        meaning = (
            "but before training the gradient reaches every step, so it does not fail by `vanishing_in_time`"
            if reaches_all
            else "which supports `vanishing_in_time` as the cause"
        )
        return (
            f"most replicas learn up to {max(learned)} steps and fail from {first} on ({listed}). So length decides, "
            f"{meaning}."
        )
    return f"undecided with so many replicas ({listed})."
