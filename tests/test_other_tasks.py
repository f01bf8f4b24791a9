"""Several classes and regression, through both trainers: Keras's own steps and numbers, and NumPy's."""

import gc
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import training, variant
from oracles import CLOSE, LOSSES, arrays, assert_close, assert_like, initial, keras_steps

from examples import THRESHOLDS, classified, regressed
from pipeline.data.split.samples import Samples, Split
from pipeline.diagnosis.theory import Premises
from pipeline.evaluation import files, summary
from pipeline.evaluation.learned import rule_for
from pipeline.foundations.seeds import Shuffles
from pipeline.foundations.tensorflow import keras, tf
from pipeline.history import record
from pipeline.models import keras_objects
from pipeline.models.network import build
from pipeline.params.variant_params import VariantParams
from pipeline.training.common.train_replicas import Trained, stacked, train, trainer_of
from pipeline.training.common.trainer import curve_names
from pipeline.training.compiled.eligible import dense_stack
from pipeline.training.stacked.forward import Forward, State

SPLITS = {
    "three classes": classified(3, validation=60),  # the largest part
    "four classes, one not in the test set": classified(4, missing_in_test=2),
    "one target": regressed(1),
    "two targets": regressed(2, validation=21),
}
SGD = {"class_name": "SGD", "config": {"learning_rate": 0.05, "momentum": 0.5}}
RMSPROP = {"class_name": "RMSprop", "config": {"learning_rate": 0.01, "rho": 0.8}}
ADAM = {"class_name": "Adam", "config": {"learning_rate": 0.02, "epsilon": 1e-5}}
OFTEN = ("four classes, one not in the test set", "two targets")
WHOLE = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in OFTEN else pytest.mark.slow) for name in SPLITS]
)
TRAINERS = {"compiled": trainer_of, "stacked": stacked}
EITHER = pytest.mark.parametrize("trainer", TRAINERS)


def recipe(activation: str = "tanh", optimizer: dict = SGD, **changes: object) -> VariantParams:
    return variant(activation=activation, kernel_initializer="glorot_uniform", optimizer=optimizer, **changes)


# Tasks, activations and optimizers do not touch in the trainers: each task has one of each.
RECIPES = {
    "three classes": recipe("tanh", SGD),
    "four classes, one not in the test set": recipe("relu", RMSPROP),
    "one target": recipe("elu", ADAM),
    "two targets": recipe("tanh", SGD),
}
PARAMS = training(epochs=2, replicas=2)


@cache
def two_epochs(name: str) -> Trained:
    """Two replicas after two epochs, by the stacked trainer."""
    return train(RECIPES[name], "v", SPLITS[name], PARAMS, choose=stacked)


@cache
def compiled(name: str) -> Trained:
    """The same by the compiled trainer."""
    split = SPLITS[name]
    assert dense_stack(RECIPES[name], split.inputs, split.task) is not None
    return train(RECIPES[name], "v", split, PARAMS)


@pytest.mark.slow
@WHOLE
def test_two_epochs_are_the_same_steps_by_keras_itself(name: str) -> None:
    split = SPLITS[name]
    network = build(RECIPES[name], split.inputs, split.task, "v")
    stacks = initial(network, [0, 1])
    orders = Shuffles(7, [0, 1], len(split.train)).next_epochs(2)
    optimizer, _ = keras_objects.optimizer(RECIPES[name].optimizer, "optimizer")
    alone = keras_steps(network, stacks, optimizer, split, *orders)
    assert_close(two_epochs(name).weights, alone)
    assert all((alone[path] != stacks[path]).any() for path in stacks)


@pytest.mark.slow
@WHOLE
def test_curves_and_predictions_are_keras_own(name: str) -> None:
    split, result = SPLITS[name], two_epochs(name)
    task = split.task
    model = build(RECIPES[name], split.inputs, task, "v").model
    scores = ["accuracy"] if task.is_classification else [keras.metrics.R2Score("uniform_average")]
    model.compile(loss=LOSSES[task.kind], metrics=scores, run_eagerly=True)
    for row in range(2):
        for variable in model.variables:
            variable.assign(result.weights[variable.path][row])
        final = result.history.isel(replica=row, epoch=-1)
        for part, samples in split.parts.items():
            inputs, targets = arrays(task, samples)
            loss, score = model.evaluate(inputs, targets, batch_size=100, verbose=0)
            assert float(final[f"{part}_loss"]) == pytest.approx(loss, rel=1e-4)
            assert float(final[f"{part}_{task.score}"]) == pytest.approx(score, abs=1e-6)
            recorded = result.predictions[f"{part}_prediction"].isel(replica=row)
            assert recorded.shape == (len(samples), task.outputs)
            np.testing.assert_allclose(model.predict(inputs, verbose=0), recorded, rtol=1e-5, atol=1e-6)


