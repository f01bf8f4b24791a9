"""A user's own Keras model: networks/<name>/network.py, its `build`, and everything that may be wrong with them.

Each fault is reported in one line that names the user's file and line. Passes the door to TensorFlow: only stages use
this.
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

from pipeline.foundations.tensorflow import keras  # isort: skip  # the door first: the recorder takes Keras as it is

from pipeline.data.split.samples import Origin
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError, without_colours
from pipeline.foundations.untyped import Array, Batch, Unchecked
from pipeline.models import keras_objects
from pipeline.models.loss_names import CATEGORICAL, loss_of
from pipeline.models.preprocessing import raw_inputs, raw_outputs
from pipeline.params.network_params import NETWORKS, NetworkRecipe, file, fingerprint

MUST = "must define build(inputs, task, **config) that gives a Keras model"
ROWS = 2  # rows of zeros, on which a model is tried
LONGEST = 300  # letters of an error's text
Build: TypeAlias = Callable[[], Unchecked]  # a user's `build` with its arguments: must return a model
LOSSES: Mapping[str, str] = {
    "binary": "binary_crossentropy",
    "multiclass": "sparse_categorical_crossentropy",
    "regression": "mean_squared_error",
}


@dataclass(frozen=True)
class OwnNetwork:
    """A user's compiled model, and how its arrays become the task's.

    from_logits: whether the loss takes logits, so that predictions are a sigmoid or a softmax of the outputs.
    one_hot: whether the loss takes one-hot labels.
    classes: the layers and models that network.py defines, by name, with which a saved model is loaded.
    """

    model: keras.Model
    task: Task
    from_logits: bool
    one_hot: bool
    classes: Mapping[str, type]

    def targets(self, targets: Array) -> Array:
        """Return targets as the loss takes them: labels int [sample], or float32 [sample, output].

        Args:
            targets: labels int [sample], or values [sample, target].
        """
        if self.task.kind == "multiclass" and not self.one_hot:
            return targets
        return self.task.target_matrix(targets)

    def predicting(self, outputs: Batch) -> Batch:
        """Return the task's predictions for the model's outputs."""
        if not self.from_logits:
            return outputs
        return keras.layers.Activation(self.task.of_kind.activation, name="prediction")(outputs)


def build(name: str, recipe: NetworkRecipe, shape: tuple[int, ...], task: Task, seed: int | None = None) -> OwnNetwork:
    """Return the network that `build` in its file makes, compiled.

    Args:
        shape: of a row of inputs. seed: of all randomness of Python, NumPy and Keras, from here on.

    Raises:
        UserError: the file, its `build` or the model is invalid; or the folder has changed since `recipe` was resolved.
    """
    path = file(name)
    if not path.is_file() or fingerprint(name) != recipe.source:
        raise UserError(
            f"{path.parent}: differs from the folder that the training began with: must be the same everywhere"
        )
    keras.utils.clear_session()  # Keras numbers its names: so they do not depend on what was built before
    if seed is not None:
        keras.utils.set_random_seed(seed)  # after clear_session, which forgets the seed
    call = _bound_build(name, recipe.config, shape, task)
    with _faults(path, "build"):
        model = call()
    if not isinstance(model, keras.Model):
        raise UserError(f"{path}: build gives {_a(model)}: must give a Keras model")
    with _faults(path, "the model's call"):
        outputs = model(np.zeros((ROWS, *shape), np.float32))
    _expect_outputs(outputs, task, path)
    if not model.trainable_weights:
        raise UserError(f"{path}: build gives a model without weights that are trained: must have some")
    _compile(model, recipe, task, path)
    return compiled(model, task)


def compiled(model: keras.Model, task: Task) -> OwnNetwork:
    """Return a compiled model that fits the task, with what its loss takes."""
    loss, from_logits = loss_of(model)
    return OwnNetwork(model, task, from_logits and task.is_classification, loss in CATEGORICAL, _own_classes())


def expect_build(name: str, recipe: NetworkRecipe, shape: tuple[int, ...], task: Task) -> None:
    """Check all that can be checked before there are data.

    Args:
        shape, task: of any data; nothing that is checked depends on them.

    Raises:
        UserError: the file cannot be imported, it defines no `build`, or that takes other arguments; or Keras does not
            know the optimizer.
    """
    _bound_build(name, recipe.config, shape, task)
    _optimizer(recipe, file(name))


def taking_raw_rows(network: OwnNetwork, origin: Origin, name: str) -> keras.Model:
    """Return a model that takes raw rows and gives raw targets, around the network and with its weights."""
    raw, inputs = raw_inputs(origin)
    return keras.Model(raw, raw_outputs(origin, network.predicting(network.model(inputs))), name=name)


def named_weights(model: keras.Model) -> dict[str, keras.Variable]:
    """Return the weights by their paths; a path that comes again gets a number."""
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
        UserError: compiled without a loss; or Keras does not know the optimizer.
    """
    if not model.compiled:
        model.compile(_optimizer(recipe, path), LOSSES[task.kind])
        return
    if model.loss is None:
        raise UserError(f"{path}: the model is compiled without a loss: must be compiled with one, or not at all")
    if recipe.replaces_optimizer:
        model.optimizer = _optimizer(recipe, path)


