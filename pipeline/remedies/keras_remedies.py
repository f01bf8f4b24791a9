"""Do remedies to any Keras model, by the names of the registry.

Layers, weights and optimizer are changed in place, so the caller's model is the changed one. A remedy that needs
another graph replaces the model by another one, with the same weights where layers stay; not every caller can take one.

Imports TensorFlow as the user has set it up, and sets nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import keras
import numpy as np

from pipeline.remedies import keras_data, keras_graph, keras_layers, keras_steps
from pipeline.remedies.keras_compile import compile_again, compile_arguments, is_traced
from pipeline.remedies.registry import REMEDIES
from pipeline.remedies.trial import TRAIN, InapplicableError, KerasRemedy, Trial, in_short

# A remedy of the learning rate or the epochs is its factor; of the others, the function of the same name.
KERAS_REMEDIES: Final[Mapping[str, KerasRemedy]] = {
    **{
        name: keras_steps.times_learning_rate(remedy.learning_rate)
        for name, remedy in REMEDIES.items()
        if remedy.learning_rate != 1
    },
    **{name: keras_steps.times_epochs(remedy.epochs) for name, remedy in REMEDIES.items() if remedy.epochs != 1},
    **{
        name: function
        for module in (keras_steps, keras_data, keras_layers, keras_graph)
        for name, function in vars(module).items()
        if name in REMEDIES
    },
}


def apply(names: Sequence[str], trial: Trial) -> str:
    """Do remedies one after the other, first those that draw all weights again.

    Returns:
        What to change in the code to keep it.

    Raises:
        InapplicableError: one cannot be done, or there is nothing to change.
    """
    if not trial.model.built and TRAIN in trial.parts:
        with suppress(Exception):  # `fit` gives the better message
            trial.model(keras.tree.map_structure(lambda leaf: np.asarray(leaf)[:1], trial.parts[TRAIN][0]))
    in_order = sorted(names, key=lambda name: not REMEDIES[name].draws_weights)
    with _inapplicable_if_it_fails():
        changes = "; ".join(["; ".join(KERAS_REMEDIES[name](trial)) for name in in_order])
        if is_traced(trial.model):
            compile_again(trial.model)
    return changes


def inapplicable(trial: Trial, was_traced: bool) -> dict[str, str]:
    """Return why a remedy cannot be done, for each remedy that cannot; nothing is changed.

    Args:
        was_traced: whether the model was trained before, so that each remedy must compile it again.
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
    """Turn any failure into InapplicableError: a user's model may do anything, and the other remedies go on."""
    try:
        yield
    except InapplicableError:
        raise
    except Exception as error:
        raise InapplicableError(f"it fails on this model ({type(error).__name__}: {in_short(error)})") from error
