"""Decide which variants the compiled loops can train, and describe them by plain values. Nothing here is compiled."""

from dataclasses import dataclass
from math import isfinite
from typing import Final

from pipeline.data.split.tasks import KINDS, Task
from pipeline.history.record import HIDDEN, OUTPUT, Layer
from pipeline.params.variant_params import NONE, KerasObject, VariantParams

# Compiled functions take a kind of task, an activation or an optimizer as its position in these three.
TASK_KINDS: Final = tuple(KINDS)
# The activations of hidden layers, by Keras's names.
ACTIVATIONS: Final = ("linear", "relu", "leaky_relu", "elu", "selu", "tanh", "sigmoid")
# The optimizers, by Keras's names, with their numbers in the order that `steps.step` takes them, and Keras's defaults.
OPTIMIZERS: Final[dict[str, dict[str, float | bool]]] = {
    "SGD": {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False},
    "RMSprop": {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7},
    "Adam": {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
}
_SHARES = ("momentum", "rho", "beta_1", "beta_2")  # between 0 and 1


@dataclass(frozen=True)
class DenseStack:
    """A stack of dense layers and its optimizer.

    task: the task of the output layer.
    sizes: the number of inputs, then the units of each layer.
    activation: that of the hidden layers, a name in ACTIVATIONS.
    optimizer: a name in OPTIMIZERS.
    numbers: the optimizer's numbers, in the order of OPTIMIZERS.
    """

    task: Task
    sizes: tuple[int, ...]
    activation: str
    optimizer: str
    numbers: tuple[float, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Return the layer table, the same as that of Keras's model."""
        last = len(self.sizes) - 2
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
        hidden = [f"{HIDDEN}_{number:02d}" for number in range(1, len(self.sizes) - 1)]
        shapes = zip(self.sizes[:-1], self.sizes[1:], strict=True)
        return {f"{part}/kernel": shape for part, shape in zip([*hidden, OUTPUT], shapes, strict=True)}

    @property
    def variables(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every variable by its path in Keras's model, in the order of the flat weights."""
        shapes: dict[str, tuple[int, ...]] = {}
        for path, shape in self.kernels.items():
            shapes |= {path: shape, path.replace("kernel", "bias"): shape[1:]}
        return shapes


def dense_stack(variant: VariantParams, inputs: int, task: Task) -> DenseStack | None:
    """Return the variant as a dense stack; None if it is anything else.

    It is None also for a variant with a mistake, such as an unknown name or a momentum above 1: Keras then reports it.
    """
    numbers = _numbers(variant.optimizer)
    has_more = variant.batch_normalization or variant.residual or variant.pretraining != "none"
    has_more = has_more or variant.kernel_regularizer.class_name != NONE
    activation = variant.activation
    if has_more or numbers is None or activation.config or activation.class_name not in ACTIVATIONS:
        return None
    sizes = (inputs, *variant.widths, task.outputs)
    return DenseStack(task, sizes, activation.class_name, _name(variant.optimizer), numbers)


def _name(optimizer: KerasObject) -> str:
    """Return the name in OPTIMIZERS, or an empty text; Keras accepts names of optimizers in lower case too."""
    by_lower = {name.lower(): name for name in OPTIMIZERS}
    return by_lower.get(optimizer.class_name.lower(), "")


def _numbers(optimizer: KerasObject) -> tuple[float, ...] | None:
    """Return the numbers of an optimizer in the order of OPTIMIZERS; None if it is unknown or an argument is."""
    defaults = OPTIMIZERS.get(_name(optimizer), {})
    config = optimizer.config
    if not defaults or not config.keys() <= defaults.keys():
        return None
    if any(isinstance(config[key], bool) != isinstance(defaults[key], bool) for key in config):
        return None
    if any(not isinstance(value, int | float) or not isfinite(value) or value < 0 for value in config.values()):
        return None
    if any(config.get(share, 0) > 1 for share in _SHARES):
        return None
    return tuple(float(value) for value in {**defaults, **config}.values())
