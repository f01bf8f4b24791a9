"""What a study over lengths of sequences says about memory."""

from collections.abc import Sequence
from types import SimpleNamespace

import pandas as pd
import pytest

from pipeline.evaluation.intervals import wilson
from pipeline.evaluation.length_experiment import STEPS, on_lengths


def said(shares: dict[tuple[str, int], int], replicas: int = 10, reach: float = 0.3) -> list[str]:
    """Return the sentences about cells by (cell's kind, length), each with its number of replicas that learned.

    Args:
        reach: the share of the steps that the gradient reaches before training.
    """
    cells = [
        SimpleNamespace(name=f"{kind} {length}", place={"config.cell": kind, STEPS: length}) for kind, length in shares
    ]
    rows = [
        {"learned": learned, "replicas": replicas, "learned_low": low, "learned_high": high}
        for learned in shares.values()
        for low, high in [wilson(learned, replicas)]
    ]
    lengths = [length for _, length in shares]
    reached = {"cell": [cell.name for cell in cells], "steps": lengths, "reach_median": [reach * n for n in lengths]}
    return on_lengths(cells, pd.DataFrame(rows), pd.DataFrame(reached))


@pytest.mark.parametrize(
    ("learned", "words"),
    [
        ([10, 9, 0, 0], "most replicas learn up to 100 steps and fail from 200 on"),
        ([10, 5, 5, 0], "most replicas learn up to 50 steps and fail from 400 on"),
        (
            [0, 0, 1, 0],
            "fail even at 50 steps (0 of 10 learn at 50 steps; 0 of 10 learn at 100 steps; 1 of 10 learns",
        ),
        ([10, 10, 9, 10], "learn at every length"),
        ([5, 6, 5, 4], "undecided with so many replicas (5 of 10 learn at 50 steps"),
        ([10, 5, 5, 5], "undecided"),
    ],
)
def test_shares_by_length_are_put_into_words(learned: Sequence[int], words: str) -> None:
    lengths = (400, 50, 200, 100)  # in any order
    by_length = dict(zip((50, 100, 200, 400), learned, strict=True))
    (sentence,) = said({("lstm", length): by_length[length] for length in lengths})
    assert sentence.startswith("`config.cell: lstm`: ")
    assert words in sentence


def test_where_the_gradient_reaches_every_step_length_does_not_decide_by_vanishing() -> None:
    shares = {("irnn", 50): 10, ("irnn", 400): 0}
    (vanishing,), (other,) = said(shares, reach=0.3), said(shares, reach=1)
    assert "which supports `vanishing_in_time`" in vanishing
    assert "so it does not fail by `vanishing_in_time`" in other


def test_each_network_has_its_sentence_and_one_length_says_nothing() -> None:
    sentences = said({("lstm", 50): 10, ("gru", 50): 10, ("lstm", 400): 0, ("gru", 400): 10, ("rnn", 50): 0})
    assert [each.split("`")[1] for each in sentences] == ["config.cell: lstm", "config.cell: gru"]
    cells = [SimpleNamespace(name="a", place={}), SimpleNamespace(name="b", place={"units": 5})]
    assert on_lengths(cells, pd.DataFrame(), pd.DataFrame()) == []
