"""The remedies of any Keras model, by name: what each changes of a compiled model, and of what `fit` is about to get.

Layers, weights and optimizer are changed in place, so that whoever made the model goes on with it. What needs another
graph gives another model, with the same weights where layers stay; only some callers can take one.

Imports TensorFlow as the user has set it up, and sets nothing.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final
from weakref import WeakKeyDictionary

import keras
import numpy as np

from pipeline.params.network_params import EPOCHS, STEPS
from pipeline.recorder.layers import every_layer, rows
from pipeline.recorder.structure import graph
from pipeline.remedies.rebuilt import (
    DROPPED,
    WIDER,
    InapplicableError,
    in_short,
    widened,
    with_dropout,
    with_normalisation,
    with_paths,
)

TRAIN: Final = "train"
SATURATING = ("sigmoid", "tanh", "hard_sigmoid", "softsign")
LINEAR = (  # layers that add nothing but what a matrix can, where they have no activation
    *(keras.layers.InputLayer, keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D),
    *(keras.layers.Flatten, keras.layers.Reshape, keras.layers.Rescaling, keras.layers.Normalization),
    *(keras.layers.BatchNormalization, keras.layers.Dropout, keras.layers.Add, keras.layers.Concatenate),
    *(keras.layers.AveragePooling1D, keras.layers.AveragePooling2D, keras.layers.GlobalAveragePooling2D),
)
# With which arguments each model was compiled, while `remembering_compile` is on.
_COMPILED: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


@dataclass
class Trial:
    """What is about to be trained.

    parts: inputs and targets as `fit` takes them, by name; TRAIN are trained on. Empty where they are no arrays.
    arguments: further ones of `fit`, by name. may_rebuild: whether another model may take the place of this one.
    """

    model: keras.Model
    parts: dict[str, tuple[Any, Any]]
    arguments: dict[str, Any]
    may_rebuild: bool

    @property
    def data(self) -> tuple[Any, Any]:
        """Inputs and targets that are trained on.

        Raises:
            InapplicableError: they are no arrays.
        """
        if TRAIN not in self.parts:
            raise InapplicableError("the training data are no arrays")
        return self.parts[TRAIN]


# Up to its `yield` a remedy changes nothing, and raises InapplicableError if it cannot be done. It yields what to
# change in the code, in words, and changes it when it is asked to go on.
Remedy = Callable[[Trial], Iterator[str]]


def apply(names: Sequence[str], trial: Trial) -> str:
    """Do the remedies of these names, one after the other: first what draws all weights again, which others change.

    Returns:
        What to change, for whoever wants to keep it.

    Raises:
        InapplicableError: one cannot be done, or there is nothing to change.
    """
    if not trial.model.built and TRAIN in trial.parts:
        with suppress(Exception):  # `fit` says better what is wrong with it
            trial.model(keras.tree.map_structure(lambda leaf: np.asarray(leaf)[:1], trial.parts[TRAIN][0]))
    in_order = sorted(names, key=lambda name: name not in DRAWN_ANEW)
    with _inapplicable_if_it_fails():
        said = "; ".join(["; ".join(REMEDIES[name](trial)) for name in in_order])
        if is_traced(trial.model):
            _compile(trial.model)
    return said


def inapplicable(trial: Trial, was_traced: bool) -> dict[str, str]:
    """Return why a remedy cannot be done, for each remedy that cannot; nothing is changed.

    Args:
        was_traced: whether the model was trained before, so that each remedy must compile it again.
    """
    reasons: dict[str, str] = {}
    for name, remedy in REMEDIES.items():
        try:
            with _inapplicable_if_it_fails():
                next(remedy(trial))
                if was_traced:
                    _compile_arguments(trial.model)
        except InapplicableError as error:
            reasons[name] = str(error)
    return reasons


def is_traced(model: keras.Model) -> bool:
    """Return whether Keras keeps a compiled training step, which does not see later changes of the model."""
    return getattr(model, "train_function", None) is not None


@contextmanager
def _inapplicable_if_it_fails() -> Iterator[None]:
    """A model of somebody else's may do anything: no remedy that fails on it ends what others are tried in."""
    try:
        yield
    except InapplicableError:
        raise
    except Exception as error:
        raise InapplicableError(f"it fails on this model ({type(error).__name__}: {in_short(error)})") from error


