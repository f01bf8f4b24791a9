"""The known-good programs: well-formed and quick to build; two of them trained under the callback."""

import time
from dataclasses import replace
from functools import wraps

import keras
import pytest

from benchmarks.known_good.good_program import Expected, GoodProgram, Prepared
from benchmarks.known_good.programs import MODULES, PROGRAMS
from benchmarks.known_good.trained import RESULTS, rows, sums, table
from pipeline.foundations.files import load_json

KINDS = {
    "tabular",
    "text",
    "sequences",
    "pictures",
    "generative",
    "several inputs or outputs",
    "own step",
}


def test_names_are_unique() -> None:
    assert len(PROGRAMS) == sum(len(module.PROGRAMS) for module in MODULES) >= 40


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_well_formed_and_quick_to_build(name: str) -> None:
    program = PROGRAMS[name]
    assert program.kind in KINDS
    assert program.after
    assert program.expected.metric
    assert program.expected.baseline
    assert program.build.__doc__
    keras.utils.set_random_seed(0)
    began = time.process_time()
    try:
        prepared = program.build(0)
    finally:
        keras.config.set_dtype_policy("float32")
        keras.utils.clear_session()
    assert time.process_time() - began < 10
    assert isinstance(prepared, Prepared)
    assert isinstance(prepared.model, keras.Model)
    assert prepared.model.compiled
    assert prepared.model.optimizer.iterations == 0  # nothing is trained yet
    assert len(prepared.rows) in (0, 2)
    assert "x" in prepared.fit
    assert 5 <= prepared.fit["epochs"] <= 100


def test_the_results_have_two_seeds_of_each_program_and_all_are_good() -> None:
    results = load_json(RESULTS)
    assert [(row["name"], row["seed"]) for row in results] == [(name, seed) for name in PROGRAMS for seed in (0, 1)]
    for row in results:
        assert PROGRAMS[row["name"]].expected.is_met(row["score"], row["baseline"]), row["name"]
        assert row["is_good"]


def test_what_is_good_is_near_the_baseline_and_above_the_least() -> None:
    expected = Expected("accuracy", "a line", within=0.02, least=0.8)
    assert expected.is_met(0.88, 0.9)
    assert not expected.is_met(0.87, 0.9)
    assert expected.is_met(0.8, 0.7)
    assert not expected.is_met(0.79, 0.7)


def test_the_table_and_the_sums_show_each_row() -> None:
    row = {"name": "a", "kind": "text", "seed": 0, "seconds": 1.0, "score": 0.9, "baseline": 0.8, "is_good": True}
    results = [
        {**row, "outcome": "learned", "cause": None, "notices": ["a_notice"], "symptoms": []},
        {**row, "name": "b", "outcome": "not_learned", "cause": "a_cause", "symptoms": ["one", "two"]},
        {**row, "name": "c", "outcome": None, "cause": None, "symptoms": []},
        {**row, "name": "d", "is_good": False, "outcome": "not_learned", "cause": "a_cause", "symptoms": []},
        {"name": "e", "kind": "text", "seed": 0, "error": "ValueError: no"},
    ]
    assert table(results).splitlines() == [
        "a                          0   0.900 (baseline  0.800, good)   1.0 s  learned    []",
        "b                          0   0.900 (baseline  0.800, good)   1.0 s  not_learned  a_cause  [one, two]",
        "c                          0   0.900 (baseline  0.800, good)   1.0 s  no outcome    []",
        "d                          0   0.900 (baseline  0.800, NOT GOOD)   1.0 s  not_learned  a_cause  []",
        "e                          0  ValueError: no",
    ]
    assert sums(results).splitlines() == [
        "5 trainings of 5 programs; 3 good",
        "not good by their own yardstick: 1 (d)",
        "good, and named faulty: 1 (b)",
        "good, with a notice: 1 (a)",
        "good, without an outcome: 1 (c)",
        "ended by an error: 1 (e)",
    ]


def shortened(program: GoodProgram, epochs: int) -> GoodProgram:
    """Return the program with fewer epochs."""

    @wraps(program.build)
    def build(seed: int) -> Prepared:
        prepared = program.build(seed)
        return replace(prepared, fit={**prepared.fit, "epochs": epochs})

    return replace(program, build=build)


@pytest.mark.campaign
def test_two_programs_train_the_same_with_and_without_the_callback() -> None:
    programs = [PROGRAMS["digits_dense"], shortened(PROGRAMS["ninth_decile"], 4)]
    results = list(rows(programs, [0]))
    assert [row["name"] for row in results] == ["digits_dense", "ninth_decile"]
    assert all(row["is_good"] for row in results)
    assert all(isinstance(row["symptoms"], list) and "cause" in row and row["says"] for row in results)
    unwatched = list(rows(programs, [0], is_watched=False))
    for row, other in zip(results, unwatched, strict=True):
        assert (row["score"], row["baseline"]) == (other["score"], other["baseline"])
        assert "outcome" not in other
