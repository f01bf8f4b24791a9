"""Test the compiled loops for dense stacks, by comparison with the stacked trainer, with Keras and with float64."""

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from conftest import ReportKeeper, training, variant
from imports import ROOT
from oracles import CLOSE, assert_like
from scipy.special import expit

from examples import BINARY
from pipeline.data.split.samples import Split
from pipeline.foundations.errors import UserError
from pipeline.foundations.seeds import Shuffles
from pipeline.foundations.tensorflow import keras, tf
from pipeline.history import record
from pipeline.models import initial_weights, network
from pipeline.models.network import build
from pipeline.params.variant_params import VariantParams
from pipeline.training.common.train_replicas import Trained, stacked, train
from pipeline.training.common.trainer import curve_names
from pipeline.training.common.warm_up import warm_up
from pipeline.training.compiled import elementwise, epochs
from pipeline.training.compiled.eligible import ACTIVATIONS, OPTIMIZERS, DenseStack, dense_stack
from pipeline.training.compiled.lanes import LANES

SMALL_STEPS = {"class_name": "SGD", "config": {"learning_rate": 0.05, "momentum": 0.5}}


def trained(circles: Split, recipe: VariantParams | None = None, **changes: object) -> Trained:
    result = recipe or variant()
    assert dense_stack(result, 2, BINARY) is not None
    return train(result, "v", circles, training(**changes))