@contextmanager
def remembering_compile() -> Iterator[None]:
    """While it is on, a model's arguments of `compile` are kept: a remedy may have to compile it again."""
    own, compile_ = vars(keras.Model).get("compile"), keras.Model.compile
    signature = inspect.signature(compile_)

    @wraps(compile_)
    def remembered(self: Any, *args: Any, **kwargs: Any) -> Any:
        _COMPILED[self] = {k: v for k, v in signature.bind(self, *args, **kwargs).arguments.items() if k != "self"}
        return compile_(self, *args, **kwargs)

    keras.Model.compile = remembered
    try:
        yield
    finally:
        if own is None:
            del keras.Model.compile
        else:
            keras.Model.compile = own


def _compile(model: keras.Model, like: keras.Model | None = None, **changes: Any) -> None:
    """Again, as it was, but for the changes.

    Args:
        like: the model whose arguments count; itself by default.

    Raises:
        InapplicableError: as `_compile_arguments`.
    """
    model.compile(**{**_compile_arguments(model, like), **changes})


def _compile_arguments(model: keras.Model, like: keras.Model | None = None) -> dict[str, Any]:
    """Return the arguments that compile `model` as `like` is compiled.

    Raises:
        InapplicableError: the model's own `compile` does not take them, or its optimizer cannot be made again.
    """
    like = like or model
    ways = ("run_eagerly", "jit_compile", "steps_per_execution")
    known = _COMPILED.get(like) or {"loss": like.loss, **{way: getattr(like, way) for way in ways}}
    try:
        inspect.signature(model.compile).bind(**{"optimizer": None, "loss": None, **known})
    except TypeError as error:
        raise InapplicableError(f"the model's own `compile` has other arguments ({error})") from None
    try:  # an optimizer that was used knows the variables of then
        optimizer = type(like.optimizer).from_config(like.optimizer.get_config())
    except Exception as error:
        raise InapplicableError(f"its optimizer cannot be made again from its config ({in_short(error)})") from None
    return {**known, "optimizer": optimizer}


# Steps


def _optimizer(trial: Trial) -> Any:
    """Without the scaling of the loss that mixed precision puts around it."""
    optimizer = trial.model.optimizer
    return getattr(optimizer, "inner_optimizer", optimizer)


def _steps_times(factor: float) -> Remedy:
    def remedy(trial: Trial) -> Iterator[str]:
        optimizer = _optimizer(trial)
        schedule = _schedule(optimizer)
        callbacks = _schedulers(trial)
        before = None if schedule is not None else float(np.asarray(optimizer.learning_rate))
        changes = [
            f"{factor:g} times the learning rates of the {type(each).__name__}"
            for each in (schedule, *callbacks)
            if each is not None
        ]
        if before is not None and not callbacks:
            changes = [f"`learning_rate={before * factor:.3g}` in the optimizer, not {before:.3g}"]
        yield "; ".join(changes)
        optimizer.learning_rate = ScaledSchedule(schedule, factor) if before is None else before * factor
        for each in callbacks:
            each.schedule = _scaled(each.schedule, factor)

    return remedy


def _schedulers(trial: Trial) -> list[keras.callbacks.LearningRateScheduler]:
    callbacks = keras.tree.flatten(trial.arguments.get("callbacks"))
    return [each for each in callbacks if isinstance(each, keras.callbacks.LearningRateScheduler)]


@keras.saving.register_keras_serializable("pipeline")
class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule of learning rates times a factor."""

    def __init__(self, schedule: Callable[[Any], Any], factor: float) -> None:
        self.schedule, self.factor = schedule, factor

    def __call__(self, step: Any) -> Any:
        return self.factor * self.schedule(step)

    def get_config(self) -> dict[str, Any]:
        """As Keras keeps it in a file."""
        return {"schedule": keras.optimizers.schedules.serialize(self.schedule), "factor": self.factor}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ScaledSchedule":
        """As `get_config` gave it."""
        return cls(keras.optimizers.schedules.deserialize(config["schedule"]), config["factor"])


def _schedule(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return the optimizer's schedule of learning rates, or None where the learning rate is a number.

    Raises:
        InapplicableError: Keras cannot copy the schedule.
    """
    if isinstance(optimizer.learning_rate, keras.Variable):
        return None
    try:
        schedule = keras.optimizers.schedules.deserialize(optimizer.get_config()["learning_rate"])
    except Exception as error:
        raise InapplicableError(f"Keras cannot copy its schedule of learning rates ({in_short(error)})") from None
    if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        raise InapplicableError("its learning rate is a function, and no schedule of Keras")
    return schedule


