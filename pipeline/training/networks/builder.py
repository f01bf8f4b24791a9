"""A Keras model of the user's own: networks/<name>/network.py, its `build`, and everything that may be wrong with them.

Each fault is one line that names the user's own file and line. Passes the door to TensorFlow: stages alone use this.
"""

import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pipeline.foundations.tensorflow import keras  # isort: skip  # the door first: the recorder takes Keras as it is

from pipeline.data.split.samples import Origin
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError, without_colours
from pipeline.models import keras_objects
from pipeline.models.objective import CATEGORICAL, loss_of
from pipeline.models.preprocessing import raw_inputs, raw_outputs
from pipeline.params.network_params import NETWORKS, NetworkRecipe, file, fingerprint

MUST = "must define build(inputs, task, **config) that gives a Keras model"
ROWS = 2  # of zeros, on which a model is tried
LOSSES: Mapping[str, str] = {
    "binary": "binary_crossentropy",
    "multiclass": "sparse_categorical_crossentropy",
    "regression": "mean_squared_error",
}


@dataclass(frozen=True)
class Network:
    """A compiled model, and how its arrays become the task's.

    from_logits: whether the loss takes logits, so that predictions are a sigmoid or a softmax of the outputs.
    one_hot: whether it takes labels one-hot.
    classes: those of Keras that network.py itself defines, by name: a saved model is loaded with them.
    """

    model: keras.Model
    task: Task
    from_logits: bool
    one_hot: bool
    classes: Mapping[str, type]

    def targets(self, targets: np.ndarray) -> np.ndarray:
        """As the loss takes them: labels int [sample], or float32 [sample, output].

        Args:
            targets: labels int [sample], or values [sample, target].
        """
        if self.task.kind == "multiclass" and not self.one_hot:
            return targets
        return self.task.target_matrix(targets)

    def predicting(self, outputs: Any) -> Any:
        """Predictions as the task has them, of the model's outputs."""
        if not self.from_logits:
            return outputs
        return keras.layers.Activation(self.task.of_kind.activation, name="prediction")(outputs)


def build(name: str, recipe: NetworkRecipe, shape: tuple[int, ...], task: Task, seed: int | None = None) -> Network:
    """The network as `build` in its file makes it, compiled.

    Args:
        shape: of a row of inputs. seed: of all randomness of Python, NumPy and Keras, from here on.

    Raises:
        UserError: the file, what it defines or what that gives is not as it must be; or the folder is another one than
            `recipe` was resolved with.
    """
    path = file(name)
    if not path.is_file() or fingerprint(name) != recipe.source:
        raise UserError(f"{path.parent}: has other files than the training that asks: must be the same everywhere")
    keras.utils.clear_session()  # names, which Keras counts, are then the same whatever was built before
    if seed is not None:
        keras.utils.set_random_seed(seed)  # after the session is cleared, which forgets it
    function, given = _found(name, recipe.config, shape, task)
    with _faults(path, "build"):
        model = function(*given.args, **given.kwargs)
    if not isinstance(model, keras.Model):
        raise UserError(f"{path}: build gives {_a(model)}: must give a Keras model")
    with _faults(path, "the model's call"):
        outputs = model(np.zeros((ROWS, *shape), np.float32))
    _expect_outputs(outputs, task, path)
    if not model.trainable_weights:
        raise UserError(f"{path}: build gives a model without weights that are trained: must have some")
    _compile(model, recipe, task, path)
    return compiled(model, task)


def compiled(model: keras.Model, task: Task) -> Network:
    """A compiled model that fits the task."""
    loss, from_logits = loss_of(model)
    return Network(model, task, from_logits and task.is_classification, loss in CATEGORICAL, _own_classes())


def expect_build(name: str, recipe: NetworkRecipe, shape: tuple[int, ...], task: Task) -> None:
    """All that can be said before the data are there.

    Args:
        shape, task: of whatever data; nothing that is checked depends on them.

    Raises:
        UserError: the file cannot be imported, it defines no `build`, or that takes other arguments; or Keras does not
            know the optimizer.
    """
    _found(name, recipe.config, shape, task)
    _optimizer(recipe, file(name))


