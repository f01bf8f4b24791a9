"""The remedies: what may be changed, as overrides of a variant's parameters. Suggestions until they are tried.

Which of them are suggested against which cause, in which order and for what reason, the table of causes says.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.params.variant_params import VariantParams

SAID = 4  # remedies in a sentence; tables have all
ADAM = "Kingma & Ba 2015, arXiv 1412.6980"
HE = "He et al. 2015, arXiv 1502.01852"


@dataclass(frozen=True)
class Remedy:
    """Overrides by dotted parameter, the reason, and where it comes from."""

    overrides: Mapping[str, Any]
    reason: str
    source: str

    @property
    def changes(self) -> str:
        """As in params.yaml: `activation: relu, batch_normalization: true`."""
        return ", ".join(f"{key}: {_written(value)}" for key, value in self.overrides.items())

    def __str__(self) -> str:
        return f"`{self.changes}` ({self.reason}; {self.source})"


Remedies = Iterable[Remedy | None]  # None: there is no such change of the recipe at hand


def not_taken(remedies: Remedies, recipe: VariantParams) -> list[Remedy]:
    """Those that there are, without what the variant has already.

    Args:
        recipe: the resolved variant.
    """
    return [remedy for remedy in remedies if remedy is not None and not _taken(remedy, recipe)]


def helps(remedies: Sequence[Remedy]) -> str:
    """ " Most likely to help: ...", the first few; nothing where there are none."""
    listed = "; ".join(map(str, remedies[:SAID]))
    return f" Most likely to help: {listed}." if listed else ""


def _taken(remedy: Remedy, recipe: VariantParams) -> bool:
    plain = recipe.model_dump(mode="json")
    return all(_plain(_present(plain, key)) == _plain(value) for key, value in remedy.overrides.items())


def _present(recipe: Mapping[str, Any], key: str) -> Any:
    value: Any = recipe
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value["class_name"] if isinstance(value, Mapping) and "class_name" in value else value


def _plain(value: Any) -> Any:
    """Keras takes GlorotUniform and glorot_uniform for one name."""
    return value.replace("_", "").lower() if isinstance(value, str) else value


def _written(value: Any) -> str:
    """As YAML has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def normalised(reason: str) -> Remedy:
    """Batch normalisation."""
    return Remedy({"batch_normalization": True}, reason, "Ioffe & Szegedy 2015, arXiv 1502.03167")


def residual(recipe: VariantParams, reason: str) -> Remedy | None:
    """Identity paths with batch normalisation, as in He et al.; without it, the output of twenty such layers is too
    large for any learning rate. None for one hidden layer, for no path goes around the first, and for layers that
    differ in width."""
    overrides = {"residual": True, "batch_normalization": True}
    fits = recipe.hidden_layers > 1 and len(set(recipe.widths)) == 1
    return Remedy(overrides, reason, "He et al. 2015, arXiv 1512.03385") if fits else None


def wider(recipe: VariantParams, reason: str, source: str) -> Remedy:
    """Twice the units, of each layer where they are a list."""
    units = recipe.units
    doubled = 2 * units if isinstance(units, int) else [2 * width for width in units]
    return Remedy({"units": doubled}, reason, source)


def smaller_steps(recipe: VariantParams, reason: str, source: str) -> Remedy | None:
    """A tenth of the learning rate; None where the optimizer has none that is a number."""
    rate = recipe.optimizer.config.get("learning_rate")
    return (
        Remedy({"optimizer.config.learning_rate": rate / 10}, reason, source) if isinstance(rate, int | float) else None
    )


def larger_steps(recipe: VariantParams, reason: str, source: str) -> Remedy | None:
    """Ten times the learning rate; None where the optimizer has none that is a number."""
    rate = recipe.optimizer.config.get("learning_rate")
    return (
        Remedy({"optimizer.config.learning_rate": rate * 10}, reason, source) if isinstance(rate, int | float) else None
    )


def clipped(recipe: VariantParams, reason: str) -> Remedy | None:
    """Gradients of a length of at most 1; None where they are clipped already."""
    if {"clipnorm", "global_clipnorm", "clipvalue"} & recipe.optimizer.config.keys():
        return None
    return Remedy({"optimizer.config.global_clipnorm": 1.0}, reason, "Pascanu et al. 2013")


def adam(reason: str) -> Remedy:
    """Another optimizer."""
    return Remedy({"optimizer": "Adam"}, reason, ADAM)


def longer(epochs: int, reason: str) -> Remedy:
    """Four times the epochs."""
    return Remedy({"training.epochs": 4 * epochs}, reason, "the history itself")


def rectified(reason: str, source: str = HE) -> Remedy:
    """Rectified units, with the kernels that suit them."""
    return Remedy({"activation": "relu", "kernel_initializer": "he_uniform"}, reason, source)


def never_off() -> tuple[Remedy, Remedy]:
    """Units that resemble rectified ones, and always have a slope."""
    return (
        Remedy({"activation": "elu"}, "its slope is never 0", "Clevert et al. 2016, arXiv 1511.07289"),
        Remedy({"activation": "leaky_relu"}, "no unit is ever off for good", "Maas et al. 2013"),
    )


def scaled_kernels(reason: str, output_too: bool = False) -> Remedy:
    """Glorot's kernels in the hidden layers, and in the output layer where that is asked for."""
    overrides = {"kernel_initializer": "glorot_uniform"}
    overrides |= {"output_kernel_initializer": "glorot_uniform"} if output_too else {}
    return Remedy(overrides, reason, "Glorot & Bengio 2010")


def orthogonal(reason: str) -> Remedy:
    """Orthogonal kernels."""
    return Remedy({"kernel_initializer": "orthogonal"}, reason, "Saxe et al. 2013, arXiv 1312.6120")


def asymmetric(reason: str) -> Remedy:
    """Kernels and biases that are seldom off for all inputs."""
    return Remedy({"kernel_initializer": "randomized_asymmetric"}, reason, "Lu et al. 2020, arXiv 1903.06733")


def random_walk(recipe: VariantParams, reason: str) -> Remedy:
    """Kernels of a gain without a drift, by the kind of unit."""
    gain = "relu" if recipe.activation.class_name == "relu" else "linear"
    overrides = {"kernel_initializer.class_name": "random_walk", "kernel_initializer.config.gain": gain}
    return Remedy(overrides, reason, "Sussillo & Abbott 2014, arXiv 1412.6558")


def pretrained(kind: str, reason: str) -> Remedy:
    """Layer by layer before epoch 0; `kind` is layer_wise or autoencoder."""
    return Remedy({"pretraining": kind}, reason, "Bengio et al. 2007; extra epochs")
