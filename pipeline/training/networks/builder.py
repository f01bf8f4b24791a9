"""Build a user's own Keras model by `build` in networks/<name>/network.py, and check the file and the model.

Each fault is reported in one line that names the user's file and line. Only stages may import this module, because it
imports TensorFlow with the settings of `foundations.tensorflow`.
"""

import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import numpy as np

from pipeline.foundations.tensorflow import keras  # isort: skip  # its settings must come before Keras

from pipeline.data.split.samples import Origin
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError, without_colours
from pipeline.foundations.untyped import Array, Batch, Unchecked
from pipeline.models import keras_objects
from pipeline.models.loss_names import CATEGORICAL, loss_of
from pipeline.models.preprocessing import raw_inputs, raw_outputs
from pipeline.params.network_params import NETWORKS, NetworkRecipe, file, fingerprint

BUILD_RULE = "must define build(inputs, task, **config) that returns a Keras model"
ROWS = 2  # rows of zeros, on which a model is tested
MAX_LETTERS = 300  # of an error's text
Build: TypeAlias = Callable[[], Unchecked]  # a user's `build` with its arguments: must return a model
LOSSES: Mapping[str, str] = {
    "binary": "binary_crossentropy",
    "multiclass": "sparse_categorical_crossentropy",
    "regression": "mean_squared_error",
}


@dataclass(frozen=True)
class OwnNetwork:
    """A user's compiled model, and the form of its targets and outputs.

    from_logits: whether the loss takes logits, so that predictions are a sigmoid or a softmax of the outputs.
    one_hot: whether the loss takes one-hot labels.
    classes: the classes of layers and models that network.py defines, by name; a saved model is loaded with them.
    """

    model: keras.Model
    task: Task
    from_logits: bool
    one_hot: bool
    classes: Mapping[str, type]

    def targets(self, targets: Array) -> Array:
        """Return the targets for the loss: labels int [sample], or float32 [sample, output].

        Args:
            targets: labels int [sample], or values [sample, target].
        """
        if self.task.kind == "multiclass" and not self.one_hot:
            return targets
        return self.task.target_matrix(targets)

    def predictions(self, outputs: Batch) -> Batch:
        """Return the task's predictions for the model's outputs."""
        if not self.from_logits:
            return outputs
        return keras.layers.Activation(self.task.of_kind.activation, name="prediction")(outputs)


def build(name: str, recipe: NetworkRecipe, shape: tuple[int, ...], task: Task, seed: int | None = None) -> OwnNetwork:
    """Return the compiled model that `build` in the network's file returns.

    Args:
        shape: the shape of a row of inputs.
        seed: sets Python's, NumPy's and Keras's random generators; None keeps their state.

    Raises:
        UserError: the file, its `build` or the model is invalid; or the folder has changed since `recipe` was read.
    """
    path = file(name)
    if not path.is_file() or fingerprint(name) != recipe.source:
        raise UserError(
            f"{path.parent}: differs from the folder that the training began with: must be the same on all machines "
            "until the training ends"
        )
    keras.utils.clear_session()  # restarts Keras's numbering of names, so that earlier models have no effect
    if seed is not None:
        keras.utils.set_random_seed(seed)  # after clear_session, which forgets the seed
    call_build = _bind_build(name, recipe.config, shape, task)
    with report_faults(name, "build"):
        model = call_build()
    if not isinstance(model, keras.Model):
        raise UserError(f"{path}: build returns {_describe(model)}: must return a Keras model")
    with report_faults(name, "the model's call"):
        outputs = model(np.zeros((ROWS, *shape), np.float32))
    _expect_outputs(outputs, task, path)
    if not model.trainable_weights:
        raise UserError(
            f"{path}: build returns a model without trainable weights: add a layer with weights, or set trainable=True"
        )
    _compile(model, recipe, task, path)
    return own_network(model, task)


def own_network(model: keras.Model, task: Task) -> OwnNetwork:
    """Return a compiled model, which must fit the task, as an OwnNetwork."""
    loss, from_logits = loss_of(model)
    return OwnNetwork(model, task, from_logits and task.is_classification, loss in CATEGORICAL, _own_classes())


def expect_build(name: str, recipe: NetworkRecipe, shape: tuple[int, ...], task: Task) -> None:
    """Check the file, the arguments of its `build`, and the optimizer, without data.

    Args:
        shape: any shape of a row; the checks do not depend on it.
        task: any task; the checks do not depend on it.

    Raises:
        UserError: the file cannot be imported, it defines no `build`, or `build` takes other arguments; or Keras does
            not know the optimizer.
    """
    _bind_build(name, recipe.config, shape, task)
    _optimizer(recipe, file(name))


def build_raw_model(network: OwnNetwork, origin: Origin, name: str) -> keras.Model:
    """Return a model of raw rows and raw targets: layers that scale around the network, whose weights it shares."""
    raw, inputs = raw_inputs(origin)
    return keras.Model(raw, raw_outputs(origin, network.predictions(network.model(inputs))), name=name)


