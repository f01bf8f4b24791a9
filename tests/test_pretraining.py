"""Test greedy pre-training: each layer is trained as Keras would, and the layers below do not change by a bit."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from conftest import ReportKeeper, training, variant

from examples import BINARY, THRESHOLDS, accuracy_above, tutorials_origin
from pipeline.data.split.samples import Split
from pipeline.diagnosis import theory
from pipeline.evaluation import summary
from pipeline.foundations.errors import UserError
from pipeline.foundations.seeds import Shuffles, derived_seed
from pipeline.foundations.tensorflow import keras
from pipeline.history import files as runs
from pipeline.models import initial_weights
from pipeline.models.network import build
from pipeline.params.variant_params import VariantParams
from pipeline.training.common.train_replicas import Trained, train

# The precision of float32 is 1.2e-7; rounding errors grow over the steps, 8 for each layer here, and over the layers.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
SMOOTH = {"activation": "tanh", "kernel_initializer": "glorot_uniform"}
WHOLE = {"activation": "PReLU", "batch_normalization": True, "residual": True, "kernel_initializer": "glorot_uniform"}
L2 = {"class_name": "L2", "config": {"l2": 0.1}}
DECAYING = {"class_name": "AdamW", "config": {"learning_rate": 0.02, "weight_decay": 0.1}}


def recipe(kind: str = "layer_wise", hidden_layers: int = 3, **changes: object) -> VariantParams:
    return variant(**{**SMOOTH, "hidden_layers": hidden_layers, "pretraining": kind, **changes})


def pretrained(circles: Split, made: VariantParams, **changes: object) -> Trained:
    """Return the weights with which the main training starts."""
    return train(made, "v", circles, training(**{"epochs": 0, "replicas": 2, "chunk": 2, **changes}))


@pytest.fixture(scope="module")
def layer_wise(circles: Split) -> Trained:
    return pretrained(circles, recipe())


def oracle(made: VariantParams, circles: Split, replicas: range) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Pre-train slowly: one network grows, Keras's `train_on_batch` trains it, and the layers below are not trainable.

    Each layer is compiled once for all replicas, because compiling takes longer than all steps. Each replica begins
    with its own weights and a new optimizer.

    Returns:
        All variables by path, [replica, *shape]; the loss, [replica, layer, epoch].
    """
    network = build(made, 2, BINARY, "v")
    stacks = {path: stack.copy() for path, stack in initial_weights.draw(network, 7, list(replicas)).items()}
    decode, losses = made.pretraining == "autoencoder", []
    for layer in range(1, made.hidden_layers + 1):
        part = f"hidden_{layer:02d}"
        code = network.model.get_layer(f"{part}_activation").output
        signal = network.model.get_layer(f"{part}_sum").output if made.residual and layer > 1 else code
        below = network.model.get_layer(part).input
        penalty = network.model.get_layer(part).kernel_regularizer
        outputs, last = (below.shape[-1], "linear") if decode else (1, "sigmoid")
        head = keras.layers.Dense(outputs, last, kernel_regularizer=penalty)
        model = keras.Model(network.model.input, head(code if decode else signal))
        for each in network.model.layers:
            each.trainable = each.name in (part, f"{part}_activation", f"{part}_normalisation")
        optimizer = keras.optimizers.get(made.optimizer.model_dump())
        model.compile(optimizer=optimizer, loss="mean_squared_error" if decode else "binary_crossentropy")
        optimizer.build(model.trainable_variables)
        fresh = [np.asarray(variable) for variable in optimizer.variables]
        inputs, labels = circles.train.inputs.astype(np.float32), circles.train.targets[:, None].astype(np.float32)
        lower, losses_of_layer = keras.Model(network.model.input, below), []
        for row, replica in enumerate(replicas):
            for variable in network.model.variables:
                variable.assign(stacks[variable.path][row])
            seed = derived_seed(7, replica, f"pre-training of layer {layer}", "head/kernel")
            head.kernel.assign(keras.initializers.GlorotUniform(seed=seed)(head.kernel.shape))
            head.bias.assign(np.zeros(head.bias.shape))
            for variable, value in zip(optimizer.variables, fresh, strict=True):
                variable.assign(value)
            targets = np.asarray(lower(inputs)) if decode else labels
            shuffles = Shuffles(7, [replica], len(inputs), f"shuffle, pre-training of layer {layer}")
            layer_losses = [loss_alone(model, inputs, targets)]
            for order in shuffles.next_epochs(made.pretraining_epochs)[:, 0]:
                for first in range(0, len(order), 16):
                    rows = order[first : first + 16]
                    model.train_on_batch(inputs[rows], targets[rows])
                layer_losses.append(loss_alone(model, inputs, targets))
            losses_of_layer.append(layer_losses)
            for variable in network.model.variables:
                stacks[variable.path][row] = np.asarray(variable)
        losses.append(losses_of_layer)
    return stacks, np.array(losses).transpose(1, 0, 2)


