"""Apply remedies to any Keras model, by their names in the registry.

Most remedies change layers, weights and optimizer of the caller's model in place. A remedy that needs another graph
replaces the trial's model; unchanged layers keep their weights. Such remedies apply only if `Trial.may_rebuild`.

This module imports TensorFlow but leaves the user's settings as they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import keras
import numpy as np

from pipeline.remedies.on_keras import (
    keras_batches,
    keras_data,
    keras_graph,
    keras_layers,
    keras_penalties,
    keras_recurrent,
    keras_rows,
    keras_schedules,
    keras_steps,
)
from pipeline.remedies.on_keras.keras_compile import compile_again, compile_arguments, is_traced
from pipeline.remedies.on_keras.trial import TRAIN, InapplicableError, KerasRemedy, Trial, in_short
from pipeline.remedies.remedy_registry import REMEDIES

MODULES: Final = (
    *(keras_steps, keras_schedules, keras_batches, keras_data, keras_rows, keras_layers, keras_penalties, keras_graph),
    keras_recurrent,
)
# Remedies that change the learning rate or the epochs follow from their factors; the others are functions of that name.
KERAS_REMEDIES: Final[Mapping[str, KerasRemedy]] = {
    **{
        name: keras_steps.times_learning_rate(remedy.learning_rate)
        for name, remedy in REMEDIES.items()
        if remedy.learning_rate != 1
    },
    **{name: keras_steps.times_epochs(remedy.epochs) for name, remedy in REMEDIES.items() if remedy.epochs != 1},
    **{name: function for module in MODULES for name, function in vars(module).items() if name in REMEDIES},
}


def apply(names: Sequence[str], trial: Trial) -> str:
    """Apply remedies to a trial; those that draw all weights again are applied first.

    Returns:
        What a user must change in the code for the same effect.

    Raises:
        InapplicableError: a remedy cannot be applied, or has nothing to change.
    """
    if not trial.model.built and TRAIN in trial.parts:
        with suppress(Exception):  # `fit` reports the fault with a better message
            trial.model(keras.tree.map_structure(lambda leaf: np.asarray(leaf)[:1], trial.parts[TRAIN][0]))
    in_order = sorted(names, key=lambda name: not REMEDIES[name].draws_weights)
    with _inapplicable_if_it_fails():
        changes = "; ".join(["; ".join(KERAS_REMEDIES[name](trial)) for name in in_order])
        if is_traced(trial.model):
            compile_again(trial.model)
    return changes


def inapplicable(trial: Trial, was_traced: bool) -> dict[str, str]:
    """Return the remedies that cannot be applied, each with the reason. The trial does not change.

    Args:
        was_traced: whether the model was trained before. Every remedy must then compile it again.
    """
    reasons: dict[str, str] = {}
    for name, remedy in KERAS_REMEDIES.items():
        try:
            with _inapplicable_if_it_fails():
                next(remedy(trial))
                if was_traced:
                    compile_arguments(trial.model)
        except InapplicableError as error:
            reasons[name] = str(error)
    return reasons


@contextmanager
def _inapplicable_if_it_fails() -> Iterator[None]:
    """Turn any error into InapplicableError, so that an error of a user's model does not stop other remedies."""
    try:
        yield
    except InapplicableError:
        raise
    except Exception as error:
        raise InapplicableError(f"it fails on this model ({type(error).__name__}: {in_short(error)})") from error
