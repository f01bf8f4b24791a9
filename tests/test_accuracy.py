"""How right the diagnosis is: words by majority, the joined table, and the runner of unseen programs."""

from pathlib import Path

import pytest

from benchmarks import joined
from benchmarks.accuracy import ABSTAINED, CRASHED, MISLEADING, RIGHT, ScoredFault, ScoredGood, count_words
from benchmarks.markdown import generated_part
from benchmarks.reports import Report
from benchmarks.unseen.__main__ import shown
from benchmarks.unseen.unseen_program import FAULTY, GOOD, REPAIRED, UnseenRun
from benchmarks.unseen.unseen_runs import (
    accepted_names,
    load_results,
    program_files,
    run_all,
    run_one,
    save_results,
)


@pytest.mark.parametrize(
    ("outcome", "cause", "notices", "name"),
    [
        ("not_learned", "frozen", ("stopped_early",), "frozen"),
        ("not_learned", None, ("stopped_early",), None),
        ("learned", None, ("stopped_early", "below_reference"), "stopped_early"),
        ("learned", None, (), None),
        (None, None, ("stopped_early",), None),
    ],
)
def test_the_name_that_is_read_first(
    outcome: str | None, cause: str | None, notices: tuple[str, ...], name: str | None
) -> None:
    assert Report(outcome, cause, notices).name == name


@pytest.mark.parametrize(
    ("names", "crashes", "word"),
    [
        ({"frozen": 2}, 0, RIGHT),
        ({"symmetric": 1, "frozen": 1}, 0, RIGHT),  # both are accepted
        ({"frozen": 1, "vanishing": 1}, 0, MISLEADING),  # half is not most
        ({"frozen": 1, None: 1}, 0, MISLEADING),
        ({"vanishing": 1, None: 2}, 0, ABSTAINED),
        ({"unexplained": 1, "no_signal": 1}, 0, ABSTAINED),
        ({None: 2}, 0, ABSTAINED),
        ({"frozen": 1}, 1, CRASHED),
        ({}, 2, CRASHED),
    ],
)
def test_the_word_about_a_faulty_program(names: dict[str | None, int], crashes: int, word: str) -> None:
    assert ScoredFault("a", ("frozen", "symmetric"), names, crashes).word == word


def test_no_signal_is_right_where_it_is_accepted_and_unexplained_never() -> None:
    assert ScoredFault("a", ("no_signal",), {"no_signal": 2}).word == RIGHT
    assert ScoredFault("a", ("unexplained",), {"unexplained": 2}).word == ABSTAINED


def test_one_run_is_enough_against_a_good_program() -> None:
    learned = Report("learned", None)
    assert ScoredGood("a", [learned, Report("not_learned", "frozen")]).is_named_faulty
    unexplained = ScoredGood("a", [learned, Report("not_learned", "unexplained")])
    assert (unexplained.is_named_faulty, unexplained.is_called_not_learned) == (False, True)
    noticed = [Report("learned", None, ("below_reference",))]
    assert ScoredGood("a", noticed).has_false_notice
    assert not ScoredGood("a", noticed, frozenset({"below_reference"})).has_false_notice
    assert ScoredGood("a", [learned, Report(None, None)]).lacks_outcome


def test_the_table_keeps_seen_and_unseen_programs_apart() -> None:
    seen = [ScoredFault("a", ("frozen",), {"frozen": 2}), ScoredFault("b", ("frozen",), {"vanishing": 2})]
    unseen = [ScoredFault("c", ("frozen",), {None: 2}), ScoredFault("d", ("dead",), {}, 2)]
    rows = list(joined.fault_rows(seen, unseen))
    assert rows[0] == ("`dead`", "-", "-", "-", "0 of 1", "0 of 1", "0 of 1", "1")
    assert rows[1] == ("`frozen`", "1 of 2", "1 of 2", "0 of 2", "0 of 1", "0 of 1", "1 of 1", "0")
    assert rows[2][1] == "1 of 2 (9% to 91%)"
    assert rows[2][-1] == "1"
    assert all(len(row) == len(joined.FAULT_COLUMNS) for row in rows)
    ((name, count, *words),) = joined.set_rows({"seen": seen})
    assert (name, count) == ("seen", "2")
    assert [word.partition(" (")[0] for word in words] == ["1 of 2", "1 of 2", "0 of 2", "0"]
    assert count_words(seen) == {RIGHT: 1, MISLEADING: 1, ABSTAINED: 0, CRASHED: 0}


