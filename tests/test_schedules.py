"""Test learning rates that change by step: one schedule of Keras serves all replicas of a stack."""

from typing import Any

import numpy as np
import pytest
from conftest import RECIPE, ReportKeeper, training, variant
from oracles import assert_close, engine, initial, keras_steps, stacked_steps

from examples import BINARY
from pipeline.data.split.samples import Split
from pipeline.diagnosis import causes
from pipeline.foundations.errors import UserError
from pipeline.foundations.seeds import Shuffles
from pipeline.foundations.tensorflow import keras, tf
from pipeline.models import keras_objects
from pipeline.models.network import build
from pipeline.params.variant_params import KerasObject, VariantParams, resolve, shown
from pipeline.tracking.run_parameters import flattened
from pipeline.training.common.train_replicas import train
from pipeline.training.common.trainable import expect_trainable
from pipeline.training.compiled.eligible import dense_stack
from pipeline.training.stacked import objectives
from pipeline.training.stacked.pretraining import Pretraining


def named(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": config}


# An epoch has four steps; each of these schedules changes the learning rate much within two epochs.
SCHEDULES = (
    named("ExponentialDecay", initial_learning_rate=0.2, decay_steps=2, decay_rate=0.5, staircase=True),
    named("PiecewiseConstantDecay", boundaries=[1, 5], values=[0.2, 0.05, 0.1]),
    named("PolynomialDecay", initial_learning_rate=0.2, decay_steps=6, power=2.0),
    named("InverseTimeDecay", initial_learning_rate=0.2, decay_steps=1, decay_rate=0.5),
    named("CosineDecay", initial_learning_rate=0.01, decay_steps=6, warmup_target=0.2, warmup_steps=2),
    named("CosineDecayRestarts", initial_learning_rate=0.2, first_decay_steps=3),
)


def scheduled(schedule: dict[str, Any], name: str = "SGD", **config: Any) -> VariantParams:
    optimizer = named(name, learning_rate=schedule, **config)
    return variant(activation="tanh", kernel_initializer="glorot_uniform", optimizer=optimizer)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda each: each["class_name"])
def test_the_learning_rate_of_every_step_equals_that_of_keras(schedule: dict) -> None:
    """The graph is traced once, as for the steps below."""
    optimizer, _ = keras_objects.optimizer(scheduled(schedule).optimizer, "optimizer")
    rate = tf.function(lambda: tf.convert_to_tensor(optimizer.learning_rate), autograph=False)
    own = getattr(keras.optimizers.schedules, schedule["class_name"])(**schedule["config"])
    actual = []
    for step in range(9):
        optimizer.iterations.assign(step)
        actual.append(float(rate()))
        assert actual[-1] == pytest.approx(float(own(step)), rel=1e-6, abs=1e-9)
    assert max(actual) > 1.5 * min(actual)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "name", "config"),
    [
        (SCHEDULES[0], "SGD", {"momentum": 0.9}),
        (SCHEDULES[1], "SGD", {"momentum": 0.9}),
        (named("ExponentialDecay", initial_learning_rate=0.05, decay_steps=2, decay_rate=0.5), "AdamW", {}),
    ],
    ids=lambda each: each["class_name"] if isinstance(each, dict) and each.get("class_name") else "",
)
def test_two_epochs_take_the_same_steps_as_keras(schedule: dict, name: str, config: dict, circles: Split) -> None:
    recipe = scheduled(schedule, name, **config)
    network = build(recipe, 2, BINARY, "v")
    orders = Shuffles(7, [0, 1], len(circles.train)).next_epochs(2)
    rate = getattr(keras.optimizers.schedules, schedule["class_name"])(**schedule["config"])
    optimizer = getattr(keras.optimizers, name)(learning_rate=rate, **config)
    start = initial(network, [0, 1])
    ours = stacked_steps(network, start, recipe.optimizer, circles, *orders)
    assert_close(ours, keras_steps(network, start, optimizer, circles, *orders))


@pytest.mark.slow
def test_each_chunk_starts_the_schedule_again(circles: Split) -> None:
    """The trainer itself is tested too; the test above compares the steps of its chunks with those of Keras."""
    recipe = scheduled(SCHEDULES[0])
    network = build(recipe, 2, BINARY, "v")
    apart = train(recipe, "v", circles, training(epochs=2, chunk=2)).weights
    orders = Shuffles(7, range(4), len(circles.train)).next_epochs(2)
    assert_close(stacked_steps(network, initial(network, [0, 1, 2, 3]), recipe.optimizer, circles, *orders), apart)
    start = initial(network, [0, 1])
    objective = objectives.of_task(circles.task, circles.train)
    chunk = engine(network, circles, start, recipe.optimizer)
    runs = []
    for _ in range(2):
        chunk.train_epoch(orders[0, :2], record=False)
        assert int(chunk._optimizer.iterations) == 4
        runs.append(chunk.stacks(chunk.state))
        chunk.restart(start, objective)
        assert int(chunk._optimizer.iterations) == 0
    assert all((runs[0][path] == stack).all() for path, stack in runs[1].items())


