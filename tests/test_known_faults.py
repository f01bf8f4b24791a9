"""The faulty programs of the benchmark can be built, faulty and repaired, and say what is known of them."""

import numpy as np
import pytest

from benchmarks.known_faults.program import CAUSES, Program
from benchmarks.known_faults.programs import ALL, MORE, REPORTED

each_program = pytest.mark.parametrize("program", ALL.values(), ids=ALL)


def test_names_are_unique() -> None:
    assert len(REPORTED) == 30
    assert len(ALL) == len(REPORTED) + len(MORE)


@each_program
def test_what_is_known_of_it_is_said(program: Program) -> None:
    assert program.truth
    assert set(program.truth + program.also) <= set(CAUSES)
    assert not set(program.truth) & set(program.also)
    assert len(program.learned) == 1
    assert set(program.learned) <= {"accuracy", "balanced_accuracy", "r2"}
    assert program.fault.endswith(".")
    assert program.remedy.endswith(".")


@pytest.mark.slow
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
