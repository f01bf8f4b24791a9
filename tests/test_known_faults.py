"""The faulty programs of the benchmark can be built, faulty and repaired, say what is known of them, and count."""

import json

import numpy as np
import pytest
import xarray as xr

from benchmarks.known_faults.__main__ import kept, last
from benchmarks.known_faults.counts import Counted, Totals
from benchmarks.known_faults.page import BEGIN, END, PAGE, rendered
from benchmarks.known_faults.program import Data, Program
from benchmarks.known_faults.programs import ALL, MORE, REPORTED
from benchmarks.known_faults.runs import Run, outcome, scores_of
from benchmarks.known_faults.thresholds import right
from benchmarks.known_faults.tries import counts_of
from benchmarks.published_rules import RULES, Activation, Trained
from pipeline.diagnosis.causes import cause_names
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.shipped import shipped
from pipeline.remedies.measured import FILE

WHAT_WAS_NAMED = {
    "so_31880720": "output_mismatch",
    "so_68751439": "vanishing",
    "so_54738769": None,
    "zero_weights": "symmetric",
}
each_program = pytest.mark.parametrize("program", ALL.values(), ids=ALL)


def test_names_are_unique() -> None:
    assert len(REPORTED) == 30
    assert len(ALL) == len(REPORTED) + len(MORE)


@each_program
def test_what_is_known_of_it_is_said(program: Program) -> None:
    assert program.truth
    assert set(program.truth + program.also) <= set(cause_names())
    assert not set(program.truth) & set(program.also)
    assert len(program.learned) == 1
    assert set(program.learned) <= {"accuracy", "balanced_accuracy", "r2"}
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
        outputs = np.asarray(model(inputs[:2], training=False))
        assert outputs.ndim == 2
        if targets.ndim == 2:
            assert outputs.shape == targets[:2].shape
        else:  # labels; one unit, or one for each class
            assert outputs.shape[1] in (1, int(targets.max()) + 1)


def run(repaired: bool, outcome: str, cause: str | None = None, symptoms: tuple[str, ...] = ()) -> Run:
    """As the benchmark keeps one."""
    return {"repaired": repaired, "outcome": outcome, "cause": cause, "symptoms": list(symptoms)}


def test_the_cause_of_most_failing_runs_counts() -> None:
    program = ALL["so_44758894"]  # output_mismatch, or that its output is dead
    runs = [
        run(False, "not_learned", "output_mismatch"),
        run(False, "not_learned", "dead_output"),
        run(False, "not_learned", "vanishing"),
        run(False, "learned", symptoms=("vanishing",)),
    ]
    counted = Counted.of(program, runs)
    assert (counted.right, counted.is_right) == (2, True)
    assert Counted.of(program, runs[1:]).is_right is False  # half is not most
    assert Counted.of(program, runs[3:]).is_right is None


def test_only_healthy_twins_can_be_alarmed_falsely() -> None:
    symptomatic = [run(True, outcome, symptoms=("vanishing",)) for outcome in ("learned", "not_learned")]
    counted = Counted.of(ALL["depth"], [*symptomatic, run(True, "learned")])
    assert (len(counted.alarmed), len(counted.healthy), len(counted.twins)) == (1, 2, 3)


def test_each_kind_of_fault_counts_alike() -> None:
    failed = {name: [run(False, "not_learned", cause)] for name, cause in WHAT_WAS_NAMED.items()}
    totals = Totals.of(Counted.of(ALL[name], runs) for name, runs in failed.items())
    assert (totals.right, totals.programs) == (2, 4)
    assert totals.by_kind == {"output": pytest.approx(1 / 3), "symmetry": 1.0}
    assert totals.mean_over_kinds == pytest.approx(2 / 3)


def test_what_a_known_tool_says_is_right_where_its_symptom_is_a_cause_that_is() -> None:
    program = ALL["depth"]  # vanishing
    runs = [
        run(False, "not_learned") | {"tools": {"a": ["vanishing"], "b": ["dead"], "c": []}},
        run(False, "not_learned") | {"tools": {"a": ["dead", "vanishing"], "b": [], "c": []}},
        run(False, "not_learned") | {"tools": {"a": [], "b": ["dead"], "c": []}},
        run(True, "learned") | {"tools": {"a": [], "b": ["exploding"], "c": []}},
    ]
    counted = Counted.of(program, runs)
    assert [counted.found_by(tool) for tool in "abc"] == [True, True, False]
    assert [counted.named_by(tool) for tool in "abc"] == [True, False, False]
    assert [counted.alarmed_by(tool) for tool in "abc"] == [False, True, False]
    assert Counted.of(program, [*runs, run(False, "not_learned")]).where("tools").faulty == runs[:3]


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
    said = {key for key, rule in RULES.items() if rule(Trained(history, [flat, off]))[0]}
    assert said == {key for key in RULES if key[1] != "exploding"}
    quiet = history.map(lambda values: values * 0 + 0.5)
    live = Activation("relu", np.ones((1, 5, 10)), np.ones((1, 5, 10)))
    assert not any(rule(Trained(quiet, [live]))[0] for rule in RULES.values())


@pytest.mark.slow
def test_the_committed_results_are_what_the_rules_say_of_their_evidence() -> None:
    counted = [each.where("curves") for each in last(ALL)]
    named = right(counted, DiagnosisParams.model_validate(shipped()["diagnosis"]))
    assert named == {each.program.name: each.is_right for each in counted if each.failing}
    assert len(named) > 30


def test_the_page_has_the_last_results() -> None:
    between = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert between == rendered(last(ALL), kept("tries"))


def test_what_the_diagnosis_orders_its_suggestions_by_is_what_was_tried() -> None:
    assert json.loads(FILE.read_text()) == counts_of(kept("tries").values())


def test_predictions_that_are_no_numbers_have_no_score() -> None:
    data = Data(np.zeros((4, 1), "float32"), np.arange(4, dtype="float32")[:, None])

    class Broken:
        def predict(self, inputs: np.ndarray, verbose: int) -> np.ndarray:
            return np.full((len(inputs), 1), np.nan, "float32")

    scores = scores_of(ALL["house_prices"], Broken(), data)
    assert outcome(ALL["house_prices"], scores) == "not_learned"
