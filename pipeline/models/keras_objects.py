"""Make the Keras objects that params.yaml names: initialisers, regularisers, activations and optimizers.

Each fault is reported in one line.
"""

import copy
import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from pipeline.foundations.errors import UserError
from pipeline.foundations.tensorflow import keras, tf
from pipeline.models.initializers import RandomizedAsymmetric, random_walk, randomized_asymmetric
from pipeline.params.file import Plain, brief, check
from pipeline.params.variant_params import NONE, KerasObject, shown

# These optimizers work elementwise: one step on replicas that are stacked in a tensor equals a step of each replica. A
# test checks this for every optimizer of the list.
EXACT_OPTIMIZERS = ("SGD", "RMSprop", "Adam", "AdamW", "Adagrad", "Adadelta", "Adamax", "Nadam", "Lion", "Ftrl")
# Options that act outside the step; with them, stacked replicas would differ from Keras.
REJECTED_OPTIONS = ("use_ema", "gradient_accumulation_steps", "loss_scale_factor")
# Both spellings are accepted, as Keras does for its own initialisers.
RANDOM_WALK = ("random_walk", "RandomWalk")
RANDOMIZED_ASYMMETRIC = ("randomized_asymmetric", "RandomizedAsymmetric")


@dataclass(frozen=True)
class Clipping:
    """The norms of clipping, which the engine applies to each replica; at most one is set, as in Keras."""

    clipnorm: float | None = None
    global_clipnorm: float | None = None


# The arguments are tested by drawing kernels of these two shapes, because a list of numbers may fit one by chance.
SHAPES = ((3, 2), (5, 4))


@contextmanager
def reported_as_arguments(spec: KerasObject, path: str, kind: str) -> Iterator[None]:
    """Report any error of Keras or TensorFlow in the context as a fault of the arguments in `spec`.

    Use it where an object is created or used for the first time.

    Raises:
        UserError: Keras or TensorFlow raised an error.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(str(error)) from None
    except Exception as error:  # Keras and TensorFlow raise many types, deep in their code
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[-1] if lines else type(error).__name__
        value = f"{path}.config: {brief(spec.config)}" if spec.config else f"{path}: {spec.class_name}"
        allowed = f"must be arguments of Keras's {kind} {spec.class_name}" if spec.config else f"must serve as {kind}"
        raise UserError(f"{value}: {allowed} ({brief(reason, 200)})") from None


def initializer(spec: KerasObject, path: str, units: int) -> keras.initializers.Initializer | RandomizedAsymmetric:
    """Return an initialiser: Keras's, or one that draws a layer's kernel and bias together.

    Args:
        units: the number of units of the layer.

    Raises:
        UserError: the class is unknown, an argument is invalid, or a seed is stated (each replica has its own seed).
    """
    if spec.config.get("seed") is not None:
        raise UserError(
            f"{path}.config.seed: {brief(spec.config['seed'])}: must be left out: seeds are derived from training.seed"
        )
    classes = _classes(keras.initializers, keras.initializers.Initializer)  # also as he_uniform
    if spec.class_name in RANDOM_WALK:
        return random_walk(spec.config, path, units)
    if spec.class_name in RANDOMIZED_ASYMMETRIC:
        return randomized_asymmetric(spec.config, path)
    result = _instance(classes, spec, path, "initializer", [*classes, *RANDOM_WALK, *RANDOMIZED_ASYMMETRIC])
    with reported_as_arguments(spec, path, "initializer"):
        for shape in SHAPES:
            kernel = type(result).from_config(result.get_config())(shape)
            if tuple(kernel.shape) != shape or keras.backend.standardize_dtype(kernel.dtype) != "float32":
                raise UserError(f"{path}: {spec.class_name}: must draw a kernel [input, unit] of numbers")
    return result


def regularizer(
    spec: KerasObject, path: str, shapes: Iterable[tuple[int, ...]]
) -> keras.regularizers.Regularizer | None:
    """Return a Keras regulariser of kernels; None if the class name is NONE.

    Args:
        shapes: the shapes [input, unit] of the kernels that it will regularise.

    Raises:
        UserError: the class is unknown, or the penalty of a kernel is not a finite number.
    """
    if spec.class_name == NONE:
        return None
    classes = _classes(keras.regularizers, keras.regularizers.Regularizer)
    result = _instance(classes, spec, path, "regularizer", [*classes, NONE])
    for shape in shapes:
        with reported_as_arguments(spec, path, "regularizer"):
            penalty = np.asarray(result(keras.ops.ones(shape)))
        if penalty.shape != () or not np.isfinite(penalty):
            raise UserError(f"{path}: {shown(spec.model_dump())}: must give a kernel of {shape} a finite penalty")
    return result


def activation(spec: KerasObject, path: str, name: str) -> keras.layers.Layer:
    """Return an activation as a layer: a function by its name, or an activation layer by its class and arguments.

    Raises:
        UserError: the name or class is unknown, or an argument is invalid.
    """
    functions = {key: value for key, value in _public(keras.activations).items() if callable(value)}
    if not spec.config and spec.class_name in functions:
        with reported_as_arguments(spec, path, "activation"):
            return keras.layers.Activation(spec.class_name, name=name)
    if spec.class_name in functions:
        raise UserError(
            f"{path}.config: {brief(spec.config)}: {spec.class_name} is a function: must be a layer's class name"
        )
    layers = _classes(keras.layers, keras.layers.Layer)
    kind = "activation or activation layer"
    layer = _instance(layers, spec, path, kind, [*functions, *layers])
    with reported_as_arguments(spec, path, kind):
        return type(layer).from_config({**layer.get_config(), "name": name})


def optimizer(spec: KerasObject, path: str) -> tuple[keras.optimizers.Optimizer, Clipping]:
    """Return a Keras optimizer for stacked replicas, without its clipping by norm; return the clipping beside it.

    Raises:
        UserError: as in `any_optimizer`; or steps on stacked replicas would differ from each replica's own steps.
    """
    for option in REJECTED_OPTIONS:
        if spec.config.get(option):
            value = brief(spec.config[option])
            raise UserError(f"{path}.config.{option}: {value}: must be left out: it is not exact on stacked replicas")
    optimizer_class = _optimizers().get(spec.class_name.lower())
    if optimizer_class is not None and optimizer_class.__name__ not in EXACT_OPTIMIZERS:
        allowed = ", ".join(EXACT_OPTIMIZERS)
        raise UserError(f"{path}: {spec.class_name}: not exact on stacked replicas: must be one of {allowed}")
    result = any_optimizer(spec, path, EXACT_OPTIMIZERS)
    clipping = Clipping(result.clipnorm, result.global_clipnorm)
    result.clipnorm = result.global_clipnorm = None
    return result, clipping


def any_optimizer(spec: KerasObject, path: str, suggestions: Iterable[str] = ()) -> keras.optimizers.Optimizer:
    """Return a Keras optimizer whose learning rate is a number or a schedule.

    Args:
        suggestions: the names to suggest if the class is unknown; by default all optimizers of Keras.

    Raises:
        UserError: the class is unknown, or an argument is invalid.
    """
    by_lower = _optimizers()  # Keras accepts the names of optimizers in lower case
    classes = _classes(keras.optimizers, keras.optimizers.Optimizer)
    if spec.class_name.lower() in by_lower:
        classes[spec.class_name] = by_lower[spec.class_name.lower()]
    rate, replacements = spec.config.get("learning_rate"), {}
    if isinstance(rate, dict):
        # At any time all replicas have taken the same number of steps, so one learning rate serves all.
        replacements = {"learning_rate": _schedule(rate, f"{path}.config.learning_rate")}
    # The second optimizer takes a step on trial; the first remains as it is.
    result, trial = (_instance(classes, spec, path, "optimizer", suggestions, replacements) for _ in range(2))
    with reported_as_arguments(spec, path, "optimizer"):
        trial.apply([keras.ops.ones((2, 2))], [keras.Variable(keras.ops.zeros((2, 2)))])
    return result


def _optimizers() -> dict[str, type]:
    """Return Keras's optimizers by their names in lower case."""
    classes = _classes(keras.optimizers, keras.optimizers.Optimizer)
    return {name.lower(): each for name, each in classes.items()}