def _optimizer(recipe: NetworkRecipe, path: Path) -> keras.optimizers.Optimizer:
    return keras_objects.any_optimizer(recipe.optimizer, f"networks.{path.parent.name}.optimizer")


def _bound_build(name: str, config: Mapping[str, Unchecked], shape: tuple[int, ...], task: Task) -> Build:
    """Import the user's file, and return its `build` with the arguments that it is to be called with.

    Raises:
        UserError: the file cannot be imported, defines no `build`, or that takes other arguments.
    """
    path = file(name)
    function = getattr(_imported(name), "build", None)
    if not callable(function):
        raise UserError(f"{path}: defines {'no build' if function is None else f'build as {_a(function)}'}: {MUST}")
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
            f"for the task is {task.in_words}"
        )


def _own_classes() -> dict[str, type]:
    """Return the classes of layers and models that the network's files define, by name."""
    values = [value for module in _own_modules().values() for value in vars(module).values()]
    layers = [each for each in values if isinstance(each, type) and issubclass(each, keras.layers.Layer)]
    return {each.__name__: each for each in layers if each.__module__ in _own_modules()}


def _own_modules() -> dict[str, ModuleType]:
    """Return the modules below NETWORKS, which are those of the network that was imported last."""
    everywhere = f"{NETWORKS.resolve()}{os.sep}"
    return {
        name: module
        for name, module in list(sys.modules.items())
        if (getattr(module, "__file__", None) or "").startswith(everywhere)
    }


def _imported(name: str) -> ModuleType:
    """Import the user's file, with its folder on the path for what it imports.

    It is imported again each time, and modules of other networks are dropped: they may have the same names.
    """
    path, everywhere = file(name), f"{NETWORKS.resolve()}{os.sep}"
    for known in _own_modules():
        del sys.modules[known]
    sys.path[:] = [str(path.parent.resolve()), *(each for each in sys.path if not each.startswith(everywhere))]
    spec = importlib.util.spec_from_file_location(f"network_{name}", path.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    with _faults(path, "the file"):
        spec.loader.exec_module(module)
    return module


@contextmanager
def faults_of(name: str, what: str) -> Iterator[None]:
    """Report any error in the context in one line, with the user's own line where there is one.

    Args:
        name: of the network. what: is being done, for the message.

    Raises:
        UserError: something failed.
    """
    with _faults(file(name), what):
        yield


@contextmanager
def _faults(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except SyntaxError as error:
        where = f"{_relative(Path(error.filename or path))}, line {error.lineno}"
        raise UserError(f"{where}: {error.msg}: must be valid Python") from None
    except (Exception, SystemExit) as error:
        folder = str(path.parent.resolve())
        frames = [each for each in traceback.extract_tb(error.__traceback__) if _lies_in(each.filename, folder)]
        where = f"{_relative(Path(frames[-1].filename))}, line {frames[-1].lineno}" if frames else str(path)
        text = " ".join(_first_lines(without_colours(error)).split())[:LONGEST]
        raise UserError(f"{where}: {what} fails: {type(error).__name__}{f': {text}' if text else ''}") from None


def _first_lines(text: str) -> str:
    """Return an error's text without the list of arguments that Keras adds to errors of a layer's call."""
    return text.split("Arguments received by", 1)[0]


def _lies_in(filename: str, folder: str) -> bool:
    return str(Path(filename).resolve()).startswith(folder)


def _relative(path: Path) -> Path:
    resolved = path.resolve()
    return resolved.relative_to(Path.cwd()) if resolved.is_relative_to(Path.cwd()) else path


def _a(value: Unchecked) -> str:
    kind = type(value).__name__
    return "nothing" if value is None else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
