"""Combining remedies: which result gets another remedy, which one, and when it ends."""

import pytest

from pipeline.diagnosis.causes import network_remedies
from pipeline.remedies import combined, measured
from pipeline.remedies.combined import Result, further, to_follow


@pytest.fixture(autouse=True)
def nothing_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is that of the rules."""
    monkeypatch.setattr(measured, "_table", dict)


@pytest.mark.parametrize(
    ("results", "place"),
    [
        ([Result(0, 3, "unexplained"), Result(2, 3, "unexplained")], None),  # one helps
        ([Result(0, 3, "vanishing"), Result(1, 3, "vanishing")], 1),  # with which most learn
        (
            [Result(0, 3, "vanishing"), Result(0, 3, "unexplained"), Result(0, 3, "frozen")],
            1,
        ),  # the fault is another one
        ([Result(0, 3, "vanishing"), Result(0, 3, "vanishing")], 0),  # the most promising
        ([Result(0, 3, None), Result(0, 3, "unexplained")], 1),  # nothing to go by
        ([Result(0, 3, None)], None),
        ([], None),
    ],
)
def test_the_most_promising_result_is_gone_on_with(results: list[Result], place: int | None) -> None:
    assert to_follow(["vanishing", "unexplained"], results) == place


def test_the_first_remedies_are_those_of_every_cause() -> None:
    found = further((), network_remedies("too_few_epochs", "learning_rate_too_small"), [])
    assert found == [
        ("longer",),
        ("adam",),
        ("larger_steps",),
        ("scaled_inputs",),
        ("much_larger_steps",),
    ]


def test_what_comes_to_the_same_is_tried_once() -> None:
    tried = [("larger_steps",), ("much_larger_steps",), ("adam",), ("longer",)]
    found = further(("larger_steps",), network_remedies("learning_rate_too_small"), tried)
    assert ("larger_steps", "much_larger_steps") in found
    assert ("larger_steps", "longer") in found
    assert ("larger_steps", "larger_steps") not in found  # a hundred times, as one that was tried
    assert ("larger_steps", "adam") not in found  # Adam has a learning rate of its own
    assert further(("larger_steps",), network_remedies("learning_rate_too_large"), tried) == [
        ("larger_steps", "much_smaller_steps"),
        ("larger_steps", "clipped_gradients"),
    ]  # a tenth of ten times is the base


def test_the_others_are_done_once() -> None:
    tried = [("fitting_output",), ("scaled_targets",)]
    suggested = network_remedies("output_mismatch")
    assert further(("fitting_output",), suggested, tried) == [("fitting_output", "scaled_targets")]
    assert further(("fitting_output", "scaled_targets"), suggested, [*tried, tuple(tried[0] + tried[1])]) == []


def test_so_many_are_combined_at_most() -> None:
    assert combined.ROUNDS == 3