@EITHER
@pytest.mark.parametrize("name", SPLITS)
def test_scores_and_losses_are_those_of_the_task_in_numpy(name: str, trainer: str) -> None:
    split, result = SPLITS[name], two_epochs(name) if trainer == "stacked" else compiled(name)
    final = result.history.isel(epoch=-1)
    for part, samples in split.parts.items():
        for row in range(2):
            predictions = result.predictions[f"{part}_prediction"].values[row]
            for score, value in split.task.scores(samples.targets, predictions).items():
                assert float(final[f"{part}_{score}"][row]) == pytest.approx(value, abs=1e-6), (part, score)
            loss = loss_by_hand(split, samples, predictions)
            assert float(final[f"{part}_loss"][row]) == pytest.approx(loss, rel=1e-5)
        assert final.attrs[f"{part}_constant_loss"] == split.task.constant_loss(samples.targets)
    assert record.task_of(final) == split.task


def loss_by_hand(split: Split, samples: Samples, predictions: np.ndarray) -> float:
    predictions = predictions.astype(np.float64)
    if split.task.kind == "regression":
        return float(np.mean((samples.targets - predictions) ** 2))
    return float(-np.mean(np.log(predictions[np.arange(len(samples)), samples.targets])))


@pytest.mark.parametrize("name", SPLITS)
def test_the_compiled_trainer_gives_what_the_stacked_one_gives(name: str) -> None:
    """With validation rows in two of them; all that is recorded."""
    assert set(curve_names(SPLITS[name])) < set(compiled(name).history)
    assert_like(compiled(name), two_epochs(name))


def test_the_examples_are_what_they_are_called() -> None:
    three, four, one, two = SPLITS.values()
    assert [set(part.targets) for part in three.parts.values()] == [{0, 1, 2}] * 3
    assert [set(part.targets) for part in four.parts.values()] == [{0, 1, 2, 3}, {0, 1, 3}]
    assert [split.train.targets.shape for split in (one, two)] == [(52, 1), (52, 2)]


@pytest.mark.parametrize("name", SPLITS)
def test_the_output_layer_is_what_the_task_asks_for(name: str) -> None:
    split = SPLITS[name]
    table = record.output(two_epochs(name).history)
    assert table.units.values.tolist() == [split.task.outputs]
    assert table.has_activation.values.tolist() == [0 if split.task.kind == "multiclass" else 1]
    assert np.isnan(table.saturated_share).all() == (split.task.kind == "multiclass")
    assert (table.dead == 0).all()
    assert ("surface" in two_epochs(name).predictions) == (split.inputs == 2)


def forward_by_hand(weights: dict[str, np.ndarray], inputs: np.ndarray, softmax: bool) -> np.ndarray:
    """Predictions of the recipe's network, in float64."""
    signal = inputs
    for layer in ("hidden_01", "hidden_02"):
        signal = np.tanh(signal @ weights[f"{layer}/kernel"].astype(np.float64) + weights[f"{layer}/bias"])
    outputs = signal @ weights["output/kernel"].astype(np.float64) + weights["output/bias"]
    if not softmax:
        return outputs
    shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.slow
