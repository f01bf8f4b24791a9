"""The registry of remedies: changes that may help a network that does not learn, by name.

This module needs no Keras. For each remedy that any Keras model can have, `on_keras/` has a function of the same name
that applies it. The rows of the causes in `diagnosis/rules/` say which remedies are suggested, and why.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.foundations.errors import UserError
from pipeline.params.file import one_of
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.study_params import Cell
from pipeline.params.variant_params import VariantParams

Value = bool | int | float | str | list[int] | dict[str, str | dict[str, float]]
# New values of a variant's parameters, by dotted name; parameters of other sections begin with `training.` or `split.`.
Overrides = Mapping[str, Value]

WIDER: Final = 4  # factor of the units: fixed 5 of 6 failing runs of the benchmark; a factor of 2 fixed at most 3
DROPPED: Final = 0.5  # share of units that dropout sets to 0 (Srivastava et al. 2014)
PENALTY: Final = 0.001  # factor of the L2 penalty, in the middle of the usual 0.0001 to 0.01
CLIPPED: Final = 1.0  # greatest global norm of the gradient (Pascanu et al. 2013: near the usual norm)
ADAM_RATE: Final = 0.001  # learning rate of Adam (Kingma & Ba 2015)
MOMENTUM: Final = 0.9  # of the averages in batch normalisation; Keras's default 0.99 needs some 500 steps to settle
LEAK: Final = 0.2  # slope of leaky ReLU below 0, Keras's default
ENOUGH_EPOCHS: Final = 4  # factor of the epochs

PASCANU: Final = "Pascanu et al. 2013, arXiv 1211.5063"
LECUN: Final = "LeCun et al. 1998, Efficient BackProp"
BENGIO: Final = "Bengio et al. 2007; extra epochs"


@dataclass(frozen=True)
class Remedy:
    """A remedy, without the causes that it is suggested against.

    changes: what changes in a Keras model and its `fit`, in words; "" if only variants of params.yaml can have it.
    overrides: a function of a resolved variant and its epochs that returns the new values of parameters; an empty map
        if the change does not apply. None if variants have no parameter for the change.
    source: the publication.
    learning_rate: the factor of the learning rate; the factors of several remedies multiply.
    epochs: the factor of the epochs; the factors of several remedies multiply.
    sets_learning_rate: whether the remedy replaces the learning rate.
    draws_weights: whether the remedy draws all weights again; it is then applied before remedies that change weights.
    in_place: whether the model object stays the same, as it must in a user's script.
    """

    changes: str = ""
    overrides: Callable[[VariantParams, int], Overrides] | None = None
    source: str = ""
    learning_rate: float = 1.0
    epochs: float = 1.0
    sets_learning_rate: bool = False
    draws_weights: bool = False
    in_place: bool = True


def scaled_epochs(epochs: int, factor: float) -> int:
    """Return the epochs times a factor, rounded, at least 1."""
    return max(1, round(factor * epochs))


def _fixed(**overrides: Value) -> Callable[[VariantParams, int], Overrides]:
    """Return a function that gives every variant the same overrides; `__` in a name stands for a dot."""
    dotted = {name.replace("__", "."): value for name, value in overrides.items()}
    return lambda variant, epochs: dotted


def _times_learning_rate(factor: float, changes: str) -> Remedy:
    def overrides(variant: VariantParams, epochs: int) -> Overrides:
        rate = variant.optimizer.config.get("learning_rate")
        if not isinstance(rate, int | float):  # a schedule
            return {}
        return {"optimizer.config.learning_rate": float(f"{factor * rate:.12g}")}

    words = f"{changes} the learning rate, also in a schedule or `LearningRateScheduler`"
    return Remedy(words, overrides, "Smith 2017, arXiv 1506.01186", factor)


def _times_epochs(factor: float, changes: str, source: str) -> Remedy:
    def overrides(variant: VariantParams, epochs: int) -> Overrides:
        return {"training.epochs": scaled_epochs(epochs, factor)}

    return Remedy(f"{changes} the epochs; in a study's cell: `epochs`", overrides, source, epochs=factor)


def _clipped(variant: VariantParams, epochs: int) -> Overrides:
    is_clipped = {"clipnorm", "global_clipnorm", "clipvalue"} & variant.optimizer.config.keys()
    return {} if is_clipped else {"optimizer.config.global_clipnorm": CLIPPED}


def _residual(variant: VariantParams, epochs: int) -> Overrides:
    """Add skip connections with batch normalisation, as in He et al.

    Without batch normalisation, the output of twenty such layers is too large for any learning rate. A skip connection
    needs layers of equal width. The first hidden layer never has one.
    """
    has_pairs = variant.hidden_layers > 1 and len(set(variant.widths)) == 1
    return {"residual": True, "batch_normalization": True} if has_pairs else {}


def _wider(variant: VariantParams, epochs: int) -> Overrides:
    units = variant.units
    return {"units": WIDER * units if isinstance(units, int) else [WIDER * width for width in units]}


def _fresh_kernels(variant: VariantParams, epochs: int) -> Overrides:
    hidden: Overrides = {"kernel_initializer": "glorot_uniform"}
    is_output_fresh = variant.output_kernel_initializer.class_name.replace("_", "").lower() == "glorotuniform"
    return hidden if is_output_fresh else {**hidden, "output_kernel_initializer": "glorot_uniform"}


def _random_walk(variant: VariantParams, epochs: int) -> Overrides:
    gain = "relu" if variant.activation.class_name == "relu" else "linear"
    return {"kernel_initializer.class_name": "random_walk", "kernel_initializer.config.gain": gain}


REMEDIES: Final[Mapping[str, Remedy]] = {
    # Steps
    "smaller_steps": _times_learning_rate(0.1, "a tenth of"),
    "much_smaller_steps": _times_learning_rate(0.01, "a hundredth of"),
    "larger_steps": _times_learning_rate(10, "ten times"),
    "much_larger_steps": _times_learning_rate(100, "a hundred times"),
    "adam": Remedy(
        f"Adam at {ADAM_RATE} instead of the optimizer",
        _fixed(optimizer="Adam"),
        "Kingma & Ba 2015, arXiv 1412.6980",
        sets_learning_rate=True,
    ),
    "clipped_gradients": Remedy(f"`global_clipnorm={CLIPPED}` in the optimizer", _clipped, PASCANU),
    "longer": _times_epochs(ENOUGH_EPOCHS, "four times", "the history itself"),
    "shorter": _times_epochs(1 / ENOUGH_EPOCHS, "a quarter of", "Prechelt 1998"),
    # Data
    "finite_rows": Remedy("rows with a NaN or infinite number are dropped"),
    "scaled_inputs": Remedy(
        "inputs scaled to mean 0 and standard deviation 1 over the training rows, by the last dimension; not for ids",
        _fixed(split__scale__inputs="standard"),
        LECUN,
    ),
    "scaled_targets": Remedy(
        "targets scaled to mean 0 and standard deviation 1 over the training rows; not for classes",
        _fixed(split__scale__targets="standard"),
        LECUN,
    ),
    "class_weights": Remedy("`class_weight`: all rows / (number of classes * rows of the class)"),
    # The model
    "fitting_output": Remedy("output activation and loss that fit the targets, if the output has enough units"),
    "fresh_kernels": Remedy(
        "kernels drawn again from `glorot_uniform`, recurrent ones from `orthogonal`, and biases 0, in all layers",
        _fresh_kernels,
        "Glorot & Bengio 2010",
    ),
    "orthogonal_kernels": Remedy("", _fixed(kernel_initializer="orthogonal"), "Saxe et al. 2013, arXiv 1312.6120"),
    "asymmetric_kernels": Remedy(
        "", _fixed(kernel_initializer="randomized_asymmetric"), "Lu et al. 2020, arXiv 1903.06733"
    ),
    "random_walk_kernels": Remedy("", _random_walk, "Sussillo & Abbott 2014, arXiv 1412.6558"),
    "layer_wise_pretraining": Remedy("", _fixed(pretraining="layer_wise"), BENGIO),
    "autoencoder_pretraining": Remedy("", _fixed(pretraining="autoencoder"), BENGIO),
    "trained_layers": Remedy("all layers trainable, and compiled again"),
    "leaky_units": Remedy(
        "leaky relu, not relu, in hidden layers", _fixed(activation="leaky_relu"), "Maas et al. 2013"
    ),
    "elu_units": Remedy("", _fixed(activation="elu"), "Clevert et al. 2016, arXiv 1511.07289"),
    "rectified_units": Remedy(
        "relu instead of sigmoid and tanh in hidden layers, with kernels from `he_normal`",
        _fixed(activation="relu", kernel_initializer="he_uniform"),
        "He et al. 2015, arXiv 1502.01852",
    ),
    "bounded_cells": Remedy("tanh in recurrent layers that have an unbounded activation"),
    "quicker_statistics": Remedy(f"`momentum={MOMENTUM}` in batch normalisation"),
    "weight_penalty": Remedy(
        f"an L2 penalty of {PENALTY} on kernels without one",
        _fixed(kernel_regularizer={"class_name": "L2", "config": {"l2": PENALTY}}),
        "Krogh & Hertz 1992",
    ),
    # Another graph
    "batch_normalization": Remedy(
        "batch normalisation between hidden layers and their activations",
        _fixed(batch_normalization=True),
        "Ioffe & Szegedy 2015, arXiv 1502.03167",
        in_place=False,
    ),
    "residual": Remedy(
        "batch normalisation as above, and skip connections around hidden layers whose input and output shapes are "
        "equal",
        _residual,
        "He et al. 2015, arXiv 1512.03385",
        in_place=False,
    ),
    "dropout": Remedy(f"`Dropout({DROPPED})` after each hidden layer", in_place=False),
    "wider_layers": Remedy(
        f"{WIDER} times the units of hidden layers, with all weights drawn again",
        _wider,
        "Hanin 2018, arXiv 1801.03744",
        draws_weights=True,
        in_place=False,
    ),
}


def for_any_model() -> tuple[str, ...]:
    """Return the names of the remedies that can be applied to any Keras model."""
    return tuple(name for name, remedy in REMEDIES.items() if remedy.changes)


def expect_known(cells: Iterable[Cell]) -> None:
    """Check the names of remedies in the cells of a study.

    A remedy that changes the epochs is rejected, because a cell states its `epochs` directly.

    Raises:
        UserError: a name is not that of a remedy for any Keras model.
    """
    allowed = [name for name in for_any_model() if REMEDIES[name].epochs == 1]
    for cell in cells:
        for name in cell.variant.remedy if isinstance(cell.variant, NetworkRecipe) else ():
            if name not in allowed:
                raise UserError(f"{cell.path}.remedy: {name}: {one_of(allowed, name)}")