def taking_raw_rows(network: Network, origin: Origin, name: str) -> keras.Model:
    """The network between layers that make its inputs of raw rows, and raw targets of its outputs; it shares the
    network's weights."""
    given, inputs = raw_inputs(origin)
    return keras.Model(given, raw_outputs(origin, network.predicting(network.model(inputs))), name=name)


def named_weights(model: keras.Model) -> dict[str, keras.Variable]:
    """The weights by their paths; where two have one path, the second has a number more."""
    found: dict[str, keras.Variable] = {}
    for variable in model.weights:
        path, number = variable.path, 1
        while path in found:
            number += 1
            path = f"{variable.path}_{number}"
        found[path] = variable
    return found


def _compile(model: keras.Model, recipe: NetworkRecipe, task: Task, path: Path) -> None:
    """As the user left it, where it is compiled; else with the task's loss.

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


def _found(
    name: str, config: Mapping[str, Any], shape: tuple[int, ...], task: Task
) -> tuple[Callable[..., Any], inspect.BoundArguments]:
    """`build`, and what it is to be called with."""
    function = _function(_imported(name), file(name))
    return function, _arguments(function, config, shape, task, name)


def _function(module: ModuleType, path: Path) -> Callable[..., Any]:
    function = getattr(module, "build", None)
    if not callable(function):
        raise UserError(f"{path}: defines {'no build' if function is None else f'build as {_a(function)}'}: {MUST}")
    return function


def _arguments(
    function: Callable[..., Any], config: Mapping[str, Any], shape: tuple[int, ...], task: Task, name: str
) -> inspect.BoundArguments:
    signature = inspect.signature(function)
    try:
        return signature.bind(shape, task, **config)
    except TypeError as error:
        raise UserError(
            f"networks.{name}.config: {error}: must be arguments of build{signature} in {file(name)}, after the shape "
            "of a row and the task"
        ) from None


def _expect_outputs(outputs: Any, task: Task, path: Path) -> None:
    shapes = [tuple(each.shape) for each in keras.tree.flatten(outputs)]
    wanted = (ROWS, task.outputs)
    if shapes != [wanted]:
        found = " and ".join(str(each[1:]) for each in shapes)
        raise UserError(
            f"{path}: the model gives outputs of shape {found or 'none'} for a row: must be {wanted[1:]}, "
            f"for the task is {task.in_words}"
        )


def _own_classes() -> dict[str, type]:
    """The classes of layers and models that the files of the network define, by name."""
    found = [value for module in _own_modules().values() for value in vars(module).values()]
    layers = [each for each in found if isinstance(each, type) and issubclass(each, keras.layers.Layer)]
    return {each.__name__: each for each in layers if each.__module__ in _own_modules()}


def _own_modules() -> dict[str, ModuleType]:
    """Those that lie below NETWORKS: of the network that was imported last."""
    everywhere = f"{NETWORKS.resolve()}{os.sep}"
    return {
        name: module
        for name, module in list(sys.modules.items())
        if (getattr(module, "__file__", None) or "").startswith(everywhere)
    }


def _imported(name: str) -> ModuleType:
    """The user's file as a module; the folder is on the path, for what it imports of it.

    Anew each time, and nothing is left of another network: it may have files of the same names.
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
    """Whatever goes wrong in the context is said in one line, with the user's own line where there is one.

    Args:
        name: of the network. what: is being done, for the message.

    Raises:
        UserError: it did.
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
        said = " ".join(_first_lines(without_colours(error)).split())[:300]
        raise UserError(f"{where}: {what} fails: {type(error).__name__}{f': {said}' if said else ''}") from None


def _first_lines(text: str) -> str:
    """Without the list of arguments that Keras adds to what a layer's call raises."""
    return text.split("Arguments received by", 1)[0]


def _lies_in(filename: str, folder: str) -> bool:
    return str(Path(filename).resolve()).startswith(folder)


def _relative(path: Path) -> Path:
    resolved = path.resolve()
    return resolved.relative_to(Path.cwd()) if resolved.is_relative_to(Path.cwd()) else path


def _a(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
