"""Test networks of the user's own: faults of their files, and that they train as Keras trains them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from conftest import training
from imports import ROOT

from examples import SHIPPED
from pipeline import check
from pipeline.data.split import files as splits
from pipeline.data.split.samples import Origin, Samples, Split
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError
from pipeline.foundations.seeds import derived_seed
from pipeline.foundations.tensorflow import keras
from pipeline.history import agreement
from pipeline.history import files as runs
from pipeline.history.recipe import Recipe
from pipeline.history.record import OPTIONAL, REQUIRED
from pipeline.params import network_params
from pipeline.params.network_params import NetworkParams
from pipeline.params.training_params import TrainingParams
from pipeline.recorder import output_facts
from pipeline.studies.work import replica_works
from pipeline.training.common.train_replicas import Trained
from pipeline.training.networks.builder import build, build_raw_model, named_weights
from pipeline.training.networks.replica import batches, expect_trainable, predict, train_replica

BINARY, TEN = Task("binary", ("no", "yes")), Task("multiclass", tuple("abc"))
HEAD = "import keras\nfrom keras import layers\n"
SMALL = """
def build(inputs, task, units=3):
    hidden = layers.Dense(units, "relu")
    return keras.Sequential([keras.Input(inputs), hidden, layers.Dense(task.outputs, "sigmoid")])
