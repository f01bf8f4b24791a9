"""Regularised kernels: Keras's penalties, in the loss that is minimised and in its gradients, in no curve."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import RECIPE, training, variant
from oracles import CLOSE, assert_close, keras_steps

from examples import BINARY, tutorials_origin
from pipeline.data.samples import Split
from pipeline.diagnosis import theory
from pipeline.diagnosis.theory import Premises
from pipeline.foundations.errors import UserError
from pipeline.foundations.seeds import Shuffles
from pipeline.foundations.tensorflow import keras
from pipeline.models import initial_weights
from pipeline.models.network import Network, build
from pipeline.params.variants import VariantParams, resolve
from pipeline.tracking.payload import flattened
from pipeline.training.compiled.eligible import dense_stack
from pipeline.training.replicas import Trained, train
from pipeline.training.trainable import expect_trainable

L2 = {"class_name": "L2", "config": {"l2": 0.1}}


def regularised(penalty: object = L2, **changes: object) -> VariantParams:
    smooth = {"activation": "tanh", "kernel_initializer": "glorot_uniform", "kernel_regularizer": penalty}
    return variant(**{**smooth, **changes})


def trained(recipe: VariantParams, circles: Split, **changes: object) -> Trained:
    return train(recipe, "v", circles, training(**{"epochs": 1, "replicas": 2, "chunk": 2, **changes}))


def by_keras(recipe: VariantParams, circles: Split) -> dict[str, np.ndarray]:
    """An epoch of replicas 0 and 1."""
    network = build(recipe, 2, BINARY, "v")
    order = Shuffles(7, [0, 1], len(circles.train)).next_epochs(1)[0]
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    return keras_steps(network, initial_weights.draw(network, 7, [0, 1]), optimizer, circles, order)


@pytest.mark.parametrize(
    ("class_name", "config"),
    [
        ("L1", {"l1": 0.02}),
        ("l2", {}),
        ("L1L2", {"l1": 0.01, "l2": 0.05}),
        ("OrthogonalRegularizer", {"factor": 0.2}),
    ],
    ids=str,
)
def test_an_epoch_is_the_same_steps_by_keras_itself(class_name: str, config: dict, circles: Split) -> None:
    recipe = regularised({"class_name": class_name, "config": config}, hidden_layers=3)
    ours, alone = trained(recipe, circles).weights, by_keras(recipe, circles)
    assert_close(ours, alone)
    plain = trained(regularised("none", hidden_layers=3), circles).weights
    for row in range(2):
        assert np.abs(ours["hidden_02/kernel"] - plain["hidden_02/kernel"])[row].max() > 1e-3


def test_with_normalisation_and_a_path_too(circles: Split) -> None:
    recipe = regularised(batch_normalization=True, residual=True)
    assert_close(trained(recipe, circles).weights, by_keras(recipe, circles))


def test_it_is_of_every_kernel_and_of_no_bias() -> None:
    network = build(regularised(), 2, BINARY, "v")
    assert [path for path in network.kernels if not _variable(network, path).regularizer] == []
    others = [each for each in network.model.variables if each.path not in network.kernels]
    assert [each.path for each in others if each.regularizer] == []
    expected = sum(0.1 * float(np.square(_variable(network, path)).sum()) for path in network.kernels)
    assert float(sum(network.model.losses)) == pytest.approx(expected, rel=1e-5)


def _variable(network: Network, path: str) -> Any:
    return next(each for each in network.model.variables if each.path == path)


def test_curves_are_of_the_tasks_loss_alone(circles: Split) -> None:
    result = trained(regularised(), circles)
    labels, predicted = circles.train.targets, result.predictions.train_prediction.values[..., 0]
    loss = -np.log(np.where(labels, predicted, 1 - predicted)).mean(axis=1)
    np.testing.assert_allclose(result.history.train_loss.isel(epoch=-1), loss, rtol=1e-4)


def test_gradients_are_of_what_is_minimised(circles: Split) -> None:
    """Where no signal arrives, the penalty's alone is left: 2 l2 w."""
    zeros = regularised(activation="relu", kernel_initializer={"class_name": "Constant", "config": {"value": -1.0}})
    result = trained(zeros, circles, epochs=0)
    kernel = result.weights["hidden_02/kernel"]
    found = result.history.probe_gradient_mean_abs.isel(recorded_epoch=0, layer=1)
    assert result.history.dead.isel(recorded_epoch=0, layer=1).all()
    np.testing.assert_allclose(found, 2 * 0.1 * np.abs(kernel).mean(axis=(1, 2)), **CLOSE)


def test_the_same_alone_or_with_others(circles: Split) -> None:
    together = trained(regularised(), circles)
    alone = trained(regularised(), circles, chunk=1)
    assert_close(together.weights, alone.weights)


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