def activated(activation: str, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the activations of float32 pre-activations, and their slopes."""
    code, size = ACTIVATIONS.index(activation), -(-before.size // LANES) * LANES
    after, slopes = np.resize(before, size), np.ones(size, np.float32)
    elementwise.activate(code, after, 0, size)
    elementwise.multiply_by_slopes(code, after, 0, size, slopes)
    return after[: before.size], slopes[: before.size]


def sgd(**config: float | bool) -> dict:
    return {"class_name": "SGD", "config": config}


# Each activation, optimizer, size, initialiser and kind of last batch occurs at least once. Their combinations need no
# test, because they do not interact in the loops.
RECIPES = {
    "relu, momentum": ({"activation": "relu", "hidden_layers": 3, "optimizer": SMALL_STEPS}, {}),
    "tanh, Nesterov, wide, one large batch": (
        {
            "activation": "tanh",
            "units": 40,
            "kernel_initializer": "glorot_uniform",
            "optimizer": sgd(learning_rate=0.1, momentum=0.9, nesterov=True),
        },
        {"batch_size": 100},
    ),
    "elu, RMSprop, one layer": (
        {
            "activation": "elu",
            "hidden_layers": 1,
            "optimizer": {"class_name": "RMSprop", "config": {"learning_rate": 0.01, "rho": 0.8}},
        },
        {},
    ),
    "sigmoid, Adam, one unit": (
        {
            "activation": "sigmoid",
            "units": 1,
            "kernel_initializer": "glorot_uniform",
            "optimizer": {
                "class_name": "Adam",
                "config": {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-5},
            },
        },
        {},
    ),
    "relu, batches of one": ({"optimizer": sgd(learning_rate=0.01)}, {"batch_size": 1, "epochs": 1}),
    "selu, plain, orthogonal, no short batch": (
        {"activation": "selu", "kernel_initializer": "orthogonal", "optimizer": sgd(learning_rate=0.1)},
        {"batch_size": 13},
    ),
    "leaky_relu, RMSprop's defaults, deep": (
        {"activation": "leaky_relu", "hidden_layers": 9, "units": 4, "optimizer": "rmsprop"},
        {"epochs": 1},
    ),
    "linear, Adam's defaults, one whole batch": ({"activation": "linear", "optimizer": "adam"}, {"batch_size": 52}),
    "tanh, SGD's defaults": ({"activation": "tanh", "optimizer": "sgd"}, {}),
}
OFTEN = (*RECIPES,)[:5]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in OFTEN else pytest.mark.long) for name in RECIPES]
)
def test_the_whole_record_agrees_with_the_stacked_trainer(name: str, circles: Split) -> None:
    changes, shared = RECIPES[name]
    recipe = variant(**changes)
    general = train(recipe, "v", circles, training(**shared), choose=stacked)
    assert_like(trained(circles, recipe, **shared), general)


def test_every_activation_and_optimizer_is_tested() -> None:
    result = [variant(**changes) for changes, _ in RECIPES.values()]
    assert {each.activation.class_name for each in result} == set(ACTIVATIONS)
    assert {each.optimizer.class_name.lower() for each in result} == {name.lower() for name in OPTIMIZERS}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_and_its_slope_equal_those_of_keras(activation: str) -> None:
    before = np.linspace(-9, 9, 400, dtype=np.float32)  # 0 is not among them
    after, slope = activated(activation, before)
    with tf.GradientTape() as tape:
        inputs = tf.constant(before)
        tape.watch(inputs)
        outputs = keras.activations.get(activation)(inputs)
    np.testing.assert_allclose(after, outputs, **CLOSE)
    np.testing.assert_allclose(slope, tape.gradient(outputs, inputs), **CLOSE)


def test_the_defaults_are_those_of_keras() -> None:
    for name, defaults in OPTIMIZERS.items():
        own = getattr(keras.optimizers, name)().get_config()
        assert {key: own[key] for key in defaults} == pytest.approx(defaults)
        short, whole = (dense_stack(variant(optimizer=each), 2, BINARY) for each in (name.lower(), name))
        assert isinstance(short, DenseStack)
        assert short == whole


def test_an_epoch_takes_the_same_steps_as_keras(circles: Split) -> None:
    """The loops are compared directly with Keras's `train_on_batch` on one network, including a short last batch."""
    recipe = variant(activation="elu", optimizer=SMALL_STEPS)
    model = build(recipe, 2, BINARY, "v").model
    start = initial_weights.draw(build(recipe, 2, BINARY, "v"), 7, [3])
    for variable in model.variables:
        variable.assign(start[variable.path][0])
    model.compile(keras.optimizers.SGD(0.05, momentum=0.5), loss="binary_crossentropy", run_eagerly=True)
    inputs, labels = circles.train.inputs.astype(np.float32), circles.train.targets[:, None]
    order = Shuffles(7, [3], len(labels)).next_epochs(1)[0, 0]
    for first in range(0, len(labels), 16):
        rows = order[first : first + 16]
        model.train_on_batch(inputs[rows], labels[rows])
    ours = train(recipe, "v", circles, training(epochs=1), replicas=[3])
    for variable in model.variables:
        np.testing.assert_allclose(ours.weights[variable.path][0], np.asarray(variable), **CLOSE)


def test_a_replica_is_the_same_to_the_bit_alone_or_with_others_in_any_chunk_by_any_number_of_threads(
    circles: Split,
) -> None:
    together = trained(circles, replicas=5, chunk=5, epochs=120)  # more epochs than are shuffled at once
    for changes in ({"chunk": 2}, {"threads": 1}, {"threads": 3}, {"replicas": [3, 1]}):
        params = training(replicas=5, epochs=120, chunk=changes.pop("chunk", 5))
        other = train(variant(), "v", circles, params, **changes)
        mine = together.history.sel(replica=other.history.replica)
        xr.testing.assert_identical(mine, other.history)
        for path, stack in other.weights.items():
            np.testing.assert_array_equal(stack, together.weights[path][other.history.replica])
        xr.testing.assert_identical(together.predictions.sel(replica=other.history.replica), other.predictions)


def test_measuring_changes_no_weight_by_a_bit(circles: Split) -> None:
    seldom, always = trained(circles, record_every=100, epochs=60), trained(circles, record_every=1, epochs=60)
    assert seldom.history.recorded_epoch.values.tolist() == [0, 60]
    for path, stack in seldom.weights.items():
        np.testing.assert_array_equal(stack, always.weights[path])
    for name in curve_names(circles):
        np.testing.assert_array_equal(seldom.history[name], always.history[name])
    for name in record.LAYER_VALUES:
        last = [each.history[name].isel(recorded_epoch=-1).values for each in (seldom, always)]
        np.testing.assert_array_equal(*last)


def test_a_replica_that_diverges_is_recorded_as_diverged(circles: Split) -> None:
    recipe = variant(activation="linear", optimizer={"class_name": "SGD", "config": {"learning_rate": 1e30}})
    assert record.diverged(trained(circles, recipe).history).all()
    for activation in ACTIVATIONS:  # NaN stays NaN
        before = np.array([np.nan, 1.0] * 20, np.float32)
        after, _ = activated(activation, before)
        assert np.isnan(after).tolist() == [True, False] * 20


def test_progress_is_reported_for_every_epoch_of_every_replica(circles: Split) -> None:
    observer = ReportKeeper()
    train(variant(), "v", circles, training(replicas=3, chunk=2, epochs=70), [observer])
    for replica in range(3):
        assert [epochs for replicas, epochs, _ in observer.reports if replicas == [replica]] == [
            range(1),
            range(1, 51),
            range(51, 71),
        ]


def test_the_replicas_of_a_chunk_advance_together(circles: Split) -> None:
    """Then the median of all replicas can be shown long before the last one ends."""
    observer = ReportKeeper()
    train(variant(), "v", circles, training(replicas=4, chunk=4, epochs=120), [observer], threads=1)
    assert observer.epochs == [(1, last) for last in (0, 50, 100, 120) for _ in range(4)]


def test_a_failure_while_training_ends_it(circles: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no more")

    monkeypatch.setattr(epochs, "train", fail)
    with pytest.raises(RuntimeError, match="no more"):
        train(variant(), "v", circles, training())


SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017
EXACT = {  # value and slope, in float64
    "relu": (lambda x: np.maximum(x, 0), lambda x: x > 0),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.2 * x), lambda x: np.where(x > 0, 1, 0.2)),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(x)), lambda x: np.where(x > 0, 1, np.exp(x))),
    "selu": (
        lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(x)),
        lambda x: SCALE * np.where(x > 0, 1, ALPHA * np.exp(x)),
    ),
    "tanh": (np.tanh, lambda x: 1 / np.cosh(np.clip(x, -300, 300)) ** 2),
    "sigmoid": (expit, lambda x: expit(x) * expit(-x)),
}


