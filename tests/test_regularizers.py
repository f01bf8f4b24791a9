"""Test regularised kernels: Keras's penalties are part of the minimised loss and its gradients, but of no curve."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import RECIPE, training, variant
from oracles import CLOSE, assert_close, initial, keras_steps, measured, stacked_steps

from examples import BINARY, tutorials_origin
from pipeline.data.split.samples import Split
from pipeline.diagnosis import theory
from pipeline.diagnosis.theory import Premises
from pipeline.foundations.errors import UserError
from pipeline.foundations.seeds import Shuffles
from pipeline.foundations.tensorflow import keras
from pipeline.models.network import Network, build
from pipeline.params.variant_params import VariantParams, resolve
from pipeline.tracking.run_parameters import flattened
from pipeline.training.common.train_replicas import Trained, train
from pipeline.training.common.trainable import expect_trainable
from pipeline.training.compiled.eligible import dense_stack

L2 = {"class_name": "L2", "config": {"l2": 0.1}}


def regularised(penalty: object = L2, **changes: object) -> VariantParams:
    smooth = {"activation": "tanh", "kernel_initializer": "glorot_uniform", "kernel_regularizer": penalty}
    return variant(**{**smooth, **changes})


def orders(circles: Split) -> np.ndarray:
    """Return the sample orders of an epoch, for replicas 0 and 1."""
    return Shuffles(7, [0, 1], len(circles.train)).next_epochs(1)[0]


def by_keras(network: Network, circles: Split) -> dict[str, np.ndarray]:
    """Return the weights of replicas 0 and 1 after an epoch of Keras."""
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    return keras_steps(network, initial(network, [0, 1]), optimizer, circles, orders(circles))


def by_steps(network: Network, circles: Split) -> dict[str, np.ndarray]:
    """Return the same weights by the stacked trainer's engine."""
    return stacked_steps(network, initial(network, [0, 1]), variant().optimizer, circles, orders(circles))


@pytest.fixture(scope="module")
def trained(circles: Split) -> Trained:
    """Return the results of an epoch of replicas 0 and 1, with everything that is recorded."""
    return train(regularised(), "v", circles, training(epochs=1, replicas=2, chunk=2))


PENALTIES = (  # the second has no gradient at the output kernel, whose rows have one entry
    {"class_name": "L1", "config": {"l1": 0.02}},
    {"class_name": "OrthogonalRegularizer", "config": {"factor": 0.2}},
    {"class_name": "L1L2", "config": {"l1": 0.01, "l2": 0.05}},
    {"class_name": "l2", "config": {}},
)


@pytest.mark.slow
def test_an_epoch_is_the_same_steps_by_keras_itself(circles: Split) -> None:
    """There is a kernel for each kind of penalty, and each penalty moves its kernel."""
    network = build(regularised(hidden_layers=3), 2, BINARY, "v")
    plain = by_steps(build(regularised("none", hidden_layers=3), 2, BINARY, "v"), circles)
    for path, penalty in zip(network.kernels, PENALTIES, strict=True):
        _variable(network, path).regularizer = own_penalty(penalty)
    ours = by_steps(network, circles)
    assert_close(ours, by_keras(network, circles))
    for path in network.kernels:
        assert (np.abs(ours[path] - plain[path]).max(axis=(1, 2)) > 1e-3).all(), path


def own_penalty(penalty: dict) -> Any:
    """Return the penalty of a network that has no other regulariser."""
    network = build(regularised(penalty), 2, BINARY, "v")
    (result,) = {_variable(network, path).regularizer for path in network.kernels}
    return result


@pytest.mark.slow
def test_the_trainer_takes_the_engines_steps(trained: Trained, circles: Split) -> None:
    assert_close(trained.weights, by_keras(build(regularised(), 2, BINARY, "v"), circles))


@pytest.mark.slow
def test_with_normalisation_and_a_path_too(circles: Split) -> None:
    network = build(regularised(batch_normalization=True, residual=True), 2, BINARY, "v")
    assert_close(by_steps(network, circles), by_keras(network, circles))


def l1(factor: float) -> Callable[[np.ndarray], float]:
    return lambda kernel: factor * np.abs(kernel).sum()


def l2(factor: float) -> Callable[[np.ndarray], float]:
    return lambda kernel: factor * np.square(kernel).sum()


def orthogonal(kernel: np.ndarray) -> float:
    """Return Keras's orthogonal penalty of rows: the mean |cosine| over all pairs of rows."""
    rows = kernel / np.linalg.norm(kernel, axis=1, keepdims=True)
    cosines = np.abs(rows @ rows.T) * (1 - np.eye(len(rows)))
    return 0.2 * 0.5 * cosines.sum() / max(1.0, len(rows) * (len(rows) - 1) / 2)


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        (PENALTIES[0], l1(0.02)),
        (PENALTIES[1], orthogonal),
        (PENALTIES[2], lambda kernel: l1(0.01)(kernel) + l2(0.05)(kernel)),
        (PENALTIES[3], l2(0.01)),
        (L2, l2(0.1)),
    ],
    ids=lambda each: str(each) if isinstance(each, dict) else "",
)
def test_it_is_of_every_kernel_and_of_no_bias(penalty: dict, expected: Callable[[np.ndarray], float]) -> None:
    network = build(regularised(penalty), 2, BINARY, "v")
    assert [path for path in network.kernels if not _variable(network, path).regularizer] == []
    others = [each for each in network.model.variables if each.path not in network.kernels]
    assert [each.path for each in others if each.regularizer] == []
    penalties = sum(expected(np.asarray(_variable(network, path), np.float64)) for path in network.kernels)
    assert float(sum(network.model.losses)) == pytest.approx(penalties, rel=1e-5)