def test_runs_that_are_not_good_do_not_count_on_a_good_program() -> None:
    run: UnseenRun = {"name": "a", "form": GOOD, "seed": 1, "is_good": False, "outcome": "not_learned"}
    good: UnseenRun = {**run, "seed": 2, "is_good": True, "outcome": "learned", "cause": None, "notices": ["x"]}
    (program,) = joined.good_programs([run, good, {"name": "a", "form": GOOD, "seed": 3, "error": "e"}])
    assert (program.reports, program.crashes) == ([Report("learned", None, ("x",))], 1)
    (row,) = joined.good_rows({"good": [program]})
    assert row == ("good", "1", "0 of 1 (0% to 79%)", "1 of 1 (21% to 100%)", *2 * ("0 of 1 (0% to 79%)",), "1")
    assert len(row) == len(joined.GOOD_COLUMNS)


def test_the_page_has_the_last_results() -> None:
    assert generated_part(joined.PAGE, joined.BEGIN, joined.END) == joined.rendered()


FROZEN = '''"""A network of two layers."""
import keras
import numpy as np

EPOCHS, BATCH = 6, 32
PASS = 0.9
FAULT = "The layers are frozen."
REPAIR = "The layers are trainable."


def data(fixed=False):
    x = np.random.default_rng(0).normal(size=(400, 4)).astype("float32")
    y = (x[:, 0] > 0).astype("int32")
    return x[:300], y[:300], x[300:], y[300:]


def model(fixed=False):
    network = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(1, "sigmoid")]
    )
    network.layers[0].trainable = fixed
    network.compile(keras.optimizers.Adam(0.02 if fixed else 1e-6), "binary_crossentropy")
    return network


def fit_args(fixed=False):
    return {"validation_split": 0.2, "callbacks": [keras.callbacks.TerminateOnNaN()]}


def score(network, x, y):
    return float(((network.predict(x, verbose=0)[:, 0] > 0.5) == y).mean())
'''
DIES = FROZEN.replace("    network = keras", "    import os\n    os._exit(3)\n    network = keras")


@pytest.fixture
def unseen(tmp_path: Path) -> Path:
    """A folder with a faulty program and a good one, and one that ends its process."""
    for form in (FAULTY, GOOD):
        (tmp_path / form).mkdir()
    (tmp_path / FAULTY / "frozen_line.py").write_text(FROZEN)
    (tmp_path / GOOD / "ends.py").write_text(DIES)
    truth = '{"about": "in words", "frozen_line": ["frozen (all layers)", "learning_rate_too_small"]}'
    (tmp_path / "truth.json").write_text(truth)
    return tmp_path


def test_files_forms_and_accepted_names(unseen: Path) -> None:
    assert [(path.stem, form) for path, form in program_files(unseen)] == [
        ("frozen_line", FAULTY),
        ("frozen_line", REPAIRED),
        ("ends", GOOD),
    ]
    assert accepted_names(unseen) == {"frozen_line": ("frozen", "learning_rate_too_small")}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.usefixtures("imports_beforehand")
def test_each_program_trains_in_its_own_process_and_a_crash_is_shown(unseen: Path) -> None:
    lines: list[str] = []
    runs = run_all(program_files(unseen), [1], 300, lambda run: lines.append(shown(run)))
    assert [(run["name"], run["form"]) for run in runs] == [
        ("frozen_line", FAULTY),
        ("ends", GOOD),
        ("frozen_line", REPAIRED),
    ]
    faulty, crashed, repaired = runs
    assert faulty["outcome"] == "not_learned"
    assert not faulty["is_good"]
    assert repaired["outcome"] == "learned"
    assert repaired["is_good"]
    assert crashed["error"].startswith("exit code 3")
    assert any("CRASHED: exit code 3" in line for line in lines)
    (scored,) = joined.unseen_faults(runs, accepted_names(unseen))
    assert scored.word == RIGHT
    save_results(runs, unseen)
    assert load_results(unseen) == runs


def test_a_program_that_takes_too_long_is_stopped(unseen: Path) -> None:
    (run,) = run_one(unseen / FAULTY / "frozen_line.py", FAULTY, [1], 0.05)
    assert run == {"name": "frozen_line", "form": FAULTY, "seed": 1, "error": "stopped at the time limit of 0 s"}