@pytest.mark.parametrize("name", EXACT)
def test_activations_and_slopes_agree_with_float64(name: str) -> None:
    small = np.float32(10.0) ** np.arange(-30, 0, dtype=np.float32)
    values = np.concatenate([np.linspace(-20, 20, 20001, dtype=np.float32), small, -small, [np.inf, -np.inf]])
    before = values[values != 0].astype(np.float32)  # at a kink the slope may be that of either side
    after, slope = activated(name, before)
    with np.errstate(over="ignore"):
        value, derivative = (function(before.astype(np.float64)) for function in EXACT[name])
    np.testing.assert_allclose(after, value, rtol=3e-7, atol=1e-36)
    # The slope is computed from the value, which is near 1 if the slope is near 0: the absolute error is small, but not
    # the relative one.
    np.testing.assert_allclose(slope, derivative, rtol=2e-6, atol=3e-7)


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_normalization": True},
        {"residual": True},
        {"pretraining": "layer_wise"},
        {"activation": "gelu"},
        {"activation": {"class_name": "LeakyReLU", "config": {"negative_slope": 0.1}}},
        {"optimizer": {"class_name": "SGD", "config": {"clipnorm": 1.0}}},
        {"optimizer": {"class_name": "SGD", "config": {"momentum": True}}},
        {"optimizer": {"class_name": "SGD", "config": {"momentum": 1.5}}},
        {"optimizer": {"class_name": "SGD", "config": {"learning_rate": {"class_name": "CosineDecay"}}}},
        {"optimizer": {"class_name": "Adam", "config": {"amsgrad": True}}},
        {"optimizer": "Lion"},
    ],
    ids=str,
)
def test_other_variants_are_left_to_the_stacked_trainer(changes: dict) -> None:
    assert dense_stack(variant(**changes), 2, BINARY) is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"activation": "rellu"}, r"variants.v.activation: rellu: not a Keras activation"),
        ({"kernel_initializer": "he"}, r"variants.v.kernel_initializer: he: not a Keras initializer"),
        ({"optimizer": "SGDD"}, r"variants.v.optimizer: SGDD: not a Keras optimizer"),
    ],
)
def test_mistakes_are_reported_as_by_keras(changes: dict, says: str, circles: Split) -> None:
    with pytest.raises(UserError, match=says):
        train(variant(**changes), "v", circles, training())