def _variable(network: Network, path: str) -> Any:
    return next(each for each in network.model.variables if each.path == path)


def test_curves_are_of_the_tasks_loss_alone(trained: Trained, circles: Split) -> None:
    labels, predicted = circles.train.targets, trained.predictions.train_prediction.values[..., 0]
    loss = -np.log(np.where(labels, predicted, 1 - predicted)).mean(axis=1)
    np.testing.assert_allclose(trained.history.train_loss.isel(epoch=-1), loss, rtol=1e-4)


@pytest.mark.slow
def test_gradients_are_of_what_is_minimised(circles: Split) -> None:
    """If no signal arrives, only the gradient of the penalty is left: 2 l2 w."""
    zeros = regularised(activation="relu", kernel_initializer={"class_name": "Constant", "config": {"value": -1.0}})
    network = build(zeros, 2, BINARY, "v")
    stacks = initial(network, [0, 1])
    actual = measured(network, circles, stacks)
    assert actual["dead"][:, 1].all()
    expected = 2 * 0.1 * np.abs(stacks["hidden_02/kernel"]).mean(axis=(1, 2))
    np.testing.assert_allclose(actual["probe_gradient_mean_abs"][:, 1], expected, **CLOSE)


@pytest.mark.slow
def test_the_same_alone_or_with_others(trained: Trained, circles: Split) -> None:
    network = build(regularised(), 2, BINARY, "v")
    alone = stacked_steps(network, initial(network, [1]), variant().optimizer, circles, orders(circles)[1:])
    assert_close({path: stack[1:] for path, stack in trained.weights.items()}, alone)


@pytest.mark.parametrize(
    ("penalty", "line"),
    [
        ("L3", "kernel_regularizer: L3: not a Keras regularizer: must be one, such as "),
        ("None", "kernel_regularizer: None: not a Keras regularizer: must be one, such as none"),
        ({"class_name": "L2", "config": {"l1": 1}}, "kernel_regularizer.config: {'l1': 1}: must be arguments of Keras"),
        ({"class_name": "L2", "config": {"l2": -1}}, "kernel_regularizer.config: {'l2': -1}: must be arguments of"),
        ({"class_name": "L2", "config": {"l2": "a"}}, "kernel_regularizer.config: {'l2': 'a'}: must be arguments of"),
        ({"class_name": "L2", "config": {"l2": 1e300}}, "kernel_regularizer.config: {'l2': 1e+300}: must be arguments"),
        (
            {"class_name": "OrthogonalRegularizer", "config": {"mode": "columns"}},
            "kernel_regularizer: OrthogonalRegularizer(mode=columns): must give a kernel of (",
        ),
    ],
    ids=str,
)
def test_what_cannot_serve_is_refused_in_one_line(penalty: object, line: str) -> None:
    with pytest.raises(UserError) as caught:
        expect_trainable(regularised(penalty), 2, BINARY, "studies.s.cells.c")
    assert str(caught.value).startswith(f"studies.s.cells.c.{line}")
    assert "\n" not in str(caught.value)


def test_arguments_need_a_class() -> None:
    line = r"^variants\.v\.kernel_regularizer: none, with config {'l2': 1}: must have a class_name, or no config$"
    with pytest.raises(UserError, match=line):
        resolve(RECIPE, {"v": {"kernel_regularizer": {"config": {"l2": 1}}}})


def test_it_is_inherited_and_taken_back() -> None:
    without = {"v": {"kernel_regularizer": "none"}}
    assert resolve({**RECIPE, "kernel_regularizer": L2}, without)["v"] == variant()
    stronger = {"v": {"kernel_regularizer": {"config": {"l2": 1}}}}
    assert resolve({**RECIPE, "kernel_regularizer": L2}, stronger)["v"].kernel_regularizer.config == {"l2": 1}
    flat = flattened(variant(kernel_regularizer=L2).model_dump(mode="json"))
    assert (flat["kernel_regularizer"], flat["kernel_regularizer.l2"]) == ("L2", "0.1")
    assert flattened(variant().model_dump(mode="json"))["kernel_regularizer"] == "none"


def test_the_general_way_trains_it_and_theory_predicts_no_gradient_of_it() -> None:
    assert dense_stack(variant(), 2, BINARY) is not None
    assert dense_stack(variant(kernel_regularizer=L2), 2, BINARY) is None
    inputs = np.array([[-1.0, 1.0], [1.0, -1.0]])
    premises = theory.premises(variant(units=5, kernel_regularizer=L2), tutorials_origin(), inputs)
    assert premises == Premises(born_dead=True)


def test_a_saved_model_is_plain_keras(tmp_path: Path) -> None:
    model = build(regularised(), 2, BINARY, "v").model
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert float(sum(again.losses)) == pytest.approx(float(sum(model.losses)))