"""
NO_REPLICAS = {"epochs": 3, "batch_size": 16, "replicas": 4}
SGD = {"optimizer": {"class_name": "SGD", "config": {"learning_rate": 0.1}}}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, in which tests write networks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def network(code: str = SMALL, name: str = "own", **stated: object) -> NetworkParams:
    """Return a network whose file has this code."""
    network_params.file(name).parent.mkdir(parents=True, exist_ok=True)
    network_params.file(name).write_text(HEAD + code)
    return network_params.resolve({name: stated}, SGD, NO_REPLICAS, ("v",))[name]


def test_a_network_inherits_what_it_does_not_state() -> None:
    result = network(config={"units": 4}, epochs=2)
    assert (result.config, result.epochs, result.batch_size, result.replicas) == ({"units": 4}, 2, 16, 4)
    assert result.optimizer.config == {"learning_rate": 0.1}
    assert not result.replaces_optimizer
    assert network(optimizer="adam").replaces_optimizer
    assert result.training(training()).model_dump() == training(epochs=2).model_dump()


def test_another_file_changes_the_network_but_pythons_caches_do_not() -> None:
    before = network().source
    cache = network_params.file("own").parent / "__pycache__"
    cache.mkdir()
    (cache / "network.pyc").write_bytes(b"x")
    assert network_params.fingerprint("own") == before
    (cache.parent / "blocks.py").write_text("")
    assert network_params.fingerprint("own") != before


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ([], "networks: []: must be a map, or {}"),
        ({"a b": {}}, "networks.a b: a network's name must be a text of A-Z a-z 0-9 _ -"),
        ({"v": {}}, "networks.v: a variant has this name: networks and variants must have different names"),
        ({"gone": {}}, "networks.gone: networks/gone/network.py: not found: must exist and define build(inputs"),
        ({"own": {"epoch": 3}}, "networks.own.epoch: unknown key: did you mean epochs?"),
        ({"own": {"epochs": -1}}, "networks.own.epochs: -1: must be at least 0"),
        ({"own": {"config": 3}}, "networks.own.config: 3: must be a map"),
        ({"own": 3}, "networks.own: 3: must be a map"),
    ],
    ids=str,
)
def test_a_mistake_in_params_is_reported_in_one_line(stated: object, message: str) -> None:
    network()
    with pytest.raises(UserError) as error:
        network_params.resolve(stated, SGD, NO_REPLICAS, ("v",))
    assert str(error.value).startswith(message)


FAULTY = {
    "syntax": ("def build(inputs, task)\n", "networks/own/network.py, line 3: expected ':': must be valid Python"),
    "import": ("import nowhere\n", "networks/own/network.py, line 3: the file fails: ModuleNotFoundError: No module"),
    "no build": ("x = 1\n", "networks/own/network.py: defines no build: must define build(inputs, task, **config)"),
    "no function": ("build = 3\n", "networks/own/network.py: defines build as an int: must define build(inputs, task"),
    "arguments": (
        "def build(inputs): pass\n",
        "networks.own.config: too many positional arguments: must be arguments of build(inputs) in networks/own/",
    ),
    "exception": (
        "def build(inputs, task):\n    layers.Dense(3)\n    layers.Dense(-3)\n",
        "networks/own/network.py, line 5: build fails: ValueError: ",
    ),
    "exit": ("def build(inputs, task):\n    raise SystemExit(2)\n", "networks/own/network.py, line 4: build fails"),
    "no model": (
        "def build(inputs, task):\n    return 3\n",
        "networks/own/network.py: build returns an int: must return a",
    ),
    "nothing": (
        "def build(inputs, task): pass\n",
        "networks/own/network.py: build returns nothing: must return a Keras",
    ),
    "shape": (
        "def build(inputs, task):\n    return keras.Sequential([keras.Input(inputs), layers.Dense(2)])\n",
        "networks/own/network.py: the model gives outputs of shape (2,) for a row: must be (1,), because the task is 2",
    ),
    "two outputs": (
        "def build(inputs, task):\n    x = keras.Input(inputs)\n    y = layers.Dense(1)(x)\n"
        "    return keras.Model(x, [y, y])\n",
        "networks/own/network.py: the model gives outputs of shape (1,) and (1,) for a row: must be (1,)",
    ),
    "call": (
        "class Own(keras.Model):\n    def call(self, x):\n        return x.nonsense\n"
        "def build(inputs, task):\n    return Own()\n",
        "networks/own/network.py, line 5: the model's call fails: AttributeError: ",
    ),
    "no weights": (
        "def build(inputs, task):\n    cut = layers.Lambda(lambda x: x[:, :1])\n"
        "    return keras.Sequential([keras.Input(inputs), cut])\n",
        "networks/own/network.py: build returns a model without trainable weights: add a layer with weights, or set",
    ),
    "no loss": (
        SMALL.replace("return ", "model = ") + "    model.compile('sgd')\n    return model\n",
        "networks/own/network.py: the model is compiled without a loss: give `compile` a loss, or do not call it",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTY)
def test_a_fault_in_the_file_is_reported_with_the_users_line(fault: str) -> None:
    code, message = FAULTY[fault]
    result = network(code)
    with pytest.raises(UserError) as error:
        build("own", result.recipe, (2,), BINARY)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert "Arguments received" not in str(error.value)


@pytest.mark.slow
def test_a_key_of_config_that_build_does_not_take_is_reported() -> None:
    result = network(config={"unit": 3})
    with pytest.raises(UserError, match=r"networks.own.config: .*'unit': must be arguments of build\(inputs, task"):
        build("own", result.recipe, (2,), BINARY)


@pytest.mark.slow
def test_an_unknown_optimizer_is_reported() -> None:
    result = network(optimizer="adamm")
    with pytest.raises(UserError, match=r"^networks.own.optimizer: adamm: not a Keras optimizer: must be one"):
        build("own", result.recipe, (2,), BINARY)


def test_a_folder_that_has_changed_since_the_study_began_is_rejected() -> None:
    result = network()
    network(SMALL + "\n# edited\n")
    with pytest.raises(
        UserError, match=r"^networks/own: differs from the folder that the training began with: must be"
    ):
        build("own", result.recipe, (2,), BINARY)


UNSAVABLE = """
class Scale(layers.Layer):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor
    def call(self, x):
        return x * self.factor
def build(inputs, task):
    return keras.Sequential([keras.Input(inputs), Scale(2.0), layers.Dense(1, "sigmoid")])
"""


@pytest.mark.slow
def test_a_model_that_cannot_be_saved_is_rejected_before_it_trains(circles: Split) -> None:
    result = network(UNSAVABLE)
    with pytest.raises(UserError, match=r"^networks/own/network.py.*: saving the model and loading it fails: "):
        expect_trainable("own", result.recipe, circles)


@pytest.mark.slow
def test_the_history_of_layers_that_no_rule_judges_is_complete(circles: Split, origin: Origin) -> None:
    result = network(
        """
def build(inputs, task):
    hidden = [layers.Dense(3), layers.BatchNormalization(), layers.PReLU(), layers.Dense(3, "relu")]
    recurrent = [layers.Reshape((3, 1)), layers.GRU(3)]
    return keras.Sequential([keras.Input(inputs), *hidden, *recurrent, layers.Dense(task.outputs, "sigmoid")])