def test_the_variables_are_those_of_the_keras_model() -> None:
    recipe = variant(hidden_layers=12)
    stack = dense_stack(recipe, 2, BINARY)
    assert isinstance(stack, DenseStack)
    own = {variable.path: tuple(variable.shape) for variable in network.build(recipe, 2, BINARY, "v").model.variables}
    assert stack.variables == own


def test_setting_up_compiles_the_loops() -> None:
    """The variant and the training of `warm_up` must have today's keys, or `make setup` would fail."""
    warm_up()


WITHOUT_KERAS = """
import sys
sys.path.insert(0, "tests")
import numpy as np
from conftest import training, variant
from pipeline.data.split.samples import Samples, Split
from pipeline.data.split.tasks import Task
from pipeline.training.common.train_replicas import train
samples = Samples(np.eye(2), np.array([0, 1]))
train(variant(), "v", Split(Task("binary", ("0", "1")), samples, samples), training(epochs=1))
sys.exit(any(name in sys.modules for name in ("tensorflow", "keras")))
"""


@pytest.mark.slow
def test_neither_tensorflow_nor_keras_is_imported() -> None:
    """Their import takes longer than the training."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    done = subprocess.run([sys.executable, "-c", WITHOUT_KERAS], cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0


SUMS = """
import os, sys
import numba  # once for the processes below, for it takes longer than all else

for folder, changed in zip(sys.argv[1::2], sys.argv[2::2]):
    if process := os.fork():
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
        continue
    with open(f"{folder}/pipeline/training/compiled/steps.py", "a") as file:
        file.write(changed)
    os.chdir(folder)
    sys.path[0] = folder
    from pipeline.training.compiled.shapes import tile_count
    assert tile_count.py_func.__code__.co_filename.startswith(folder)
    assert tile_count(33) == 2
    print(sum(tile_count.stats.cache_hits.values()), flush=True)
    os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("writable", [True, False])
def test_compiled_code_is_kept_by_the_content_of_the_sources(tmp_path: Path, writable: bool) -> None:
    """A clone and a temporary workspace of DVC compile nothing. After a change of one module no old code is used. If
    the user's folder cannot be written, the code is kept beside the sources."""

    clone, other = str(tmp_path / "clone"), str(tmp_path / "other")
    for folder in (clone, other):
        shutil.copytree(ROOT / "pipeline", f"{folder}/pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept") if writable else os.devnull}
    processes = [clone, "", other if writable else clone, "", clone, "# changed\n"]
    command = [sys.executable, "-c", SUMS, *processes]
    hits = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True).split()
    assert hits == ["0", "1", "0"]


REDUCTION = """
import numpy as np
from pipeline.training.compiled.compiling import compiled

@compiled
def l1_norm(entries):
    total = np.float32(0)
    for entry in entries:
        total += abs(entry)
    return total

assert l1_norm(np.ones(40, np.float32)) == 40
print(*l1_norm.inspect_llvm().values())
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="one processor is named for x86-64 alone")
def test_the_loops_are_optimised_for_one_processor_whatever_the_machine(tmp_path: Path) -> None:
    """Otherwise the order of sums, and so the bits, would differ. Numba gets this machine's features, none, or few."""
    (tmp_path / "reduction.py").write_text(REDUCTION)

    def vectors(**features: str) -> list[str]:
        """Return the types of the vectors that the optimised code computes on, in order.

        Loads are left out, because they depend on the processor: if it gathers quickly, LLVM loads many numbers at
        once, and otherwise one by one.
        """
        ours = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_CPU")}
        environment = {
            **ours,
            **features,
            "PYTHONPATH": str(ROOT),
            "NUMBA_CACHE_DIR": str(tmp_path / "-".join([*features, *features.values()])),
        }
        command = [sys.executable, str(tmp_path / "reduction.py")]
        code = subprocess.check_output(command, env=environment, text=True)
        computing = [line for line in code.splitlines() if re.search(r"= .*(\bfadd\b|llvm\.fabs|reduce\.fadd)", line)]
        assert computing
        return re.findall(r"<\d+ x float>", "\n".join(computing))

    here = vectors()
    assert "<16 x float>" in here
    assert vectors(NUMBA_CPU_FEATURES="") == here
    assert vectors(NUMBA_CPU_FEATURES="+avx2,+fma") == here
    # A processor that the user names is used.
    assert "<16 x float>" not in vectors(NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="+avx2,+fma")
