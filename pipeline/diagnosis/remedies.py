"""What to change, in order of promise, as overrides of the variant's parameters. Suggestions until they are tried.

For each cause a list; a remedy that the variant has taken already is passed over. Against dead layers the order is that
of what was tried: the study `remedies` of params.yaml, on ReLU networks of 20 hidden layers of 5 units, with what did
not help there at the end. For the other causes it is the literature's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SAID = 4  # remedies in a sentence; tables have all


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


def suggest(cause: str, recipe: Mapping[str, Any], epochs: int) -> list[Remedy]:
    """Remedies for a cause, most promising first.

    Args:
        recipe: the resolved variant. epochs: of the training.
    """
    return [remedy for remedy in _ALL[cause](recipe, epochs) if not _taken(remedy, recipe)]


def helps(remedies: Sequence[Remedy]) -> str:
    """ " Most likely to help: ...", the first few; nothing where there are none."""
    listed = "; ".join(map(str, remedies[:SAID]))
    return f" Most likely to help: {listed}." if listed else ""


def _taken(remedy: Remedy, recipe: Mapping[str, Any]) -> bool:
    return all(_plain(_present(recipe, key)) == _plain(value) for key, value in remedy.overrides.items())


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


def _normalised(reason: str) -> Remedy:
    return Remedy({"batch_normalization": True}, reason, "Ioffe & Szegedy 2015, arXiv 1502.03167")


def _residual(recipe: Mapping[str, Any], reason: str) -> Iterator[Remedy]:
    """With normalisation, as He's: alone, what leaves twenty such layers has grown beyond any learning rate."""
    if recipe["hidden_layers"] > 1:  # no path goes around the first
        overrides = {"residual": True, "batch_normalization": True}
        yield Remedy(overrides, reason, "He et al. 2015, arXiv 1512.03385")


def _pretrained(kind: str, reason: str) -> Remedy:
    return Remedy({"pretraining": kind}, reason, "Bengio et al. 2007; extra epochs")


def _smaller_steps(recipe: Mapping[str, Any], reason: str, source: str) -> Iterator[Remedy]:
    rate = recipe["optimizer"]["config"].get("learning_rate")
    if isinstance(rate, int | float):
        yield Remedy({"optimizer.config.learning_rate": rate / 10}, reason, source)


def _exploding(recipe: Mapping[str, Any], epochs: int) -> Iterator[Remedy]:
    yield from _smaller_steps(recipe, "smaller steps do not run away", "Pascanu et al. 2013, arXiv 1211.5063")
    if not {"clipnorm", "global_clipnorm", "clipvalue"} & recipe["optimizer"]["config"].keys():
        yield Remedy({"optimizer.config.global_clipnorm": 1.0}, "no gradient is longer than 1", "Pascanu et al. 2013")
    yield Remedy({"kernel_initializer": "glorot_uniform"}, "signals keep their scale", "Glorot & Bengio 2010")
    yield _normalised("each layer's signals are brought back to one scale")


def _never_off() -> Iterator[Remedy]:
    yield Remedy({"activation": "elu"}, "its slope is never 0", "Clevert et al. 2016, arXiv 1511.07289")
    yield Remedy({"activation": "leaky_relu"}, "no unit is ever off for good", "Maas et al. 2013")


def _born_dead(recipe: Mapping[str, Any], epochs: int) -> Iterator[Remedy]:
    wider = 2 * recipe["units"]
    yield from _residual(recipe, "a path leads around a dead layer")
    reason = f"a layer is born dead with probability of at most 2^-{wider}, not 2^-{recipe['units']}"
    yield Remedy({"units": wider}, reason, "Lu et al. 2020, arXiv 1903.06733")
    yield from _never_off()
    asymmetric = {"kernel_initializer": "randomized_asymmetric"}
    yield Remedy(asymmetric, "one positive entry a unit keeps it on for some input", "Lu et al. 2020, arXiv 1903.06733")


def _died(recipe: Mapping[str, Any], epochs: int) -> Iterator[Remedy]:
    yield from _residual(recipe, "a path leads around a dead layer")
    yield Remedy({"units": 2 * recipe["units"]}, "all units of a wider layer seldom die together", "Lu et al. 2020")
    yield from _never_off()
    yield from _smaller_steps(recipe, "a step too large can turn off a whole layer", "Lu et al. 2020")


def _saturated(recipe: Mapping[str, Any], epochs: int) -> Iterator[Remedy]:
    both = {"kernel_initializer": "glorot_uniform", "output_kernel_initializer": "glorot_uniform"}
    yield Remedy(
        both, "symmetric kernels of the right scale keep units where they have a slope", "Glorot & Bengio 2010"
    )
    rectified = {"activation": "relu", "kernel_initializer": "he_uniform"}
    yield Remedy(rectified, "it does not saturate; mind dead layers", "He et al. 2015, arXiv 1502.01852")
    yield _normalised("units are brought back to where they have a slope")


def _vanishing(recipe: Mapping[str, Any], epochs: int) -> Iterator[Remedy]:
    rectified = {"activation": "relu", "kernel_initializer": "he_uniform"}
    yield Remedy(rectified, "a slope of 1 passes the error on", "He et al. 2015, arXiv 1502.01852")
    reason = f"gradients spread with depth over width: {2 * recipe['units']} units halve it"
    yield Remedy({"units": 2 * recipe["units"]}, reason, "Hanin 2018, arXiv 1801.03744")
    yield Remedy(
        {"optimizer": "Adam"}, "its steps do not shrink with the gradient", "Kingma & Ba 2015, arXiv 1412.6980"
    )
    yield Remedy({"kernel_initializer": "orthogonal"}, "keeps lengths exactly", "Saxe et al. 2013, arXiv 1312.6120")
    yield from _residual(recipe, "an identity path passes the error on undiminished")
    yield _normalised("each layer's signals are brought back to one scale")
    gain = "relu" if recipe["activation"]["class_name"] == "relu" else "linear"
    walk = {"kernel_initializer.class_name": "random_walk", "kernel_initializer.config.gain": gain}
    yield Remedy(walk, "the gradient's length has no drift", "Sussillo & Abbott 2014, arXiv 1412.6558")
    yield _pretrained("layer_wise", "each layer learns while it is next to the output")


def _slow(recipe: Mapping[str, Any], epochs: int) -> Iterator[Remedy]:
    yield Remedy({"training.epochs": 4 * epochs}, "its loss still falls at the end", "the history itself")
    yield Remedy({"optimizer": "Adam"}, "longer steps where gradients are small", "Kingma & Ba 2015, arXiv 1412.6980")


def _stuck(recipe: Mapping[str, Any], epochs: int) -> Iterator[Remedy]:
    yield Remedy({"units": 2 * recipe["units"]}, "more ways out, and more to represent", "Hanin 2018, arXiv 1801.03744")
    yield Remedy({"optimizer": "Adam"}, "leaves plateaus sooner", "Kingma & Ba 2015, arXiv 1412.6980")
    yield Remedy(
        {"activation": "relu", "kernel_initializer": "he_uniform"}, "another surface of the loss", "He et al. 2015"
    )
    yield _pretrained("autoencoder", "starts from features of the inputs")


_ALL = {
    "exploding": _exploding,
    "born_dead": _born_dead,
    "died_in_training": _died,
    "saturated": _saturated,
    "vanishing": _vanishing,
    "slow": _slow,
    "stuck": _stuck,
}