"""
    )
    trained = train_replica("own", result.recipe, circles, training(epochs=2, replicas=1), 0)
    assert set(trained.history.role.values) == {"hidden", "output", "beside"}
    assert np.isfinite(trained.history.gradient_norm_by_time.values).all()
    assert trained.history.time.values.tolist() == [1, 2, 3]
    agreement.expect_whole(trained.history)
    recipe = Recipe(variant=result.recipe, training=training(epochs=2, replicas=1), versions={}, **dict(origin))
    agreement.expect_trained(trained.history, recipe, circles, trained.weights)
    agreement.expect_predictions(trained.predictions, trained.history, circles)


@pytest.mark.slow
def test_every_untrained_network_is_tried_before_anything_trains(
    circles: Split, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits.save_split(circles, origin)
    good = network(name="good")
    bad = network("def build(inputs, task):\n    return nowhere\n", "bad")
    params = SHIPPED.model_copy(
        update={"networks": {"good": good, "bad": bad}, "data": origin.data, "split": origin.split}
    )
    monkeypatch.setattr(check, "read", lambda: params)
    with pytest.raises(UserError, match=r"^networks/bad/network.py, line 4: build fails: NameError: "):
        check.try_networks()
    for name, result in params.networks.items():
        trained_as_it_is = Recipe(variant=result.recipe, training=params.training_of(name), versions={}, **dict(origin))
        runs.save_recipe(name, trained_as_it_is)
    check.try_networks()
    check.expect_networks(lambda: pytest.fail("nothing is to be tried"))


BLOCKS = """
import keras
from keras import layers
class OwnBlock(layers.Layer):
    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units
        self.dense = layers.Dense(units, "tanh")
    def build(self, shape):
        self.dense.build(shape)
    def call(self, x):
        return self.dense(x)
    def get_config(self):
        return {**super().get_config(), "units": self.units}
"""
WITH_BLOCKS = """
from blocks import OwnBlock
def build(inputs, task):
    return keras.Sequential([keras.Input(inputs), OwnBlock(3), layers.Dense(task.outputs, "sigmoid")])
