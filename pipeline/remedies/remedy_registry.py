"""The registry of remedies: changes that may help a network that does not learn, by name.

This module needs no Keras. For each remedy that any Keras model can have, `on_keras/` has a function of the same name
that applies it. The rows of the causes in `diagnosis/rules/` say which remedies are suggested, and why.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from pipeline.foundations.errors import UserError
from pipeline.params.file import one_of
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.study_params import Cell
from pipeline.remedies.remedy import (
    ADAM_RATE,
    BENGIO,
    CLIPPED,
    CLIPPED_QUANTILE,
    DROPPED,
    ENOUGH_EPOCHS,
    ENOUGH_ROWS,
    IRNN_SPREAD,
    LARGER_BATCH,
    LECUN,
    LONG_ROW,
    MOMENTUM,
    PASCANU,
    PATIENCE,
    PENALTY,
    SHORTER_EPOCHS,
    WIDER,
    Remedy,
    clipped,
    fixed,
    fresh_kernels,
    random_walk,
    residual,
    times_epochs,
    times_learning_rate,
    wider,
)

REMEDIES: Final[Mapping[str, Remedy]] = {
    # Steps
    "smaller_steps": times_learning_rate(0.1, "a tenth of"),
    "much_smaller_steps": times_learning_rate(0.01, "a hundredth of"),
    "larger_steps": times_learning_rate(10, "ten times"),
    "much_larger_steps": times_learning_rate(100, "a hundred times"),
    "adam": Remedy(
        f"Adam at {ADAM_RATE} instead of the optimizer",
        fixed(optimizer="Adam"),
        "Kingma & Ba 2015, arXiv 1412.6980",
        sets_learning_rate=True,
    ),
    "clipped_gradients": Remedy(f"`global_clipnorm={CLIPPED}` in the optimizer", clipped, PASCANU),
    "longer": times_epochs(ENOUGH_EPOCHS, "four times", "the history itself"),
    "shorter": times_epochs(1 / ENOUGH_EPOCHS, "a quarter of", "Prechelt 1998"),
    "step_each_batch": Remedy(
        "no `gradient_accumulation_steps` in the optimizer, so that each batch changes the weights"
    ),
    "unscaled_loss": Remedy(
        "no loss scaling in the optimizer, where the model's own `train_step` does not scale its loss",
        source="Micikevicius et al. 2018, arXiv 1710.03740",
    ),
    # Schedules, and the end of a training
    "constant_rate": Remedy(
        "the first or greatest learning rate throughout, without schedule, `LearningRateScheduler` and "
        "`ReduceLROnPlateau`",
    ),
    "stretched_schedule": Remedy(
        "the schedule stretched, so that it ends with the training",
        source="Li et al. 2020, arXiv 1905.04753",
        changes_fit=True,
    ),
    "no_early_stopping": Remedy("no `EarlyStopping`", changes_fit=True),
    "patient_stopping": Remedy(
        f"`EarlyStopping` with ten times the patience, at least {PATIENCE} epochs, `min_delta=0` and "
        "`restore_best_weights=True`",
        source="Prechelt 1998",
        changes_fit=True,
    ),
    # Batches
    "shuffled_rows": Remedy(
        "rows shuffled in each epoch, also those of a `tf.data.Dataset`",
        source="Bengio 2012, arXiv 1206.5533",
        changes_fit=True,
    ),
    "rows_in_order": Remedy("rows in their order, for recurrent layers that keep their states", changes_fit=True),
    "larger_batches": Remedy(
        f"{LARGER_BATCH} times the rows in a batch, at least {ENOUGH_ROWS}",
        source="Wu & He 2018, arXiv 1803.08494",
        changes_fit=True,
    ),
    "shuffled_split": Remedy("rows shuffled once before `validation_split` takes the last ones", changes_fit=True),
    # Data
    "finite_rows": Remedy("rows with a NaN or infinite number are dropped"),
    "scaled_inputs": Remedy(
        "inputs scaled to mean 0 and standard deviation 1 over the training rows, by the last dimension; not for ids",
        fixed(split__scale__inputs="standard"),
        LECUN,
    ),
    "scaled_targets": Remedy(
        "targets scaled to mean 0 and standard deviation 1 over the training rows; not for classes",
        fixed(split__scale__targets="standard"),
        LECUN,
    ),
    "class_weights": Remedy("`class_weight`: all rows / (number of classes * rows of the class)"),
    "unit_weights": Remedy("`sample_weight` divided by its mean", changes_fit=True),
    "no_weights": Remedy("no `sample_weight` and no `class_weight`", changes_fit=True),
    "no_long_rows": Remedy(f"training rows longer than {LONG_ROW} times the median row are dropped"),
    "clipped_columns": Remedy(
        f"inputs clipped at the {100 * CLIPPED_QUANTILE:g}% and {100 - 100 * CLIPPED_QUANTILE:g}% quantiles of the "
        "training rows, by the last dimension; not for ids",
        source="Tukey 1962, The Future of Data Analysis",
    ),
    "padding_in_front": Remedy("sequences with their padding in front, not at the end"),
    # The model
    "fitting_output": Remedy("output activation and loss that fit the targets, if the output has enough units"),
    "fresh_kernels": Remedy(
        "kernels drawn again from `glorot_uniform`, recurrent ones from `orthogonal`, and biases 0, in all layers",
        fresh_kernels,
        "Glorot & Bengio 2010",
    ),
    "orthogonal_kernels": Remedy("", fixed(kernel_initializer="orthogonal"), "Saxe et al. 2013, arXiv 1312.6120"),
    "asymmetric_kernels": Remedy(
        "", fixed(kernel_initializer="randomized_asymmetric"), "Lu et al. 2020, arXiv 1903.06733"
    ),
    "random_walk_kernels": Remedy("", random_walk, "Sussillo & Abbott 2014, arXiv 1412.6558"),
    "layer_wise_pretraining": Remedy("", fixed(pretraining="layer_wise"), BENGIO),
    "autoencoder_pretraining": Remedy("", fixed(pretraining="autoencoder"), BENGIO),
    "trained_layers": Remedy("all layers trainable, and compiled again"),
    "leaky_units": Remedy("leaky relu, not relu, in hidden layers", fixed(activation="leaky_relu"), "Maas et al. 2013"),
    "elu_units": Remedy("", fixed(activation="elu"), "Clevert et al. 2016, arXiv 1511.07289"),
    "rectified_units": Remedy(
        "relu instead of sigmoid and tanh in hidden layers, with kernels from `he_normal`",
        fixed(activation="relu", kernel_initializer="he_uniform"),
        "He et al. 2015, arXiv 1502.01852",
    ),
    "bounded_cells": Remedy("tanh in recurrent layers that have an unbounded activation"),
    "quicker_statistics": Remedy(f"`momentum={MOMENTUM}` in batch normalisation"),
    "weight_penalty": Remedy(
        f"an L2 penalty of {PENALTY} on kernels without one",
        fixed(kernel_regularizer={"class_name": "L2", "config": {"l2": PENALTY}}),
        "Krogh & Hertz 1992",
    ),
    "no_penalties": Remedy("no regularizer of kernels, biases and activities"),
    "no_weight_decay": Remedy("no `weight_decay` in the optimizer"),
    "no_dropout": Remedy("dropout and noise of 0, also in recurrent layers"),
    "stateless_layers": Remedy("`stateful=False` in recurrent layers"),
    "masked_padding": Remedy(
        "`mask_zero=True` in embeddings; without an embedding a `Masking` layer first, which needs another model"
    ),
    # Recurrent layers
    "chrono_bias": Remedy(
        "forget biases of LSTM layers, and update biases of GRU layers, drawn as log U(1, steps - 1); an LSTM's input "
        "biases get the opposite sign",
        source="Tallec & Ollivier 2018, arXiv 1804.11188",
    ),
    "orthogonal_recurrent": Remedy(
        "recurrent kernels drawn from `orthogonal`", source="Saxe et al. 2013, arXiv 1312.6120"
    ),
    "identity_recurrent": Remedy(
        f"relu in simple recurrent layers, with the identity as recurrent kernel, input kernels from a normal "
        f"distribution of standard deviation {IRNN_SPREAD}, and biases 0",
        source="Le et al. 2015, arXiv 1504.00941",
    ),
    "gated_cell": Remedy(
        "`GRU` instead of `SimpleRNN` layers", source="Cho et al. 2014, arXiv 1406.1078", in_place=False
    ),
    "mean_over_time": Remedy(
        "the mean of a recurrent layer's outputs over time, not its last output",
        source="Raffel & Ellis 2015, arXiv 1512.08756",
        in_place=False,
    ),
    "shorter_sequences_first": Remedy(
        f"{SHORTER_EPOCHS} epochs on the last quarter of the steps and {SHORTER_EPOCHS} on the last half, before `fit`",
        source="Zaremba & Sutskever 2014, arXiv 1410.4615; extra epochs",
    ),
    "truncated_sequences": Remedy("the last quarter of the steps of each sequence as inputs"),
    # Another graph
    "batch_normalization": Remedy(
        "batch normalisation between hidden layers and their activations",
        fixed(batch_normalization=True),
        "Ioffe & Szegedy 2015, arXiv 1502.03167",
        in_place=False,
    ),
    "residual": Remedy(
        "batch normalisation between hidden layers and their activations, and skip connections around hidden layers "
        "whose input and output shapes are equal",
        residual,
        "He et al. 2015, arXiv 1512.03385",
        in_place=False,
    ),
    "dropout": Remedy(f"`Dropout({DROPPED})` after each hidden layer", in_place=False),
    "wider_layers": Remedy(
        f"{WIDER} times the units of hidden layers, with all weights drawn again",
        wider,
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

    A remedy that changes epochs or batches is rejected, because a cell states its `epochs` and `batch_size` directly.

    Raises:
        UserError: a name is not that of a remedy for any Keras model.
    """
    allowed = [name for name in for_any_model() if REMEDIES[name].epochs == 1 and not REMEDIES[name].changes_fit]
    for cell in cells:
        for name in cell.variant.remedy if isinstance(cell.variant, NetworkRecipe) else ():
            if name not in allowed:
                raise UserError(f"{cell.path}.remedy: {name}: {one_of(allowed, name)}")
