"""Initialisers, regularisers, activations and optimizers from parameters, refused in one line where they do not fit."""

import copy
import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.foundations.errors import UserError
from pipeline.foundations.tensorflow import keras, tf
from pipeline.models.initializers import RandomizedAsymmetric, random_walk, randomized_asymmetric
from pipeline.params.file import brief, check
from pipeline.params.variant_params import NONE, KerasObject, shown

# Elementwise, so a step on replicas stacked in one tensor is exactly each replica's own step; a test shows it for each.
EXACT_OPTIMIZERS = ("SGD", "RMSprop", "Adam", "AdamW", "Adagrad", "Adadelta", "Adamax", "Nadam", "Lion", "Ftrl")
# They act outside the step itself, where a stack of replicas does not follow Keras.
REFUSED_OPTIONS = ("use_ema", "gradient_accumulation_steps", "loss_scale_factor")
# Written as Keras's: in either way.
RANDOM_WALK = ("random_walk", "RandomWalk")
RANDOMIZED_ASYMMETRIC = ("randomized_asymmetric", "RandomizedAsymmetric")


@dataclass(frozen=True)
class Clipping:
    """Norm clipping, done per replica by the engine; at most one is set, as in Keras."""

    clipnorm: float | None = None
    global_clipnorm: float | None = None


# Of a kernel that is drawn to see whether the arguments will do: two, since one may suit a list of numbers by chance.
SHAPES = ((3, 2), (5, 4))