"""


@pytest.mark.slow
def test_each_network_imports_the_files_of_its_own_folder(circles: Split) -> None:
    for name, units in (("one", 3), ("other", 4)):
        folder = network_params.file(name).parent
        folder.mkdir(parents=True)
        (folder / "blocks.py").write_text(BLOCKS.replace("units)", f"{units})", 1) if name == "other" else BLOCKS)
    result = {name: network(WITH_BLOCKS, name) for name in ("one", "other")}
    for name in ("one", "other", "one"):
        own_network = build(name, result[name].recipe, (2,), BINARY)
        assert set(own_network.classes) == {"OwnBlock"}
        assert f"networks/{name}/blocks.py" in str(sys.modules["blocks"].__file__)
    expect_trainable("one", result["one"].recipe, circles)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("output", "compiled", "task", "applied"),
    [
        ("sigmoid", "", BINARY, "linear"),
        ("linear", "model.compile('sgd', keras.losses.BinaryCrossentropy(from_logits=True))", BINARY, "sigmoid"),
        ("linear", "model.compile('sgd', keras.losses.CategoricalCrossentropy(from_logits=True))", TEN, "softmax"),
        ("softmax", "model.compile('sgd', 'categorical_crossentropy')", TEN, "linear"),
        ("softmax", "", TEN, "linear"),
    ],
    ids=str,
)
def test_targets_fit_the_loss_and_predictions_fit_the_task(
    output: str, compiled: str, task: Task, applied: str
) -> None:
    code = SMALL.replace("return ", "model = ").replace('"sigmoid"', f'"{output}"')
    code += f"    {compiled}\n    return model\n"
    own_network = build("own", network(code).recipe, (2,), task)
    inputs, labels = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32), np.arange(9) % len(task.names)
    assert np.isfinite(own_network.model.train_on_batch(inputs, own_network.targets(labels)))
    outputs = np.asarray(own_network.model(inputs))
    expected = np.asarray(getattr(keras.activations, applied)(outputs))
    np.testing.assert_allclose(predict(own_network, inputs), expected, rtol=1e-6)


@pytest.mark.slow
def test_a_compiled_models_optimizer_stays_unless_params_yaml_names_one() -> None:
    code = SMALL.replace("return ", "model = ") + "    model.compile('rmsprop', 'mse')\n    return model\n"
    assert build("own", network(code).recipe, (2,), BINARY).model.optimizer.__class__ is keras.optimizers.RMSprop
    assert (
        build("own", network(code, optimizer="adam").recipe, (2,), BINARY).model.optimizer.__class__
        is keras.optimizers.Adam
    )
    assert build("own", network().recipe, (2,), BINARY).model.optimizer.__class__ is keras.optimizers.SGD


@pytest.fixture(scope="module")
def params() -> TrainingParams:
    """Return the settings of a training of 3 epochs, with layer values at epochs 0, 2 and 3."""
    return training(record_every=2)


@pytest.fixture(scope="module")
def trained(circles: Split, params: TrainingParams, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Return replica 2 of the small network, trained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("trained"))
        return train_replica("own", network().recipe, circles, params, 2)


@pytest.mark.slow
def test_a_replica_is_trained_as_keras_trains_it(circles: Split, params: TrainingParams, trained: Trained) -> None:
    """The same `fit` without a recorder, from the same seed and on the same batches, gives the same bits."""
    own_network = build("own", network().recipe, (2,), circles.task, derived_seed(params.seed, 2, "network"))
    rows = circles.train.inputs.astype(np.float32), own_network.targets(circles.train.targets)
    dataset = batches(rows, params.batch_size, derived_seed(params.seed, 2, "shuffle", "own"))
    own_network.model.fit(dataset, epochs=params.epochs, shuffle=False, verbose=0)
    for path, variable in named_weights(own_network.model).items():
        np.testing.assert_array_equal(trained.weights[path][0], np.asarray(variable))
    np.testing.assert_array_equal(
        trained.predictions.test_prediction.values[0], predict(own_network, circles.test.inputs.astype(np.float32))
    )
    for part, samples in circles.parts.items():
        loss = own_network.model.evaluate(
            samples.inputs.astype(np.float32), own_network.targets(samples.targets), verbose=0
        )
        assert trained.history[f"{part}_loss"].values[0, -1] == pytest.approx(loss, rel=1e-5)


def test_batches_hold_every_row_once_per_epoch_in_a_new_order() -> None:
    rows = np.arange(10, dtype=np.float32)[:, None], np.arange(10)
    dataset = batches(rows, 4, seed=3)
    epochs = [[(x[:, 0].tolist(), y.tolist()) for x, y in dataset.as_numpy_iterator()] for _ in range(3)]
    for epoch in epochs:
        assert [len(targets) for _, targets in epoch] == [4, 4, 2]
        assert all(inputs == targets for inputs, targets in epoch)
        assert sorted(row for inputs, _ in epoch for row in inputs) == list(range(10))
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    same, other = ([y.tolist() for _, y in batches(rows, 4, seed).as_numpy_iterator()] for seed in (3, 4))
    assert same == [targets for _, targets in epochs[0]] != other


@pytest.mark.slow
def test_a_second_training_is_the_same_to_the_bit_whatever_was_built_before(
    circles: Split, params: TrainingParams, trained: Trained
) -> None:
    build("own", network().recipe, (2,), BINARY)
    np.random.default_rng().random()
    again = train_replica("own", network().recipe, circles, params, 2)
    xr.testing.assert_identical(again.history, trained.history)
    xr.testing.assert_identical(again.predictions, trained.predictions)


@pytest.mark.slow
def test_its_record_is_like_that_of_a_variant(circles: Split, trained: Trained) -> None:
    history = trained.history
    assert history.replica.values.tolist() == [2]
    assert history.epoch.values.tolist() == [0, 1, 2, 3]
    assert history.recorded_epoch.values.tolist() == [0, 2, 3]  # the epochs that params.yaml selects, whatever the time
    assert history.path.values.tolist() == ["sequential/dense", "sequential/dense_1"]
    assert history.role.values.tolist() == ["hidden", "output"]
    for name, dims in REQUIRED.items():
        assert history[name].dims == dims
    assert {name for name in OPTIONAL if name in history} >= {
        *(f"{part}_{what}" for part in ("train", "test") for what in circles.task.curves),
        *("gradient_mean_abs", "probe_gradient_mean_abs", "weight_l1", "gradient_histogram", "saturated_share"),
    }
    assert np.isfinite(history.train_loss.values).all()
    predicted = trained.predictions.test_prediction.values[0]
    accuracy = circles.task.scores(circles.test.targets, predicted)["accuracy"]
    assert history.test_accuracy.values[0, -1] == pytest.approx(accuracy)


@pytest.mark.slow
def test_without_epochs_the_untrained_network_is_recorded(circles: Split) -> None:
    untrained = train_replica("own", network().recipe, circles, training(epochs=0), 2).history
    assert untrained.epoch.values.tolist() == [0]
    assert (untrained.probe_gradient_mean_abs.values > 0).all()


WITHOUT_MODES = """
class Plain(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.hidden, self.last = layers.Dense(units, "relu"), layers.Dense(1, "sigmoid")
    def build(self, shape):
        self.hidden.build(shape)
        self.last.build((None, self.units))
    def call(self, x):
        return self.last(self.hidden(x))
    def get_config(self):
        return {"units": self.units}
def build(inputs, task):
    return Plain(3)
"""


@pytest.mark.slow
def test_a_network_whose_call_takes_no_training_argument(circles: Split) -> None:
    result = network(WITHOUT_MODES)
    expect_trainable("own", result.recipe, circles)
    history = train_replica("own", result.recipe, circles, training(), 0).history
    assert history.role.values.tolist() == ["hidden", "output"]
    assert np.isfinite(history.probe_gradient_mean_abs.values).all()


@pytest.mark.slow
def test_a_failed_measurement_of_an_optional_value_does_not_end_the_training(
    circles: Split, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object) -> dict[str, float]:
        raise ValueError("of another shape")

    monkeypatch.setattr(output_facts, "of_outputs", broken)
    history = train_replica("own", network().recipe, circles, training(), 0).history
    assert "output_misfit" not in history
    assert "input_scale" in history
    assert "could not measure the range of the outputs: ValueError: of another shape" in caplog.text


ENDS_ITSELF = """
class Stopping(keras.Model):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
    def call(self, x):
        return self.inner(x)
    def train_step(self, data):
        self.stop_training = True
        return super().train_step(data)
    def get_config(self):
        return {"inner": keras.saving.serialize_keras_object(self.inner)}
    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["inner"]))
