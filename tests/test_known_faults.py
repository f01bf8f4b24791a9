"""The benchmark of faulty programs: each can be built, faulty and repaired; counts, tables and files are right."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from benchmarks.known_faults import files
from benchmarks.known_faults.counts import FaultCounts, Totals
from benchmarks.known_faults.page import BEGIN, END, PAGE, rendered
from benchmarks.known_faults.program import LOGGED, Program, ProgramData
from benchmarks.known_faults.programs import ALL, MORE, REPORTED
from benchmarks.known_faults.runs import Run, TriedRemedies, arguments_of_fit, is_good, prepared, scores_of
from benchmarks.known_faults.thresholds import right_by_program
from benchmarks.known_faults.tries import cause_and_seeds, remedy_counts
from benchmarks.published_rules import RULES, TOOLS, Activation, RuleInputs
from pipeline.diagnosis.causes import cause_names
from pipeline.diagnosis.evidence import COLUMNS
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.shipped import shipped
from pipeline.remedies.measured import FILE

NAMED_CAUSES = {
    "so_31880720": "output_mismatch",
    "so_68751439": "vanishing",
    "so_54738769": None,
    "zero_weights": "symmetric",
}
# Names of which the truth may speak, whether or not a rule exists yet.
LATER_NAMES = {
    "batch_statistics", "ignored_class_weight", "learning_rate_ended", "lost_updates", "misleading_metric", "no_signal",
    "ordered_batches", "outlier_rows", "over_regularised", "shifted_validation", "shuffled_state", "stopped_early",
    "unmasked_padding", "untracked_weights",
}  # fmt: skip
each_program = pytest.mark.parametrize("program", ALL.values(), ids=ALL)


def test_each_new_kind_has_two_programs() -> None:
    kinds = [program.kind for program in ALL.values()]
    assert all(kinds.count(name) >= 2 for name in LATER_NAMES)
    ranks = {"differences_of_all_pairs", "likelihood_of_all_pairs"}
    assert all(ALL[name].kind == "output_mismatch" for name in ranks)


def test_the_arguments_of_fit_add_to_the_usual_ones_or_replace_them() -> None:
    def arguments(name: str, is_repaired: bool = False) -> dict[str, Any]:
        return arguments_of_fit(*prepared(ALL[name], is_repaired, seed=1))

    assert arguments("rows_one_by_one")["batch_size"] == 1
    assert arguments("rows_one_by_one", is_repaired=True)["batch_size"] == 16
    assert arguments("smallest_target_first")["y"] is None
    assert len(arguments("raw_validation")["validation_data"]) == 2
    assert "validation_data" not in arguments("wine_by_cultivar")


def test_names_are_unique() -> None:
    assert len(REPORTED) == 30
    assert len(ALL) == len(REPORTED) + len(MORE)


@each_program
def test_the_truth_about_each_program_is_complete(program: Program) -> None:
    assert program.truth
    assert set(program.truth + program.also) <= {*cause_names(), *LATER_NAMES}
    assert not set(program.truth) & set(program.also)
    assert len(program.learned) == 1
    assert set(program.learned) <= {"accuracy", "balanced_accuracy", "r2", LOGGED}
    assert program.fault.endswith(".")
    assert program.remedy.endswith(".")


@pytest.mark.slow
@pytest.mark.filterwarnings(r"ignore:[\s\S]*softmax over axis:UserWarning")  # Keras knows one of the faults
@each_program
@pytest.mark.parametrize("repaired", [False, True], ids=["faulty", "repaired"])
def test_its_model_takes_its_data(program: Program, repaired: bool) -> None:
    data = program.data(repaired)
    model = program.model(repaired)
    assert model.optimizer is not None
    assert len(data.x) == len(data.y) > 0
    for inputs, targets in ((data.x, data.y), data.judged):
        assert len(inputs) == len(targets)
        rows = program.batch_size  # stateful layers take no other number
        outputs = np.asarray(model(inputs[:rows], training=False))
        assert outputs.ndim == 2
        if targets.ndim == 2:
            assert outputs.shape == targets[:rows].shape
        elif targets.dtype.kind == "f" and "r2" in program.learned:
            assert outputs.shape[1] == 1
        else:  # labels; one unit, or one for each class
            assert outputs.shape[1] in (1, int(targets.max()) + 1)


def run(
    repaired: bool,
    outcome: str,
    cause: str | None = None,
    symptoms: tuple[str, ...] = (),
    tools: dict[str, list[str]] | None = None,
    seed: int = 1,
) -> Run:
    """Return a record as the benchmark keeps it."""
    return {
        "repaired": repaired,
        "seed": seed,
        "is_good": outcome == "learned",
        "outcome": outcome,
        "cause": cause,
        "notices": [],
        "symptoms": list(symptoms),
        "evidence": {"dead_layer": "body/dense_2", "loss_growth": "inf", "train_fit": 0.25},
        "scores": {"accuracy": 0.5},
        "notes": [],
        "tools": {tool: [] for tool in TOOLS} | (tools or {}),
        "curves": {},
        "seconds": 1.0,
    }


def test_the_cause_of_most_failing_runs_counts() -> None:
    program = ALL["so_44758894"]  # output_mismatch, or that its output is dead
    runs = [
        run(False, "not_learned", "output_mismatch"),
        run(False, "not_learned", "dead_output"),
        run(False, "not_learned", "vanishing"),
        run(False, "learned", symptoms=("vanishing",)),
    ]
    counts = FaultCounts.of(program, runs)
    assert (counts.named_right, counts.is_right) == (2, True)
    assert FaultCounts.of(program, runs[1:]).is_right is False  # half is not most
    assert FaultCounts.of(program, runs[3:]).is_right is None


def test_most_failing_runs_must_have_a_cause() -> None:
    program = ALL["depth"]
    runs = [run(False, "not_learned", cause) for cause in ("vanishing", "saturated", None)]
    assert FaultCounts.of(program, runs).is_named is True
    assert FaultCounts.of(program, runs[1:]).is_named is False  # half is not most


def test_only_healthy_twins_can_be_alarmed_falsely() -> None:
    symptomatic = [run(True, outcome, symptoms=("vanishing",)) for outcome in ("learned", "not_learned")]
    counts = FaultCounts.of(ALL["depth"], [*symptomatic, run(True, "learned")])
    assert (counts.alarmed, counts.healthy, counts.twins) == (1, 2, 3)
    assert counts.alarms == {"vanishing": 1}


def test_each_kind_of_fault_counts_alike() -> None:
    runs = {name: [run(False, "not_learned", cause)] for name, cause in NAMED_CAUSES.items()}
    totals = Totals.of(FaultCounts.of(ALL[name], each) for name, each in runs.items())
    assert (totals.right, totals.programs) == (2, 4)
    assert totals.by_kind == {"output_mismatch": pytest.approx(1 / 3), "symmetric": 1.0}
    assert totals.mean_over_kinds == pytest.approx(2 / 3)


def test_a_known_tool_is_right_where_its_symptom_is_a_right_cause() -> None:
    program = ALL["depth"]  # vanishing
    a, b, c = TOOLS[:3]
    runs = [
        run(False, "not_learned", tools={a: ["vanishing"], b: ["dead"]}),
        run(False, "not_learned", tools={a: ["dead", "vanishing"]}),
        run(False, "not_learned", tools={b: ["dead"]}),
        run(True, "learned", tools={b: ["exploding"]}),
    ]
    counts = FaultCounts.of(program, runs)
    assert [counts.is_found_by(tool) for tool in (a, b, c)] == [True, True, False]
    assert [counts.is_named_by(tool) for tool in (a, b, c)] == [True, False, False]
    assert [counts.is_alarmed_by(tool) for tool in (a, b, c)] == [False, True, False]
    half = FaultCounts.of(program, [*runs, run(False, "not_learned")])
    assert [half.is_found_by(tool) for tool in (a, b, c)] == [False, False, False]


def test_the_failing_seeds_are_tried_against_the_most_frequent_cause() -> None:
    causes = ("saturated", "vanishing", "vanishing", None)
    runs = [run(False, "not_learned", cause, seed=seed) for seed, cause in enumerate(causes, start=1)]
    counts = FaultCounts.of(ALL["depth"], [*runs, run(False, "learned", seed=5)])
    assert cause_and_seeds(counts, range(1, 6)) == ("vanishing", [1, 2, 3, 4])
    assert cause_and_seeds(counts, (2, 5)) == ("vanishing", [2])
    assert cause_and_seeds(counts, (5,)) is None
    assert cause_and_seeds(FaultCounts.of(ALL["depth"], runs[3:]), range(1, 6)) is None


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The benchmark's files in an empty folder."""
    for name in ("COUNTS", "TRIES", "EVIDENCE", "RECORDS"):
        monkeypatch.setattr(files, name, tmp_path / getattr(files, name).name)
    return tmp_path