@contextmanager
def told_in_one_line(spec: KerasObject, path: str, kind: str) -> Iterator[None]:
    """Whatever Keras or TensorFlow say where an object is made, or first used, as a fault of its arguments.

    Raises:
        UserError: they said something.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(str(error)) from None
    except Exception as error:  # both fail in many ways, deep in their own code
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = said[-1] if said else type(error).__name__
        found = f"{path}.config: {brief(spec.config)}" if spec.config else f"{path}: {spec.class_name}"
        allowed = f"must be arguments of Keras's {kind} {spec.class_name}" if spec.config else f"must serve as {kind}"
        raise UserError(f"{found}: {allowed} ({brief(reason, 200)})") from None


def initializer(spec: KerasObject, path: str, units: int) -> keras.initializers.Initializer | RandomizedAsymmetric:
    """A Keras initialiser, or one that draws a layer's kernel and bias together.

    Args:
        units: of the layer.

    Raises:
        UserError: unknown class, an argument with which nothing can be drawn, or a seed of its own (seeds are derived
            per replica).
    """
    if spec.config.get("seed") is not None:
        raise UserError(
            f"{path}.config.seed: {brief(spec.config['seed'])}: must be left out: seeds derive from training.seed"
        )
    classes = _classes(keras.initializers, keras.initializers.Initializer)  # HeUniform and he_uniform alike
    if spec.class_name in RANDOM_WALK:
        return random_walk(spec.config, path, units)
    if spec.class_name in RANDOMIZED_ASYMMETRIC:
        return randomized_asymmetric(spec.config, path)
    made = _made(classes, spec, path, "initializer", [*classes, *RANDOM_WALK, *RANDOMIZED_ASYMMETRIC])
    with told_in_one_line(spec, path, "initializer"):
        for shape in SHAPES:
            drawn = type(made).from_config(made.get_config())(shape)
            if tuple(drawn.shape) != shape or keras.backend.standardize_dtype(drawn.dtype) != "float32":
                raise UserError(f"{path}: {spec.class_name}: must draw a kernel [input, unit] of numbers")
    return made


def regularizer(
    spec: KerasObject, path: str, shapes: Iterable[tuple[int, ...]]
) -> keras.regularizers.Regularizer | None:
    """A Keras regulariser of kernels; None where there is to be none.

    Args:
        shapes: of the kernels that it is for, [input, unit] each.

    Raises:
        UserError: unknown class, or an argument with which some kernel has no finite penalty.
    """
    if spec.class_name == NONE:
        return None
    classes = _classes(keras.regularizers, keras.regularizers.Regularizer)
    made = _made(classes, spec, path, "regularizer", [*classes, NONE])
    for shape in shapes:
        with told_in_one_line(spec, path, "regularizer"):
            penalty = np.asarray(made(keras.ops.ones(shape)))
        if penalty.shape != () or not np.isfinite(penalty):
            raise UserError(f"{path}: {shown(spec.model_dump())}: must give a kernel of {shape} a finite penalty")
    return made


def activation(spec: KerasObject, path: str, name: str) -> keras.layers.Layer:
    """An activation as a layer: a function by its name, or an activation layer by its class and arguments.

    Raises:
        UserError: unknown name or class, or bad argument.
    """
    functions = {key: value for key, value in _public(keras.activations).items() if callable(value)}
    if not spec.config and spec.class_name in functions:
        with told_in_one_line(spec, path, "activation"):
            return keras.layers.Activation(spec.class_name, name=name)
    if spec.class_name in functions:
        raise UserError(
            f"{path}.config: {brief(spec.config)}: {spec.class_name} is a function: must be a layer's class name"
        )
    layers = _classes(keras.layers, keras.layers.Layer)
    kind = "activation or activation layer"
    layer = _made(layers, spec, path, kind, [*functions, *layers])
    with told_in_one_line(spec, path, kind):
        return type(layer).from_config({**layer.get_config(), "name": name})


def optimizer(spec: KerasObject, path: str) -> tuple[keras.optimizers.Optimizer, Clipping]:
    """A Keras optimizer for stacked replicas, without its norm clipping, and that clipping.

    Raises:
        UserError: as `any_optimizer`, or one that is not exact on stacked replicas.
    """
    for option in REFUSED_OPTIONS:
        if spec.config.get(option):
            value = brief(spec.config[option])
            raise UserError(f"{path}.config.{option}: {value}: must be left out: not exact on stacked replicas")
    found = _optimizers().get(spec.class_name.lower())
    if found is not None and found.__name__ not in EXACT_OPTIMIZERS:
        allowed = ", ".join(EXACT_OPTIMIZERS)
        raise UserError(f"{path}: {spec.class_name}: not exact on stacked replicas: must be one of {allowed}")
    made = any_optimizer(spec, path, EXACT_OPTIMIZERS)
    clipping = Clipping(made.clipnorm, made.global_clipnorm)
    made.clipnorm = made.global_clipnorm = None
    return made, clipping


def any_optimizer(spec: KerasObject, path: str, known: Iterable[str] = ()) -> keras.optimizers.Optimizer:
    """A Keras optimizer. Its learning rate is a number or a schedule.

    Args:
        known: the names to suggest, if not all of Keras's.

    Raises:
        UserError: unknown class, or an argument with which it cannot step.
    """
    by_lower = _optimizers()  # Keras's own names of optimizers are so
    classes = _classes(keras.optimizers, keras.optimizers.Optimizer)
    if spec.class_name.lower() in by_lower:
        classes[spec.class_name] = by_lower[spec.class_name.lower()]
    rate, scheduled = spec.config.get("learning_rate"), {}
    if isinstance(rate, dict):
        # All replicas have taken equally many steps at any time, so that the rate of the stack is that of each.
        scheduled = {"learning_rate": _schedule(rate, f"{path}.config.learning_rate")}
    made, tried = (_made(classes, spec, path, "optimizer", known, scheduled) for _ in range(2))
    with told_in_one_line(spec, path, "optimizer"):
        tried.apply([keras.ops.ones((2, 2))], [keras.Variable(keras.ops.zeros((2, 2)))])
    return made


def _optimizers() -> dict[str, type]:
    """By their names in lower case."""
    found = _classes(keras.optimizers, keras.optimizers.Optimizer)
    return {name.lower(): each for name, each in found.items()}


def _schedule(given: dict[str, Any], path: str) -> keras.optimizers.schedules.LearningRateSchedule:
    """Raises: UserError: unknown class, or an argument with which it gives no finite rate."""
    spec = check(given, path, KerasObject)
    kind = "learning-rate schedule"
    base = keras.optimizers.schedules.LearningRateSchedule
    made = _made(_classes(keras.optimizers.schedules, base), spec, path, kind)
    for step in (0, 1):
        with told_in_one_line(spec, path, kind):
            rate = np.asarray(made(keras.ops.convert_to_tensor(step)), np.float32)
        if rate.shape != () or not np.isfinite(rate):
            raise UserError(f"{path}: {shown(spec.model_dump())}: must give a finite rate at step {step}")
    return made


def _made(
    classes: dict[str, Any],
    spec: KerasObject,
    path: str,
    kind: str,
    known: Iterable[str] = (),
    instead: Mapping[str, Any] | None = None,
) -> Any:
    """An object of the class that `spec` names.

    Args:
        known: the names to suggest, if not those of `classes`. instead: objects in the place of arguments.
    """
    if spec.class_name not in classes:
        near = difflib.get_close_matches(spec.class_name, set(known or classes), n=3, cutoff=0.5)
        allowed = " or ".join(near) or ", ".join(sorted(known or classes)[:12])
        raise UserError(f"{path}: {spec.class_name}: not a Keras {kind}: must be one, such as {allowed}")
    with told_in_one_line(spec, path, kind):
        return classes[spec.class_name].from_config({**copy.deepcopy(spec.config), **(instead or {})})


def _classes(module: Any, base: type) -> dict[str, type]:
    public = _public(module).items()
    return {
        name: each for name, each in public if isinstance(each, type) and issubclass(each, base) and each is not base
    }


def _public(module: Any) -> dict[str, Any]:
    return {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