def _schedule(value: Plain, path: str) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return a learning-rate schedule.

    Raises:
        UserError: the class is unknown, or a learning rate is not a finite number.
    """
    spec = check(value, path, KerasObject)
    kind = "learning-rate schedule"
    base = keras.optimizers.schedules.LearningRateSchedule
    result = _instance(_classes(keras.optimizers.schedules, base), spec, path, kind)
    for step in (0, 1):
        with reported_as_arguments(spec, path, kind):
            rate = np.asarray(result(keras.ops.convert_to_tensor(step)), np.float32)
        if rate.shape != () or not np.isfinite(rate):
            raise UserError(f"{path}: {shown(spec.model_dump())}: must give a finite learning rate at step {step}")
    return result


def _instance(
    classes: dict[str, type],
    spec: KerasObject,
    path: str,
    kind: str,
    suggestions: Iterable[str] = (),
    replacements: Mapping[str, Any] | None = None,
) -> Any:
    """Return an object of Keras's class that `spec` names.

    Args:
        suggestions: the names to suggest if the class is unknown; by default all names in `classes`.
        replacements: objects that replace arguments, by the argument's name.
    """
    if spec.class_name not in classes:
        near = difflib.get_close_matches(spec.class_name, set(suggestions or classes), n=3, cutoff=0.5)
        allowed = " or ".join(near) or ", ".join(sorted(suggestions or classes)[:12])
        raise UserError(f"{path}: {spec.class_name}: not a Keras {kind}: must be one, such as {allowed}")
    keras_class: Any = classes[spec.class_name]
    with reported_as_arguments(spec, path, kind):
        return keras_class.from_config({**copy.deepcopy(spec.config), **(replacements or {})})


def _classes(module: ModuleType, base: type) -> dict[str, type]:
    public = _public(module).items()
    return {
        name: each for name, each in public if isinstance(each, type) and issubclass(each, base) and each is not base
    }


def _public(module: ModuleType) -> dict[str, Any]:
    return {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
