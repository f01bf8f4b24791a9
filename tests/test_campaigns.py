"""Test the campaigns' bookkeeping; the campaigns themselves are commands (docs/commands.md)."""

import json
import re
from collections import Counter
from itertools import cycle, islice
from pathlib import Path

import pytest
from campaigns import kills
from campaigns.trials import CAMPAIGNS, RIGHT, TrialLog, complaint, kinds

MACHINE_PATH = re.compile(r"(?<!\w)/(tmp|home|root|work|Users)/")  # and not .dvc/tmp/


def test_a_campaign_goes_on_where_its_log_ends_and_repeats_what_went_wrong(tmp_path: Path) -> None:
    log = TrialLog(tmp_path / "log.jsonl", seed=1)
    outcomes = [(1, 0, "other seed"), (1, 1, RIGHT), (2, 1, "wrong"), (3, 1, "wrong"), (3, 1, RIGHT)]
    for number, seed, outcome in outcomes:
        log.append({"seed": seed, "number": number, "what": "repro", "phase": f"p{number % 2}", "outcome": outcome})
    assert log.numbers(5, again=False) == [4, 5]
    assert log.numbers(5, again=True) == [2, 4, 5]
    assert log.table().splitlines()[2:] == ["| repro | p1 | 2 of 2 |", "| repro | p0 | 0 of 1 |", "| all | | 2 of 3 |"]


def test_of_160_kills_100_are_of_make_repro_and_20_of_each_other_command() -> None:
    turns = Counter(islice(cycle(kills.TURNS), 160))
    assert turns == {"make repro": 100, "make studies": 20, "callback": 20, "follower": 20}


@pytest.mark.parametrize(
    ("code", "errors", "fault"),
    [
        (1, "error: data/raw: No space left on device\n", None),
        (1, "error: No space left on device\n", "no place"),
        (1, "a\nb\nc\nd\n", "4 lines"),
        (1, "", "0 lines"),
        (1, "Traceback (most recent call last):\nOSError: no\n", "a traceback: OSError: no"),
        (-9, "killed", "exit code -9"),
        (0, "", "exit code 0"),
        (None, "", "did not end"),
    ],
)
def test_a_failure_is_right_if_it_is_one_to_three_lines(code: int | None, errors: str, fault: str | None) -> None:
    found = complaint(code, errors)
    assert found is None if fault is None else fault in (found or "")


def test_random_parts_of_names_do_not_count() -> None:
    assert kinds(["mlruns/.writing-a1b2c3d4/x", "mlruns/.writing-zzzzzzzz/x"]) == {"mlruns/.writing-*/x"}


@pytest.mark.parametrize("name", ["kills", "machine"])
def test_a_committed_log_holds_no_path_of_a_machine(name: str) -> None:
    for line in (CAMPAIGNS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        assert {"seed", "number", "what", "phase", "outcome"} <= set(json.loads(line))
        assert not MACHINE_PATH.search(line), line
