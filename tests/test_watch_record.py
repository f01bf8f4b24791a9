"""The same record as the pipeline's own trainer: the tutorial's networks, trained by `fit` under the callback."""

import keras
import numpy as np
import pytest
from conftest import training, variant
from oracles import assert_like

from pipeline import Diagnosis
from pipeline.data.split.samples import Split
from pipeline.foundations.seeds import Shuffles
from pipeline.models import initial_weights, network
from pipeline.training.common.train_replicas import stacked, train

EPOCHS = 4
STEPS = {"learning_rate": 0.01, "momentum": 0.9}
UNIFORM = {"class_name": "RandomUniform", "config": {"minval": 0.0, "maxval": 1.0}}
VARIANTS = {
    "relu_5": {"hidden_layers": 5, "units": 5},
    "tanh_5": {
        "hidden_layers": 5,
        "units": 5,
        "activation": "tanh",
        "kernel_initializer": UNIFORM,
        "output_kernel_initializer": UNIFORM,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_as_the_stacked_trainer(name: str, circles: Split) -> None:
    """All three engines on the same network: `fit` under the callback and the compiled loops give what the stack gives.

    Tolerance: float32 sums in another order, carried through the epochs.
    """
    recipe, params, replica = variant(**VARIANTS[name]), training(epochs=EPOCHS, replicas=1), 0
    recipe = recipe.model_copy(update={"optimizer": recipe.optimizer.model_copy(update={"config": STEPS})})
    general = train(recipe, name, circles, params, choose=stacked)
    assert_like(train(recipe, name, circles, params), general)
    expected = general.history
    built = network.build(recipe, circles.inputs, circles.task, name)
    initial = initial_weights.draw(built, params.seed, [replica])
    for variable in built.model.weights:
        variable.assign(initial[variable.path][replica])
    built.model.compile(keras.optimizers.SGD(**STEPS), "binary_crossentropy")
    diagnosis = Diagnosis(circles.train.inputs, circles.train.targets, max_overhead=1000)
    test = (circles.test.inputs.astype("float32"), circles.test.targets)
    shared = {"batch_size": params.batch_size, "shuffle": False, "validation_data": test, "verbose": 0}
    for epoch, order in enumerate(Shuffles(params.seed, [replica], len(circles.train)).next_epochs(EPOCHS)[:, 0]):
        data = circles.train.inputs[order].astype("float32"), circles.train.targets[order]
        built.model.fit(*data, initial_epoch=epoch, epochs=epoch + 1, callbacks=[diagnosis], **shared)
    found = diagnosis.history
    assert [*found.path.values] == [*expected.path.values]
    for column in ("role", "units", "trainable", "bypassed", "has_activation"):
        assert [*found[column].values] == [*expected[column].values]
    for value in ("gradient_mean_abs", "gradient_norm", "gradient_zero_share", "probe_gradient_mean_abs"):
        np.testing.assert_allclose(found[value], expected[value], rtol=1e-3, atol=1e-6, err_msg=value)
    for value in ("weight_l1", "weight_change_l1"):
        np.testing.assert_allclose(found[value][:, 1:], expected[value][:, 1:], rtol=1e-4, err_msg=value)
    for value in ("dead", "dead_unit_share"):
        np.testing.assert_array_equal(found[value], expected[value], err_msg=value)
    np.testing.assert_allclose(found.saturated_share, expected.saturated_share, atol=5e-3)
    for value in ("weight_histogram", "gradient_histogram"):  # an entry may fall on the other side of an edge
        assert np.abs(found[value].astype(int) - expected[value].astype(int)).sum() <= 10
    for watched, own in (("train", "train"), ("validation", "test")):
        np.testing.assert_allclose(found[f"{watched}_loss"], expected[f"{own}_loss"], rtol=1e-4)
        np.testing.assert_allclose(found[f"{watched}_accuracy"], expected[f"{own}_accuracy"], atol=1e-6)
    np.testing.assert_allclose(found.train_constant_loss, expected.train_constant_loss, rtol=1e-5)