@EITHER
@pytest.mark.parametrize("name", ["three classes", "two targets"])
def test_a_validation_part_is_evaluated_at_every_epoch_and_changes_nothing(name: str, trainer: str) -> None:
    split, result = SPLITS[name], two_epochs(name) if trainer == "stacked" else compiled(name)
    assert record.parts_of(result.history) == ["train", "validation", "test"]
    assert record.judged_part(result.history) == "test"
    start = initial(build(RECIPES[name], split.inputs, split.task, "v"), [0, 1])
    softmax = split.task.kind == "multiclass"
    for epoch, stacks in ((0, start), (2, result.weights)):
        for row in range(2):
            weights = {path: stack[row] for path, stack in stacks.items()}
            for part, samples in split.parts.items():
                predictions = forward_by_hand(weights, samples.inputs, softmax)
                expected = {
                    "loss": loss_by_hand(split, samples, predictions),
                    **split.task.scores(samples.targets, predictions),
                }
                for what, value in expected.items():
                    found = float(result.history[f"{part}_{what}"].sel(replica=row, epoch=epoch))
                    assert found == pytest.approx(value, rel=1e-5, abs=1e-6), (epoch, part, what)
                if epoch:
                    recorded = result.predictions[f"{part}_prediction"].values[row]
                    np.testing.assert_allclose(recorded, predictions, rtol=1e-4, atol=1e-5)
    assert len(np.unique(result.history.validation_loss)) == 2 * 3
    bare = Split(split.task, split.train, split.test)
    without = train(RECIPES[name], "v", bare, PARAMS, choose=TRAINERS[trainer])
    for path, stack in result.weights.items():
        np.testing.assert_array_equal(stack, without.weights[path])
    for name, values in without.history.items():
        np.testing.assert_array_equal(values, result.history[name], err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("targets", "rate", "trainer"), [(1, 1e30, "compiled"), (2, 1e3, "compiled"), (2, 1e3, "stacked")]
)
def test_a_regression_that_diverges_is_recorded_and_diagnosed(
    targets: int, rate: float, trainer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    split = regressed(targets)
    made = recipe("relu", {"class_name": "SGD", "config": {"learning_rate": rate}})
    history = train(made, "v", split, training(), choose=TRAINERS[trainer]).history
    assert record.diverged(history).all()
    rule = rule_for(split.task, None)
    found = summary.evaluate("v", history, made, Premises(), rule, THRESHOLDS)
    assert set(found.replicas.cause) == {"learning_rate_too_large"}
    assert set(found.replicas.symptom) == {"exploding"}
    assert found.metrics.diverged == history.sizes["replica"]
    assert "steps that are too large" in found.diagnosis.verdict
    files.save_evaluation("v", found)
    assert files.load_evaluation("v").metrics == found.metrics


@pytest.mark.slow
@pytest.mark.parametrize("split", [classified(3), regressed(1)], ids=lambda split: split.task.kind)
def test_what_a_layer_adds_to_the_loss_is_trained_on_as_by_keras(split: Split) -> None:
    made = recipe({"class_name": "ActivityRegularization", "config": {"l1": 0.3, "l2": 0.5}})
    assert dense_stack(made, split.inputs, split.task) is None
    network = build(made, split.inputs, split.task, "v")
    stacks = initial(network, [0, 1])
    orders = Shuffles(7, [0, 1], len(split.train)).next_epochs(1)
    optimizer, _ = keras_objects.optimizer(made.optimizer, "optimizer")
    alone = keras_steps(network, stacks, optimizer, split, *orders)
    result = train(made, "v", split, training(epochs=1, replicas=2))
    assert_close(result.weights, alone)
    without = train(recipe("linear"), "v", split, training(epochs=1, replicas=2))
    change = np.abs(result.weights["hidden_01/kernel"] - without.weights["hidden_01/kernel"])
    assert change.max() > 1e-2
    for name in curve_names(split):  # the curves are of the task alone
        np.testing.assert_allclose(result.history[name][:, 0], without.history[name][:, 0], **CLOSE)


def test_the_losses_of_earlier_calls_stay_alive() -> None:
    """Keras finds losses by `id`: that of a freed one may be the next one's, which Keras would then drop."""
    split = regressed(1)
    made = recipe({"class_name": "ActivityRegularization", "config": {"l1": 0.3, "l2": 0.5}})
    network = build(made, split.inputs, split.task, "v")
    forward = Forward(network)
    stacks = initial(network, [0])
    entries = np.concatenate([stacks[each.path].reshape(1, -1) for each in network.taps.trainable_variables], axis=1)
    state = State(tf.constant(entries), tf.zeros((1, 0)))
    for _ in range(3):
        forward(state, tf.constant(split.train.inputs, tf.float32), training=True)
        gc.collect()
    ids = set().union(*(layer._loss_ids for layer in network.taps.layers))
    assert ids
    assert ids <= {id(loss) for loss in forward.losses}
