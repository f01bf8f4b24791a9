"""Define a remedy: what it changes in a Keras model and its `fit`, and in a variant of params.yaml.

The helper functions return the new values of a variant's parameters.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

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
LARGER_BATCH: Final = 4  # factor of the rows in a batch
ENOUGH_ROWS: Final = 32  # fewest rows of a larger batch: Wu & He 2018, from 32 rows on more rows do not help
PATIENCE: Final = 10  # epochs without improvement, the fewest for patient stopping
LONG_ROW: Final = 10  # times the median norm; of a million rows of normal numbers none is so long
CLIPPED_QUANTILE: Final = 0.01  # of each column's values, at both ends
IRNN_SPREAD: Final = 0.001  # standard deviation of an IRNN's input kernel (Le et al. 2015)
SHORTER_FIRST: Final = (0.25, 0.5)  # shares of the steps to train on before all steps
SHORTER_EPOCHS: Final = 5  # on each of these shares: together they cost less than four epochs on all steps
TRUNCATED: Final = 0.25  # share of the steps to keep

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
    changes_fit: whether the remedy changes batches, weights of rows, or when `fit` ends; a study has its own batches,
        no weights and equal epochs.
    """

    changes: str = ""
    overrides: Callable[[VariantParams, int], Overrides] | None = None
    source: str = ""
    learning_rate: float = 1.0
    epochs: float = 1.0
    sets_learning_rate: bool = False
    draws_weights: bool = False
    in_place: bool = True
    changes_fit: bool = False


def scaled_epochs(epochs: int, factor: float) -> int:
    """Return the epochs times a factor, rounded, at least 1."""
    return max(1, round(factor * epochs))


def fixed(**overrides: Value) -> Callable[[VariantParams, int], Overrides]:
    """Return a function that gives every variant the same overrides; `__` in a name stands for a dot."""
    dotted = {name.replace("__", "."): value for name, value in overrides.items()}
    return lambda variant, epochs: dotted


def times_learning_rate(factor: float, changes: str) -> Remedy:
    def overrides(variant: VariantParams, epochs: int) -> Overrides:
        rate = variant.optimizer.config.get("learning_rate")
        if not isinstance(rate, int | float):  # a schedule
            return {}
        return {"optimizer.config.learning_rate": float(f"{factor * rate:.12g}")}

    words = f"{changes} the learning rate, also in a schedule or `LearningRateScheduler`"
    return Remedy(words, overrides, "Smith 2017, arXiv 1506.01186", factor)


def times_epochs(factor: float, changes: str, source: str) -> Remedy:
    def overrides(variant: VariantParams, epochs: int) -> Overrides:
        return {"training.epochs": scaled_epochs(epochs, factor)}

    return Remedy(f"{changes} the epochs; in a study's cell: `epochs`", overrides, source, epochs=factor)


def clipped(variant: VariantParams, epochs: int) -> Overrides:
    is_clipped = {"clipnorm", "global_clipnorm", "clipvalue"} & variant.optimizer.config.keys()
    return {} if is_clipped else {"optimizer.config.global_clipnorm": CLIPPED}


def residual(variant: VariantParams, epochs: int) -> Overrides:
    """Add skip connections with batch normalisation, as in He et al.

    Without batch normalisation, the output of twenty such layers is too large for any learning rate. A skip connection
    needs layers of equal width. The first hidden layer never has one.
    """
    has_pairs = variant.hidden_layers > 1 and len(set(variant.widths)) == 1
    return {"residual": True, "batch_normalization": True} if has_pairs else {}


def wider(variant: VariantParams, epochs: int) -> Overrides:
    units = variant.units
    return {"units": WIDER * units if isinstance(units, int) else [WIDER * width for width in units]}


def fresh_kernels(variant: VariantParams, epochs: int) -> Overrides:
    hidden: Overrides = {"kernel_initializer": "glorot_uniform"}
    is_output_fresh = variant.output_kernel_initializer.class_name.replace("_", "").lower() == "glorotuniform"
    return hidden if is_output_fresh else {**hidden, "output_kernel_initializer": "glorot_uniform"}


def random_walk(variant: VariantParams, epochs: int) -> Overrides:
    gain = "relu" if variant.activation.class_name == "relu" else "linear"
    return {"kernel_initializer.class_name": "random_walk", "kernel_initializer.config.gain": gain}