def build(inputs, task):
    return Stopping(keras.Sequential([keras.Input(inputs), layers.Dense(1, "sigmoid")]))
"""


@pytest.mark.slow
def test_a_training_that_stops_early_is_rejected(circles: Split) -> None:
    with pytest.raises(
        UserError, match=r"the training ended after 1 of 3 epochs: remove EarlyStopping or `stop_training`"
    ):
        train_replica("own", network(ENDS_ITSELF).recipe, circles, training(), 0)


@pytest.mark.slow
def test_the_model_of_raw_rows_predicts_as_the_network(circles: Split, origin: Origin) -> None:
    own_network = build("own", network().recipe, (2,), circles.task)
    raw = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    scaled = np.stack([raw[:, i] * each.factor + each.offset for i, each in enumerate(origin.columns)], axis=1)
    np.testing.assert_allclose(
        np.asarray(build_raw_model(own_network, origin, "own")(raw)),
        predict(own_network, scaled.astype(np.float32)),
        rtol=1e-5,
    )


def test_the_key_of_a_cell_depends_on_everything_that_its_result_depends_on() -> None:
    def keys(result: NetworkParams, data: str = "d", **changes: object) -> set[str]:
        works = replica_works("w", "own", result.recipe, training(**changes), data)
        return {each.key for each in works.values()}

    first = keys(network())
    assert len(first) == 4
    assert keys(network(), replicas=2) < first  # so that more replicas train no finished replica again
    assert keys(network(), chunk=1) == first
    for other in (
        keys(network(config={"units": 4})),
        keys(network(optimizer="adam")),
        keys(network(), data="e"),
        keys(network(), epochs=2),
        keys(network(), seed=8),
        keys(network(SMALL + "\n# edited")),
    ):
        assert not other & first


DOOR = """
import pipeline.training.networks.replica
import os, tensorflow as tf
assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"
assert tf.config.threading.get_intra_op_parallelism_threads() == 1
"""


@pytest.mark.slow
def test_tensorflow_is_set_up_before_the_recorder_imports_keras() -> None:
    subprocess.run([sys.executable, "-c", DOOR], cwd=ROOT, check=True)


@pytest.mark.slow
def test_pictures_are_accepted() -> None:
    code = (
        "def build(inputs, task):\n    assert inputs == (4, 4, 1)\n    return keras.Sequential([keras.Input(inputs), "
    )
    code += "layers.Conv2D(2, 3, activation='relu'), layers.Flatten(), layers.Dense(task.outputs, 'softmax')])\n"
    samples = Samples(np.zeros((6, 4, 4, 1)), np.arange(6) % 3)
    split = Split(TEN, samples, samples)
    expect_trainable("own", network(code).recipe, split)