def named_weights(model: keras.Model) -> dict[str, keras.Variable]:
    """Return the weights by path; if several weights have the same path, a number is appended to it."""
    weights: dict[str, keras.Variable] = {}
    for variable in model.weights:
        path, number = variable.path, 1
        while path in weights:
            number += 1
            path = f"{variable.path}_{number}"
        weights[path] = variable
    return weights


def _compile(model: keras.Model, recipe: NetworkRecipe, task: Task, path: Path) -> None:
    """Compile the model with the task's loss, unless the user has compiled it.

    Raises:
        UserError: the user compiled the model without a loss; or Keras does not know the optimizer.
    """
    if not model.compiled:
        model.compile(_optimizer(recipe, path), LOSSES[task.kind])
        return
    if model.loss is None:
        raise UserError(f"{path}: the model is compiled without a loss: give `compile` a loss, or do not call it")
    if recipe.replaces_optimizer:
        model.optimizer = _optimizer(recipe, path)


def _optimizer(recipe: NetworkRecipe, path: Path) -> keras.optimizers.Optimizer:
    return keras_objects.any_optimizer(recipe.optimizer, f"networks.{path.parent.name}.optimizer")


def _bind_build(name: str, config: Mapping[str, Unchecked], shape: tuple[int, ...], task: Task) -> Build:
    """Import the user's file, and return its `build` bound to its arguments.

    Raises:
        UserError: the file cannot be imported, defines no `build`, or `build` takes other arguments.
    """
    path = file(name)
    function = getattr(_import_file(name), "build", None)
    if not callable(function):
        raise UserError(
            f"{path}: defines {'no build' if function is None else f'build as {_describe(function)}'}: {BUILD_RULE}"
        )
    signature = inspect.signature(function)
    try:
        signature.bind(shape, task, **config)
    except TypeError as error:
        raise UserError(
            f"networks.{name}.config: {error}: must be arguments of build{signature} in {path}, after the shape "
            "of a row and the task"
        ) from None
    return partial(function, shape, task, **config)


def _expect_outputs(outputs: Batch, task: Task, path: Path) -> None:
    shapes = [tuple(each.shape) for each in keras.tree.flatten(outputs)]
    expected = (ROWS, task.outputs)
    if shapes != [expected]:
        actual = " and ".join(str(each[1:]) for each in shapes)
        raise UserError(
            f"{path}: the model gives outputs of shape {actual or 'none'} for a row: must be {expected[1:]}, "
            f"because the task is {task.in_words}"
        )


def _own_classes() -> dict[str, type]:
    """Return the classes of layers and models that the network's files define, by name."""
    values = [value for module in _own_modules().values() for value in vars(module).values()]
    layers = [each for each in values if isinstance(each, type) and issubclass(each, keras.layers.Layer)]
    return {each.__name__: each for each in layers if each.__module__ in _own_modules()}


def _own_modules() -> dict[str, ModuleType]:
    """Return the imported modules of files below NETWORKS, by name: those of the last imported network."""
    networks_folder = f"{NETWORKS.resolve()}{os.sep}"
    return {
        name: module
        for name, module in list(sys.modules.items())
        if (getattr(module, "__file__", None) or "").startswith(networks_folder)
    }


def _import_file(name: str) -> ModuleType:
    """Import the user's file, with its folder on Python's import path.

    The file is imported again each time. Modules of other networks are removed, because they may have the same names.
    """
    path, networks_folder = file(name), f"{NETWORKS.resolve()}{os.sep}"
    for module_name in _own_modules():
        del sys.modules[module_name]
    sys.path[:] = [str(path.parent.resolve()), *(each for each in sys.path if not each.startswith(networks_folder))]
    spec = importlib.util.spec_from_file_location(f"network_{name}", path.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    with report_faults(name, "the file"):
        spec.loader.exec_module(module)
    return module


@contextmanager
def report_faults(name: str, action: str) -> Iterator[None]:
    """Report any error in the context in one line, with the line of the user's file that caused it.

    Args:
        name: the network's name.
        action: the action in the context, for the message.

    Raises:
        UserError: the context raised an error.
    """
    path = file(name)
    try:
        yield
    except UserError:
        raise
    except SyntaxError as error:
        where = f"{_relative(Path(error.filename or path))}, line {error.lineno}"
        raise UserError(f"{where}: {error.msg}: must be valid Python") from None
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        own_frames = [each for each in frames if Path(each.filename).resolve().is_relative_to(path.parent.resolve())]
        where = f"{_relative(Path(own_frames[-1].filename))}, line {own_frames[-1].lineno}" if own_frames else str(path)
        # Keras adds a list of arguments to errors of a layer's call.
        reason, _, _ = without_colours(error).partition("Arguments received by")
        text = " ".join(reason.split())[:MAX_LETTERS]
        raise UserError(f"{where}: {action} fails: {type(error).__name__}{f': {text}' if text else ''}") from None


def _relative(path: Path) -> Path:
    resolved = path.resolve()
    return resolved.relative_to(Path.cwd()) if resolved.is_relative_to(Path.cwd()) else path


def _describe(value: Unchecked) -> str:
    kind = type(value).__name__
    return "nothing" if value is None else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