@pytest.mark.slow
def test_each_layer_of_a_pre_training_starts_the_schedule_again(circles: Split) -> None:
    """From the second step on the learning rate is 0, so a layer moves as far in two epochs as in one."""
    once = named("PiecewiseConstantDecay", boundaries=[0], values=[0.5, 0.0])
    recipe = scheduled(once, momentum=0.0).model_copy(update={"pretraining": "layer_wise", "hidden_layers": 3})
    start = initial(build(recipe, 2, BINARY, "v"), [0, 1, 2, 3])
    whole = Pretraining(recipe, "v", circles, training())
    ran = []
    for epochs in (1, 2):
        whole._variant = recipe.model_copy(update={"pretraining_epochs": epochs})
        stacks, history = whole.run(start, range(4), ReportKeeper())
        assert history.sizes["pretraining_epoch"] == epochs + 1
        ran.append(stacks)
    for path in ("hidden_01/kernel", "hidden_02/kernel", "hidden_03/kernel"):
        assert (ran[0][path] != start[path]).any()
        np.testing.assert_array_equal(ran[0][path], ran[1][path])


DECAY = {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5}


@pytest.mark.parametrize(
    ("schedule", "line"),
    [
        (
            named("ExponentialDcay", **DECAY),
            ": ExponentialDcay: not a Keras learning-rate schedule: must be one, such as ExponentialDecay",
        ),
        (
            named("ExponentialDecay", rate=1),
            ".config: {'rate': 1}: must be arguments of Keras's learning-rate schedule",
        ),
        (named("ExponentialDecay"), ": ExponentialDecay: must serve as learning-rate schedule"),
        (named("ExponentialDecay", **DECAY | {"decay_rate": "a"}), ".config: {'initial_learning_rate': 0.1, "),
        (named("ExponentialDecay", **DECAY | {"decay_steps": 0}), ".config: {'initial_learning_rate': 0.1, "),
        (
            named("InverseTimeDecay", initial_learning_rate=0.1, decay_steps=1, decay_rate=-1.0),
            ": InverseTimeDecay(initial_learning_rate=0.1, decay_steps=1, decay_rate=-1.0): must give a finite "
            "learning rate at",
        ),
        (
            named("PiecewiseConstantDecay", boundaries=[1], values=[1.0]),
            ".config: {'boundaries': [1], 'values': [1.0]}",
        ),
        (named("LearningRateSchedule"), ": LearningRateSchedule: not a Keras learning-rate schedule"),
        ({"config": DECAY}, ".class_name: missing: must be given"),
        ({}, ".class_name: missing: must be given"),
        ({"class_name": "ExponentialDecay", "config": DECAY, "a": 1}, ".a: unknown key"),
    ],
    ids=str,
)
def test_an_invalid_schedule_is_rejected_in_one_line(schedule: dict, line: str) -> None:
    with pytest.raises(UserError) as caught:
        expect_trainable(scheduled(schedule), 2, BINARY, "studies.s.cells.c")
    assert str(caught.value).startswith(f"studies.s.cells.c.optimizer.config.learning_rate{line}")
    assert "\n" not in str(caught.value)


def test_the_message_about_another_fault_shows_no_schedule_object() -> None:
    with pytest.raises(UserError, match=r"^o.config: {'learning_rate': {'class_name': 'ExponentialDecay'") as caught:
        keras_objects.optimizer(KerasObject(class_name="SGD", config={"learning_rate": SCHEDULES[0], "speed": 1}), "o")
    assert " object at " not in str(caught.value)


def test_a_schedule_and_a_number_replace_each_other() -> None:
    schedule = named("ExponentialDecay", **DECAY)
    own = {"optimizer": {"config": {"learning_rate": schedule}}}
    result = resolve(RECIPE, {"v": own})["v"]
    assert result.optimizer.config == {"learning_rate": schedule, "momentum": 0.9}
    merged = resolve(result.model_dump(mode="json"), {"v": {"optimizer": {"config": {"learning_rate": 0.1}}}})["v"]
    assert merged.optimizer.config == {"learning_rate": 0.1, "momentum": 0.9}
    slower = {"optimizer": {"config": {"learning_rate": {"config": {"decay_steps": 9}}}}}
    config = resolve(result.model_dump(mode="json"), {"v": slower})["v"].optimizer.config
    assert config["learning_rate"] == named("ExponentialDecay", **DECAY | {"decay_steps": 9})


def test_a_schedule_is_shown_and_tracked_by_name() -> None:
    optimizer = scheduled(named("ExponentialDecay", **DECAY), momentum=0.5).optimizer.model_dump()
    inner = "ExponentialDecay(initial_learning_rate=0.1, decay_steps=2, decay_rate=0.5)"
    assert shown(optimizer) == f"SGD(learning_rate={inner}, momentum=0.5)"
    assert flattened({"optimizer": optimizer}) == {
        "optimizer": "SGD",
        "optimizer.learning_rate": "ExponentialDecay",
        "optimizer.learning_rate.initial_learning_rate": "0.1",
        "optimizer.learning_rate.decay_steps": "2",
        "optimizer.learning_rate.decay_rate": "0.5",
        "optimizer.momentum": "0.5",
    }


def test_the_stacked_trainer_trains_it_and_a_lower_learning_rate_is_not_suggested() -> None:
    recipe = scheduled(SCHEDULES[0])
    assert dense_stack(recipe, 2, BINARY) is None
    for cause in ("exploding", "died_in_training"):
        assert not any("learning_rate" in key for each in causes.suggest(cause, recipe, 1) for key in each.overrides)
