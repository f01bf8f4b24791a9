"""Keras's own initialisers, activations and optimizers from parameters, refused in one line where they do not fit."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.backend import keras
from pipeline.errors import UserError
from pipeline.params.variants import KerasObject

# Elementwise, so a step on replicas stacked in one tensor is exactly each replica's own step; a test shows it for each.
EXACT_OPTIMIZERS = ("SGD", "RMSprop", "Adam", "AdamW", "Adagrad", "Adadelta", "Adamax", "Nadam", "Lion", "Ftrl")
# They act outside the step itself, where a stack of replicas does not follow Keras.
REFUSED_OPTIONS = ("use_ema", "gradient_accumulation_steps", "loss_scale_factor")


@dataclass(frozen=True)
class Clipping:
    """Norm clipping, done per replica by the engine; at most one is set, as in Keras."""

    clipnorm: float | None = None
    global_clipnorm: float | None = None


def initializer(spec: KerasObject, path: str) -> keras.initializers.Initializer:
    """A Keras initialiser.

    Raises:
        UserError: unknown class, bad argument, or a seed of its own (seeds are derived per replica).
    """
    if spec.config.get("seed") is not None:
        raise UserError(f"{path}.config.seed: {spec.config['seed']}: must be left out: seeds derive from training.seed")
    return _made(keras.initializers.get, spec, path, "initializer", _public(keras.initializers))


def activation(spec: KerasObject, path: str, name: str) -> keras.layers.Layer:
    """An activation as a layer: a function by its name, or an activation layer by its class and arguments.

    Raises:
        UserError: unknown name or class, or bad argument.
    """
    if not spec.config and spec.class_name in _public(keras.activations):
        return keras.layers.Activation(spec.class_name, name=name)
    known = [*_public(keras.activations), *_public(keras.layers)]
    layer = _made(keras.layers.deserialize, spec, path, "activation or activation layer", known)
    return type(layer).from_config({**layer.get_config(), "name": name})


def optimizer(spec: KerasObject, path: str) -> tuple[keras.optimizers.Optimizer, Clipping]:
    """A Keras optimizer without its norm clipping, and that clipping.

    Raises:
        UserError: unknown class, bad argument, or an optimizer that is not exact on stacked replicas.
    """
    for option in REFUSED_OPTIONS:
        if spec.config.get(option):
            found = spec.config[option]
            raise UserError(f"{path}.config.{option}: {found}: must be left out: not exact on stacked replicas")
    made = _made(keras.optimizers.get, spec, path, "optimizer", EXACT_OPTIMIZERS)
    if type(made).__name__ not in EXACT_OPTIMIZERS:
        allowed = ", ".join(EXACT_OPTIMIZERS)
        raise UserError(f"{path}: {spec.class_name}: not exact on stacked replicas: must be one of {allowed}")
    clipping = Clipping(made.clipnorm, made.global_clipnorm)
    made.clipnorm = made.global_clipnorm = None
    return made, clipping


def _made(get: Callable[[Any], Any], spec: KerasObject, path: str, kind: str, known: Iterable[str]) -> Any:
    names = sorted(set(known))
    by_lower = {name.lower(): name for name in names}
    if spec.class_name.lower() not in by_lower and not _found(get, spec.class_name):
        near = difflib.get_close_matches(spec.class_name.lower(), by_lower, n=3, cutoff=0.5)
        allowed = " or ".join(by_lower[name] for name in near) or ", ".join(names[:12])
        raise UserError(f"{path}: {spec.class_name}: not a Keras {kind}: must be one, such as {allowed}")
    try:
        return get({"class_name": spec.class_name, "config": dict(spec.config)})
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{path}.config: {dict(spec.config)}: must be arguments of Keras's {kind} {spec.class_name} ({reason})") from None


def _found(get: Callable[[Any], Any], name: str) -> bool:
    try:
        return get({"class_name": name, "config": {}}) is not None
    except TypeError:  # it exists and wants arguments
        return True
    except (ValueError, AttributeError, KeyError):
        return False


def _public(module: Any) -> list[str]:
    return [name for name in dir(module) if not name.startswith("_")]