def _scaled(schedule: Callable[..., float], factor: float) -> Callable[..., float]:
    """Return the function of a LearningRateScheduler times a factor; it may take the rate beside the epoch."""

    def scaled(epoch: int, *rate: float) -> float:
        return factor * schedule(epoch, *(each / factor for each in rate))

    return scaled


def _adam(trial: Trial) -> Iterator[str]:
    made = keras.optimizers.Adam()
    old = _optimizer(trial)
    rate = np.asarray(getattr(old, "learning_rate", np.nan))
    if type(old) is type(made) and np.allclose(rate, np.asarray(made.learning_rate)):
        raise InapplicableError("it is trained by Adam at 0.001 already")
    scaled = old is not trial.model.optimizer
    at = "the learning rates of the LearningRateScheduler" if _schedulers(trial) else "a learning rate of 0.001"
    yield f'`optimizer="adam"` in `compile`: Adam at {at}'
    trial.model.optimizer = keras.optimizers.LossScaleOptimizer(made) if scaled else made


def _clipped(trial: Trial) -> Iterator[str]:
    optimizer = _optimizer(trial)
    if any(getattr(optimizer, name, None) for name in ("clipnorm", "global_clipnorm", "clipvalue")):
        raise InapplicableError("its gradients are clipped already")
    yield "`global_clipnorm=1.0` in the optimizer"
    optimizer.global_clipnorm = 1.0


def _epochs(factor: float) -> Remedy:
    def remedy(trial: Trial) -> Iterator[str]:
        before = int(trial.arguments.get("epochs", 1))
        after = max(1, round(before * factor))
        if after == before:
            raise InapplicableError("it is trained for one epoch")
        yield f"`epochs={after}` in `fit`, not {before}"
        trial.arguments["epochs"] = after

    return remedy


# Data


