"""What a cause looks like in one training, and what to try against it, for a model that params.yaml does not describe:
a network of the user's own, or a script's.

A row for each cause of the table of causes; where one is missing, the cause is named and no more is said.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Evidence = Mapping[str, Any]  # of `diagnosis.evidence`, for one replica; layers by their paths


@dataclass(frozen=True)
class Advice:
    """says: what was seen, a sentence from the evidence. tries: what to try, the most promising first."""

    says: Callable[[Evidence], str]
    tries: tuple[str, ...]


def _exploding(found: Evidence) -> str:
    if found["nonfinite_epoch"] is not None:
        return f"A loss, gradient or weight is not finite from epoch {found['nonfinite_epoch']:.0f} on."
    return f"The loss rose to {found['loss_growth']:.2g} times that of a constant guess."


def _born_dead(found: Evidence) -> str:
    return f"Layer {found['dead_layer']} was off on every row of the probe before the first step, and stayed so."


def _died(found: Evidence) -> str:
    after, by = found["died_after"], found["died_by"]
    when = f"by epoch {by:.0f}" if after is None else f"between epochs {after:.0f} and {by:.0f}"
    return f"Layer {found['dead_layer']} went off on every row of the probe {when}, and no gradient can revive it."


def _saturated(found: Evidence) -> str:
    share = 100 * found["saturated_share"]
    return f"{share:.0f}% of the outputs of layer {found['saturated_layer']} lie where its activation is flat."


def _vanishing(found: Evidence) -> str:
    scale = f"the largest hidden one is {found['gradient_scale']:.1g} of a constant guess's loss."
    if found["gradient_ratio"] is None:  # the output layer has none either
        return f"No gradient leaves the output layer; {scale}"
    ratio = f"{found['gradient_ratio']:.1g} of the output layer's"
    return f"The gradient of layer {found['smallest_layer']} is {ratio}; {scale}"


def _slow(found: Evidence) -> str:
    return f"The loss still falls at the end, by {100 * found['loss_fall']:.1f}% over the last epochs."


def _stuck(found: Evidence) -> str:
    return "Gradients arrive, no layer is dead or saturated, and the loss does not fall any more."


ADVICE: Final[Mapping[str, Advice]] = {
    "exploding": Advice(
        _exploding,
        (
            "a tenth of the learning rate",
            "inputs, and the targets of a regression, scaled to mean 0 and standard deviation 1",
            "gradients clipped by the optimizer's `global_clipnorm=1.0`",
            "in recurrent layers tanh, not relu",
        ),
    ),
    "born_dead": Advice(
        _born_dead,
        (
            "`leaky_relu` or `elu`, which are never off for good",
            "more units in the layer: all of them are seldom off together",
            "a path around the layer (residual), or fewer layers",
            "inputs scaled around 0, and biases that start at 0",
        ),
    ),
    "died_in_training": Advice(
        _died,
        (
            "a tenth of the learning rate: a step too large can turn off a whole layer",
            "`leaky_relu` or `elu`, which are never off for good",
            "more units in the layer, or a path around it (residual)",
            "no rectifier on an output whose targets may be negative",
        ),
    ),
    "saturated": Advice(
        _saturated,
        (
            "inputs scaled to mean 0 and standard deviation 1",
            "kernels from `glorot_uniform`, which keep units where they have a slope",
            "batch normalisation before the activation, or `relu` in hidden layers",
            "a smaller learning rate, where it came in training",
        ),
    ),
    "vanishing": Advice(
        _vanishing,
        (
            "`relu` with `he_normal` kernels in hidden layers, not sigmoid or tanh",
            "batch normalisation, or residual connections",
            "Adam, whose steps do not shrink with the gradient",
            "fewer or wider layers",
        ),
    ),
    "slow": Advice(_slow, ("more epochs", "Adam, or a ten times larger learning rate", "scaled inputs")),
    "stuck": Advice(
        _stuck,
        (
            "whether the output fits the task: a sigmoid for one unit of two classes, never a softmax of one unit; "
            "no rectifier or sigmoid where targets go beyond",
            "whether labels belong to their rows, and whether 32 rows can be learned by heart",
            "scaled inputs, another learning rate, Adam",
            "balanced classes, where one is rare",
        ),
    ),
}
