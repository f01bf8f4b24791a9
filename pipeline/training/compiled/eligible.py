"""Which variants the compiled loops can train, and what they need to know of them: plain values, nothing compiled."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from pipeline.data.split.tasks import KINDS as TASKS
from pipeline.data.split.tasks import Task
from pipeline.history.record import HIDDEN, OUTPUT, Layer
from pipeline.params.variant_params import NONE, KerasObject, VariantParams

KINDS: Final = tuple(TASKS)  # of tasks; a kernel is told the position
# The activations of hidden layers, by Keras's names; a kernel is told the position.
ACTIVATIONS: Final = ("linear", "relu", "leaky_relu", "elu", "selu", "tanh", "sigmoid")
# The optimizers, by Keras's names, with the numbers that a kernel is told in this order, and Keras's defaults.
OPTIMIZERS: Final[dict[str, dict[str, float | bool]]] = {
    "SGD": {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False},
    "RMSprop": {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7},
    "Adam": {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
}
_SHARES = ("momentum", "rho", "beta_1", "beta_2")  # between 0 and 1


@dataclass(frozen=True)
class DenseStack:
    """Dense layers on one another, and how they are trained.

    task: what the output layer is for. sizes: of the inputs and then of each layer.
    activation: of the hidden layers, a name in ACTIVATIONS.
    optimizer: a name in OPTIMIZERS; numbers: its numbers in their order there.
    """

    task: Task
    sizes: tuple[int, ...]
    activation: str
    optimizer: str
    numbers: tuple[float, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layer table, as of Keras's model."""
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
        """Shape of every kernel [input, unit] by the path that it has in Keras's model."""
        hidden = [f"{HIDDEN}_{number:02d}" for number in range(1, len(self.sizes) - 1)]
        shapes = zip(self.sizes[:-1], self.sizes[1:], strict=True)
        return {f"{part}/kernel": shape for part, shape in zip([*hidden, OUTPUT], shapes, strict=True)}

    @property
    def variables(self) -> dict[str, tuple[int, ...]]:
        """Shape of every variable by the path that it has in Keras's model, in the order of the flat weights."""
        shapes: dict[str, tuple[int, ...]] = {}
        for path, shape in self.kernels.items():
            shapes |= {path: shape, path.replace("kernel", "bias"): shape[1:]}
        return shapes


def dense_stack(variant: VariantParams, inputs: int, task: Task) -> DenseStack | None:
    """The variant as such a stack; None where it is more than that, or something is said that is not known here.

    What cannot be right, a name that nobody knows or a momentum above 1, is none either: Keras then says why.
    """
    numbers = _numbers(variant.optimizer)
    more = variant.batch_normalization or variant.residual or variant.pretraining != "none"
    more = more or variant.kernel_regularizer.class_name != NONE
    activation = variant.activation
    if more or numbers is None or activation.config or activation.class_name not in ACTIVATIONS:
        return None
    sizes = (inputs, *variant.widths, task.outputs)
    return DenseStack(task, sizes, activation.class_name, _name(variant.optimizer), numbers)


def _name(optimizer: KerasObject) -> str:
    """As in OPTIMIZERS; Keras's own names of optimizers go by their small letters too."""
    by_lower = {name.lower(): name for name in OPTIMIZERS}
    return by_lower.get(optimizer.class_name.lower(), "")


def _numbers(optimizer: KerasObject) -> tuple[float, ...] | None:
    defaults: Mapping[str, Any] = OPTIMIZERS.get(_name(optimizer), {})
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