def test_what_is_written_is_read_again(empty_folder: Path) -> None:
    runs = [run(False, "not_learned", "vanishing", seed=seed, tools={TOOLS[0]: ["vanishing"]}) for seed in (1, 2)]
    both = [*runs, run(False, "learned", seed=3), run(True, "learned", symptoms=("saturated",))]
    for name in ("unfreeze", "depth"):
        files.save_runs(name, both)
    files.save_runs("depth", both[1:])  # replaces the former runs of this program alone
    assert files.load_counts() == [FaultCounts.of(ALL["depth"], both[1:]), FaultCounts.of(ALL["unfreeze"], both)]
    assert files.load_counts(["unfreeze"]) == [FaultCounts.of(ALL["unfreeze"], both)]
    assert files.load_records("depth") == both[1:]
    assert files.load_records("majority") == []
    evidence = files.load_evidence()
    assert evidence[["program", "seed"]].values.tolist() == [["depth", 2], ["unfreeze", 1], ["unfreeze", 2]]
    assert evidence.columns.tolist() == ["program", "seed", "is_judged", *COLUMNS]
    assert evidence[["dead_layer", "loss_growth", "train_fit"]].iloc[0].tolist() == [1, np.inf, 0.25]
    tries = [
        TriedRemedies(("adam",), "vanishing", 1, 2, "saturated"),
        TriedRemedies(("dropout",), "x", 0, 0, None, "y"),
    ]
    files.save_tries("depth", tries)
    assert files.load_tries() == {"depth": tries}