def _over_rows(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation by the last dimension, of what is finite; 1 where a column does not vary."""
    flat = np.asarray(values, np.float64).reshape(-1, values.shape[-1] if values.ndim > 1 else 1)
    flat = np.where(np.isfinite(flat), flat, np.nan)
    mean, spread = np.nanmean(flat, axis=0), np.nanstd(flat, axis=0)
    return mean, np.where(spread > 0, spread, 1.0)


def _standardised(values: Any, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    scaled = (np.asarray(values, np.float64) - mean) / spread
    return scaled.astype(np.float32)


def _scaled_inputs(trial: Trial) -> Iterator[str]:
    inputs, _ = trial.data
    if any(isinstance(layer, keras.layers.Embedding) for layer in every_layer(trial.model)):
        raise InapplicableError("its inputs are places in an embedding's table")
    leaves = keras.tree.flatten(inputs)
    scales = [_over_rows(np.asarray(leaf)) for leaf in leaves]

    def scaled(values: Any) -> Any:
        own = [_standardised(leaf, *scale) for leaf, scale in zip(keras.tree.flatten(values), scales, strict=True)]
        return keras.tree.pack_sequence_as(values, own)

    yield "a layer `keras.layers.Normalization()` in front, after its `adapt(x_train)`"
    trial.parts = {name: (scaled(x), y) for name, (x, y) in trial.parts.items()}


def _scaled_targets(trial: Trial) -> Iterator[str]:
    _, targets = trial.data
    values = _column(targets)
    if _labels(values) is not None:
        raise InapplicableError("its targets are classes")
    mean, spread = _over_rows(values)

    def scaled(targets: Any) -> Any:
        return None if targets is None else _standardised(targets, mean, spread).reshape(np.shape(targets))

    yield "targets less their mean, divided by their standard deviation; predictions are scaled back"
    trial.parts = {name: (x, scaled(y)) for name, (x, y) in trial.parts.items()}


def _finite_rows(trial: Trial) -> Iterator[str]:
    inputs, targets = trial.data
    if trial.arguments.get("sample_weight") is not None:
        raise InapplicableError("its rows have weights")
    if all(np.isfinite(np.asarray(leaf, np.float64)).all() for leaf in keras.tree.flatten((inputs, targets))):
        raise InapplicableError("all its numbers are finite")

    def finite(part: tuple[Any, Any]) -> tuple[Any, Any]:
        leaves = [np.asarray(leaf) for leaf in keras.tree.flatten(part)]
        fine = [np.isfinite(leaf.astype(np.float64)).reshape(len(leaf), -1).all(axis=1) for leaf in leaves]
        kept = np.logical_and.reduce(fine)
        return keras.tree.pack_sequence_as(part, [leaf[kept] for leaf in leaves])

    yield "rows with a number that is missing or infinite left out: `kept = numpy.isfinite(x).all(axis=1)`"
    trial.parts = {name: finite(part) for name, part in trial.parts.items()}


def _class_weights(trial: Trial) -> Iterator[str]:
    _, targets = trial.data
    labels = _labels(_column(targets))
    if labels is None:
        raise InapplicableError("its targets are no classes")
    if trial.arguments.get("class_weight") is not None:
        raise InapplicableError("its classes are weighted already")
    classes, counts = np.unique(labels, return_counts=True)
    weights = {
        int(label): len(labels) / (len(classes) * int(count)) for label, count in zip(classes, counts, strict=True)
    }
    rounded = {label: round(weight, 3) for label, weight in weights.items()}
    yield f"`class_weight={rounded}` in `fit`"
    trial.arguments["class_weight"] = weights


def _column(targets: Any) -> np.ndarray:
    """Raises: InapplicableError: there is not one array of targets."""
    found = keras.tree.flatten(targets)
    if len(found) != 1 or found[0] is None:
        raise InapplicableError("it has not one array of targets")
    return np.asarray(found[0])


def _labels(targets: np.ndarray) -> np.ndarray | None:
    """Classes int [row], of labels or one-hot rows; None for other numbers."""
    if targets.ndim == 2 and targets.shape[1] > 1:
        one_hot = set(np.unique(targets).tolist()) <= {0, 1} and (targets.sum(axis=1) == 1).all()
        return targets.argmax(axis=1) if one_hot else None
    flat = targets.reshape(-1)
    if not np.issubdtype(flat.dtype, np.number) and flat.dtype != bool:
        return None
    values = np.unique(flat)
    are_labels = (
        values[0] == 0 and np.array_equal(values, np.arange(len(values))) and len(values) <= max(2, len(flat) // 5)
    )
    return flat.astype(np.int64) if are_labels else None


# The model


def _last(model: Any) -> Any:
    """The layer that gives the output.

    Raises:
        InapplicableError: that is not one layer with an activation.
    """
    joined = graph(model)
    if joined is None:
        raise InapplicableError("only the model's own call knows its output layer")
    ends = joined.ends
    if len(ends) != 1:
        raise InapplicableError(f"the model has {len(ends)} outputs")
    if isinstance(ends[0], keras.Model):
        return _last(ends[0])
    if "activation" not in vars(ends[0]):
        raise InapplicableError(
            f"its output is that of a layer {type(ends[0]).__name__}, which has no activation to change"
        )
    return ends[0]


def _fitting_output(trial: Trial) -> Iterator[str]:
    _, targets = trial.data
    values, layer = _column(targets), _last(trial.model)
    shape = tuple(trial.model.output_shape)
    units, labels = shape[-1], _labels(values)
    if labels is None:
        if values.ndim == 2 and values.shape[1] > 1 and set(np.unique(values).tolist()) <= {0, 1}:
            activation, loss = "sigmoid", "binary_crossentropy"  # several labels a row
        else:
            activation, loss = "linear", "mean_squared_error"
    elif values.ndim == 2 and values.shape[1] > 1:
        activation, loss = "softmax", "categorical_crossentropy"
    elif units == 1 and labels.max() <= 1:
        activation, loss = "sigmoid", "binary_crossentropy"
    elif units > labels.max():
        activation, loss = "softmax", "sparse_categorical_crossentropy"
    else:
        raise InapplicableError(
            f"its output has {units} unit{'s' if units > 1 else ''}, and there are {labels.max() + 1} classes"
        )
    if _name(layer.activation) == activation and _loss_name(trial.model) == loss:
        raise InapplicableError(f"its output is {activation} with {loss} already")
    _compile_arguments(trial.model)
    yield f'`activation="{activation}"` in the output layer, and `loss="{loss}"` in `compile`'
    layer.activation = keras.activations.get(activation)
    _compile(trial.model, loss=loss)


def _loss_name(model: keras.Model) -> str:
    loss = model.loss
    name = loss if isinstance(loss, str) else getattr(loss, "name", "")
    return {"mse": "mean_squared_error"}.get(name, name)


def _name(activation: Any) -> str:
    return str(getattr(activation, "__name__", None) or type(activation).__name__)


def _hidden(model: Any) -> list[Any]:
    """All layers but the output, with an activation that can be changed."""
    try:
        last = _last(model)
    except InapplicableError:
        owners = [row.owner for row in rows(model)]
        last = owners[-1] if owners else None
    return [layer for layer in every_layer(model) if layer is not last and "activation" in vars(layer)]


def _leaky(trial: Trial) -> Iterator[str]:
    found = [layer for layer in _hidden(trial.model) if _name(layer.activation) == "relu"]
    modules = [layer for layer in every_layer(trial.model) if isinstance(layer, keras.layers.ReLU)]
    if not found and not modules:
        raise InapplicableError("no hidden layer is rectified")
    yield '`activation="leaky_relu"` in hidden layers, not relu'
    for layer in found:
        layer.activation = keras.activations.leaky_relu
    for layer in modules:
        layer.negative_slope = 0.2


def _rectified(trial: Trial) -> Iterator[str]:
    recurrent = {id(cell) for layer in every_layer(trial.model) for cell in _cells(layer)}
    hidden = [layer for layer in _hidden(trial.model) if id(layer) not in recurrent]
    found = [layer for layer in hidden if _name(layer.activation) in SATURATING]
    if not found and _is_linear(trial.model):
        found = hidden
    if not found:
        raise InapplicableError("no hidden layer but recurrent ones can saturate, nor are all without an activation")
    which = "hidden layers that are not recurrent" if recurrent else "hidden layers"
    yield f'`activation="relu", kernel_initializer="he_normal"` in {which}'
    for layer in found:
        layer.activation = keras.activations.relu
        _redraw(layer, keras.initializers.HeNormal)


def _is_linear(model: keras.Model) -> bool:
    """Whether all that comes before the output layer is together one linear layer."""
    last = _last(model)
    layers = [layer for layer in every_layer(model) if layer is not last and not isinstance(layer, keras.Model)]
    joined = graph(model)
    operations = joined.operations if joined is not None else []
    return all(isinstance(each, keras.layers.Layer) for each in operations) and all(
        isinstance(layer, LINEAR) and _name(vars(layer).get("activation", keras.activations.linear)) == "linear"
        for layer in layers
    )


def _cells(layer: Any) -> list[Any]:
    if not isinstance(layer, keras.layers.RNN):
        return []
    cell = layer.cell
    return [layer, *(cell.cells if isinstance(cell, keras.layers.StackedRNNCells) else [cell])]


def _bounded_cells(trial: Trial) -> Iterator[str]:
    cells = [cell for layer in every_layer(trial.model) for cell in _cells(layer)[1:]]
    unbounded = [cell for cell in cells if _name(getattr(cell, "activation", None)) not in SATURATING]
    if not unbounded:
        raise InapplicableError("no recurrent layer has an activation without bounds")
    yield '`activation="tanh"` in recurrent layers'
    for cell in unbounded:
        cell.activation = keras.activations.tanh


def _fresh_kernels(trial: Trial) -> Iterator[str]:
    layers = [layer for layer in every_layer(trial.model) if _kernels(layer)]
    if not layers:
        raise InapplicableError("the model is not built before `fit`")
    yield "Keras's own kernels and biases in all layers: `glorot_uniform` and 0, recurrent ones `orthogonal`"
    for layer in layers:
        _redraw(layer, keras.initializers.GlorotUniform)


def _kernels(layer: Any) -> list[Any]:
    own = [*getattr(layer, "_trainable_variables", []), *getattr(layer, "_non_trainable_variables", [])]
    return [each for each in own if "kernel" in each.name and len(each.shape) > 1]


def _redraw(layer: Any, initializer: type) -> None:
    """Args: `initializer` is of kernels that are not recurrent; those are orthogonal, and an LSTM forgets nothing at
    first, as Keras has it."""
    for kernel in _kernels(layer):
        made = keras.initializers.Orthogonal if "recurrent" in kernel.name else initializer
        kernel.assign(made()(kernel.shape, dtype=kernel.dtype))
    bias = getattr(layer, "bias", None)
    if bias is not None:
        start = np.zeros(bias.shape, np.float32)
        if getattr(layer, "unit_forget_bias", False):
            start[layer.units : 2 * layer.units] = 1
        bias.assign(start)


def _trained_layers(trial: Trial) -> Iterator[str]:
    _compile_arguments(trial.model)
    yield "`trainable = True` for all layers, and `compile` after that"
    for layer in every_layer(trial.model):
        layer.trainable = True
    _compile(trial.model)


def _quicker_statistics(trial: Trial) -> Iterator[str]:
    found = [each for each in every_layer(trial.model) if isinstance(each, keras.layers.BatchNormalization)]
    slow = [layer for layer in found if layer.momentum > 0.9]
    if not slow:
        raise InapplicableError("no batch normalisation has a momentum above 0.9")
    yield "`momentum=0.9` in `BatchNormalization`"
    for layer in slow:
        layer.momentum = 0.9


def _penalty(trial: Trial) -> Iterator[str]:
    kernels = [(layer, each) for layer in every_layer(trial.model) for each in _kernels(layer) if each.trainable]
    free = [(layer, kernel) for layer, kernel in kernels if kernel.regularizer is None]
    if not free:
        raise InapplicableError("all its kernels have a penalty already, or there are none before `fit`")
    yield "`kernel_regularizer=keras.regularizers.L2(0.001)` in all layers"
    for layer, kernel in free:
        kernel.regularizer = keras.regularizers.L2(0.001)
        if hasattr(layer, "kernel_regularizer"):
            layer.kernel_regularizer = kernel.regularizer  # for a remedy that makes another model of its configuration


def _by_rebuilding(rebuild: Callable[[keras.Model], keras.Model], said: str) -> Remedy:
    def remedy(trial: Trial) -> Iterator[str]:
        if not trial.may_rebuild:
            raise InapplicableError("that is another model, and a script has its own in its hands")
        made = rebuild(trial.model)
        yield said
        _compile(made, like=trial.model)
        trial.model = made

    return remedy


DRAWN_ANEW: Final = ("wider_layers",)
REMEDIES: Mapping[str, Remedy] = {
    **{name: _steps_times(factor) for name, factor in STEPS.items()},
    "adam": _adam,
    "clipped_gradients": _clipped,
    **{name: _epochs(factor) for name, factor in EPOCHS.items()},
    "finite_rows": _finite_rows,
    "scaled_inputs": _scaled_inputs,
    "scaled_targets": _scaled_targets,
    "class_weights": _class_weights,
    "fitting_output": _fitting_output,
    "fresh_kernels": _fresh_kernels,
    "trained_layers": _trained_layers,
    "leaky_units": _leaky,
    "rectified_units": _rectified,
    "bounded_cells": _bounded_cells,
    "quicker_statistics": _quicker_statistics,
    "weight_penalty": _penalty,
    "batch_normalization": _by_rebuilding(
        with_normalisation,
        "a layer `BatchNormalization()` between each hidden dense or convolutional layer and its activation",
    ),
    "residual": _by_rebuilding(
        with_paths, "`x + layer(x)` for hidden layers of one width, with `BatchNormalization()` before the activation"
    ),
    "dropout": _by_rebuilding(with_dropout, f"a layer `Dropout({DROPPED})` after each hidden layer"),
    "wider_layers": _by_rebuilding(widened, f"{WIDER} times the `units` or `filters` in hidden layers"),
}