def loss_alone(model: keras.Model, inputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the loss of all rows in inference mode, without the penalties of kernels."""
    return float(keras.ops.mean(keras.losses.get(model.loss)(targets, model(inputs, training=False))))


@pytest.mark.slow
@pytest.mark.parametrize(
    "made",
    [
        pytest.param(recipe("layer_wise"), marks=pytest.mark.campaign),
        recipe("autoencoder", optimizer=DECAYING, hidden_layers=2),
        recipe("layer_wise", **WHOLE),
        pytest.param(recipe("autoencoder", **WHOLE, hidden_layers=2), marks=pytest.mark.campaign),
        pytest.param(recipe("layer_wise", units=[4, 2, 2], kernel_regularizer=L2), marks=pytest.mark.campaign),
        pytest.param(recipe("autoencoder", units=[4, 2, 4], kernel_regularizer=L2), marks=pytest.mark.long),
    ],
    ids=[
        *("layer_wise", "autoencoder, AdamW", "layer_wise, all", "autoencoder, all"),
        *("layer_wise, widths", "autoencoder, widths"),
    ],
)
def test_each_layer_is_trained_as_by_keras_itself(made: VariantParams, layer_wise: Trained, circles: Split) -> None:
    result = layer_wise if made == recipe() else pretrained(circles, made)
    weights, losses = oracle(made, circles, range(2))
    assert result.weights.keys() == weights.keys()
    for path, stack in result.weights.items():
        np.testing.assert_allclose(stack, weights[path], **CLOSE, err_msg=path)
    np.testing.assert_allclose(result.pretraining.loss, losses, rtol=1e-3)


@pytest.mark.slow
def test_layers_below_do_not_change_by_a_bit(layer_wise: Trained, circles: Split) -> None:
    """The pre-training of the third layer does not change the other two."""
    shallow = pretrained(circles, recipe(hidden_layers=2))
    for path, stack in shallow.weights.items():
        if path.startswith("hidden"):
            np.testing.assert_array_equal(stack, layer_wise.weights[path], err_msg=path)
    np.testing.assert_array_equal(shallow.pretraining.loss, layer_wise.pretraining.loss.isel(layer=slice(2)))


def test_every_hidden_layer_changes_and_the_output_layer_keeps_its_initial_weights(layer_wise: Trained) -> None:
    drawn = initial_weights.draw(build(recipe(), 2, BINARY, "v"), 7, [0, 1])
    for path, stack in layer_wise.weights.items():
        assert (stack == drawn[path]).all() == path.startswith("output"), path


@pytest.mark.slow
def test_a_second_training_is_the_same_to_the_bit_with_any_other_replicas(layer_wise: Trained, circles: Split) -> None:
    three = pretrained(circles, recipe(), replicas=3, chunk=2)  # the first two as before; the third is trained alone
    assert three.pretraining.replica.values.tolist() == [0, 1, 2]
    xr.testing.assert_identical(three.pretraining.isel(replica=slice(2)), layer_wise.pretraining)
    xr.testing.assert_identical(three.history.isel(replica=slice(2)), layer_wise.history)
    observer = ReportKeeper()
    others = train(recipe(), "v", circles, training(epochs=0), [observer], replicas=[2, 1, 0])
    assert observer.epochs == [*((3, epoch) for epoch in range(1, 7)), (3, 0)]
    for path, stack in three.weights.items():
        np.testing.assert_array_equal(stack[:2], layer_wise.weights[path])
        np.testing.assert_allclose(stack, others.weights[path][::-1], **CLOSE)


def test_epoch_0_of_the_main_training_comes_after_it_as_extra_budget(layer_wise: Trained) -> None:
    assert recipe().extra_epochs == 6
    assert layer_wise.history.attrs["extra_epochs"] == layer_wise.pretraining.attrs["extra_epochs"] == 6
    assert layer_wise.pretraining.loss.dims == ("replica", "layer", "pretraining_epoch")
    assert layer_wise.pretraining.loss.shape == (2, 3, 3)
    l1 = np.stack(
        [np.abs(layer_wise.weights[path]).sum((1, 2)) for path in build(recipe(), 2, BINARY, "v").kernels], axis=1
    )
    np.testing.assert_allclose(layer_wise.history.weight_l1.isel(recorded_epoch=0), l1, rtol=1e-5)
    premises = theory.premises(recipe(), tutorials_origin(), np.array([[-1.0, 1.0], [1.0, -1.0]]))
    evaluation = summary.evaluate("v", layer_wise.history, recipe(), premises, accuracy_above(), THRESHOLDS)
    expected = " Epoch 0 follows 6 epochs of pre-training, 2 for each hidden layer."
    assert evaluation.diagnosis.verdict.endswith(expected)
    assert evaluation.diagnosis.theory == []


@pytest.mark.slow
def test_progress_is_reported_for_its_epochs_and_for_those_after_it(circles: Split) -> None:
    observer = ReportKeeper()
    train(recipe(), "v", circles, training(epochs=1, replicas=2, chunk=2), [observer])
    assert observer.epochs == [*((2, epoch) for epoch in range(1, 7)), (2, 0), (2, 1)]
    assert [bool(curves) for _, _, curves in observer.reports] == [False] * 6 + [True] * 2


def test_without_pretraining_nothing_is_recorded_about_it(circles: Split) -> None:
    plain = pretrained(circles, recipe("none"))
    assert plain.pretraining is None
    assert "extra_epochs" not in plain.history.attrs
    assert recipe("none").extra_epochs == 0


def test_its_history_is_read_back_unchanged(
    layer_wise: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs.save_pretraining("v", layer_wise.pretraining)
    xr.testing.assert_identical(runs.load_pretraining("v"), layer_wise.pretraining)
    assert runs.pretraining_path("v") in runs.files("v")
    runs.save_pretraining("v", None)
    with pytest.raises(UserError, match=r"^runs/v/pretraining\.nc: not found"):
        runs.load_pretraining("v")