def test_what_is_in_git_is_small() -> None:
    assert sum(path.stat().st_size for path in (files.COUNTS, files.TRIES, files.EVIDENCE)) < 100_000


def test_the_published_rules_on_numbers_that_are_known() -> None:
    """Ten tanh units far out, ten relu units that are off, and gradients that shrink to nothing."""
    flat = Activation("tanh", np.ones((1, 5, 10)), np.full((1, 5, 10), 20.0))
    off = Activation("relu", np.zeros((1, 5, 10)), np.full((1, 5, 10), -1.0))
    by_layer = ("replica", "recorded_epoch", "layer")
    history = xr.Dataset(
        {
            "gradient_mean_abs": (by_layer, [[[1e-9, 0.1]]]),
            "gradient_norm": (by_layer, [[[1e-8, 1.0]]]),
            "gradient_zero_share": (by_layer, [[[1.0, 0.9]]]),
            "weight_l1": (by_layer, [[[1.0, 1.0]]]),
            "train_loss": (("replica", "epoch"), [[0.7]]),
        }
    )
    reported = {key for key, rule in RULES.items() if rule(RuleInputs(history, [flat, off]))[0]}
    assert reported == {key for key in RULES if key[1] != "exploding"}
    quiet = history.map(lambda values: values * 0 + 0.5)
    live = Activation("relu", np.ones((1, 5, 10)), np.ones((1, 5, 10)))
    assert not any(rule(RuleInputs(quiet, [live]))[0] for rule in RULES.values())


@pytest.mark.slow
def test_the_committed_counts_follow_from_the_evidence_and_the_rules() -> None:
    evidence = files.load_evidence()
    right = right_by_program(evidence, DiagnosisParams.model_validate(shipped()["diagnosis"]))
    counts = [each for each in files.load_counts() if each.failing]
    # A run that learned and has a notice leaves no evidence.
    without = {each.program.name for each in counts if each.failing > (evidence.program == each.program.name).sum()}
    assert all(ALL[name].kind in LATER_NAMES for name in without)
    assert {name: is_right for name, is_right in right.items() if name not in without} == {
        each.program.name: each.is_right for each in counts if each.program.name not in without
    }
    assert len(right) > 30


def test_the_page_has_the_last_results() -> None:
    between = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert between == rendered(files.load_counts(), files.load_tries())


def test_the_diagnosis_orders_its_suggestions_by_the_last_results() -> None:
    assert json.loads(FILE.read_text()) == remedy_counts(files.load_tries().values())


def test_predictions_that_are_nan_do_not_count_as_learned() -> None:
    data = ProgramData(np.zeros((4, 1), "float32"), np.arange(4, dtype="float32")[:, None])

    class Broken:
        def predict(self, inputs: np.ndarray, batch_size: int, verbose: int) -> np.ndarray:
            return np.full((len(inputs), 1), np.nan, "float32")

    scores = scores_of(ALL["house_prices"], Broken(), data)
    assert not is_good(ALL["house_prices"], scores)


def test_a_run_counts_by_the_programs_own_yardstick_and_by_the_name_that_is_read_first() -> None:
    """The network learned, its metric misleads: the notice is the name; a twin without notices is healthy."""
    program = ALL["metric_of_one_hot_labels"]
    first = {**run(False, "learned"), "is_good": False, "notices": ["misleading_metric", "below_reference"]}
    second = {**run(False, "learned", seed=2), "is_good": False}
    counts = FaultCounts.of(program, [first, first, second, run(True, "learned")])
    assert counts.causes == {"misleading_metric": 2, "no cause": 1}
    assert counts.names == {"misleading_metric": 2, None: 1}
    assert counts.is_right is True
    assert counts.twin_reports == [["learned", None, []]]
