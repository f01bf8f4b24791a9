"""Decide which variants the compiled loops can train, and describe these variants by plain values."""

from dataclasses import dataclass
from math import isfinite
from typing import Final

from pipeline.data.split.tasks import KINDS, Task
from pipeline.history.record import HIDDEN, OUTPUT, Layer
from pipeline.params.variant_params import NONE, KerasObject, VariantParams

# For compiled functions, a kind of task, an activation or an optimizer is its position in one of these constants.
TASK_KINDS: Final = tuple(KINDS)
# The activations of hidden layers, by Keras's names.
ACTIVATIONS: Final = ("linear", "relu", "leaky_relu", "elu", "selu", "tanh", "sigmoid")
# The optimizers, by Keras's names: their hyperparameters, in the order that `steps.step` uses, with Keras's defaults.
OPTIMIZERS: Final[dict[str, dict[str, float | bool]]] = {
    "SGD": {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False},
    "RMSprop": {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7},
    "Adam": {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
}
_FRACTIONS = ("momentum", "rho", "beta_1", "beta_2")  # must be between 0 and 1


@dataclass(frozen=True)
class DenseStack:
    """A stack of dense layers and its optimizer.

    task: the task of the output layer.
    widths: the number of inputs, then the number of units of each layer.
    activation: the activation of the hidden layers, a name in ACTIVATIONS.
    optimizer: a name in OPTIMIZERS.
    hyperparameters: the optimizer's hyperparameters, in the order of OPTIMIZERS.
    """

    task: Task
    widths: tuple[int, ...]
    activation: str
    optimizer: str
    hyperparameters: tuple[float, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Return the layer table, which equals the table of Keras's model."""
        last = len(self.widths) - 2
        return tuple(
            Layer(
                path=path.removesuffix("/kernel"),
                kind="Dense",
                role=OUTPUT if number == last else HIDDEN,
                units=units,
                has_activation=number < last or self.task.kind != "multiclass",
            )
            for number, (path, (_, units)) in enumerate(self.kernels.items())
        )

    @property
    def kernels(self) -> dict[str, tuple[int, int]]:
        """Return the shape [input, unit] of every kernel by its path in Keras's model."""
        hidden = [f"{HIDDEN}_{number:02d}" for number in range(1, len(self.widths) - 1)]
        shapes = zip(self.widths[:-1], self.widths[1:], strict=True)
        return {f"{part}/kernel": shape for part, shape in zip([*hidden, OUTPUT], shapes, strict=True)}

    @property
    def variables(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every variable by its path in Keras's model, in the order of the flat weights."""
        shapes: dict[str, tuple[int, ...]] = {}
        for path, shape in self.kernels.items():
            shapes |= {path: shape, path.replace("kernel", "bias"): shape[1:]}
        return shapes


def dense_stack(variant: VariantParams, inputs: int, task: Task) -> DenseStack | None:
    """Return the variant as a dense stack; None if the compiled loops cannot train it.

    The result is also None if the variant has a mistake, such as an unknown name or a momentum above 1, because then
    Keras reports it.
    """
    hyperparameters = _hyperparameters(variant.optimizer)
    has_other_parts = variant.batch_normalization or variant.residual or variant.pretraining != "none"
    has_other_parts = has_other_parts or variant.kernel_regularizer.class_name != NONE
    activation = variant.activation
    if has_other_parts or hyperparameters is None or activation.config or activation.class_name not in ACTIVATIONS:
        return None
    widths = (inputs, *variant.widths, task.outputs)
    return DenseStack(task, widths, activation.class_name, _name(variant.optimizer), hyperparameters)


def _name(optimizer: KerasObject) -> str:
    """Return the optimizer's name in OPTIMIZERS, or "" if it has none; any case will do, as for Keras."""
    by_lower = {name.lower(): name for name in OPTIMIZERS}
    return by_lower.get(optimizer.class_name.lower(), "")


def _hyperparameters(optimizer: KerasObject) -> tuple[float, ...] | None:
    """Return the hyperparameters in the order of OPTIMIZERS; None if the optimizer or an argument is invalid."""
    defaults = OPTIMIZERS.get(_name(optimizer), {})
    config = optimizer.config
    if not defaults or not config.keys() <= defaults.keys():
        return None
    if any(isinstance(config[key], bool) != isinstance(defaults[key], bool) for key in config):
        return None
    if any(not isinstance(value, int | float) or not isfinite(value) or value < 0 for value in config.values()):
        return None
    if any(config.get(name, 0) > 1 for name in _FRACTIONS):
        return None
    return tuple(float(value) for value in {**defaults, **config}.values())
