"""Keep the state of a model and of the random generators, and restore it after an experiment."""

import random
from typing import Final

import keras
import numpy as np

from pipeline.foundations.untyped import Attributes
from pipeline.recorder.layers import every_layer, optimizers, states

COMPILED: Final = ("train_function", "test_function", "predict_function", "stop_training", "history")


class ModelState:
    """The values of a model's weights, optimizers, metrics, seeds and layer states, and of the random generators.

    Weights that an experiment creates are left alone. Other variables that it creates, such as those of an optimizer in
    the model's own training step, get the value that Keras gives them at first.
    """

    def __init__(self, model: keras.Model) -> None:
        """Keep the present state; the optimizer of Keras's own training step gets its variables now."""
        self._model = model
        if model.built and model.optimizer is not None and not model.optimizer.built and has_keras_step(model):
            model.optimizer.build(model.trainable_variables)
        self._values = {id(each): np.copy(np.asarray(each)) for each in _variables(model)}
        self._first_value = float(getattr(model.optimizer, "initial_accumulator_value", 0.0))
        self._random = random.getstate()
        self._numpy = np.random.get_state()
        self._global_seed = np.copy(np.asarray(_global_generator().state))
        self._attributes: Attributes = {name: getattr(model, name, None) for name in COMPILED}

    @property
    def has_all_weights(self) -> bool:
        """Whether no weight was created since."""
        return all(id(each) in self._values for each in self._model.weights)

    def restore(self, is_last: bool = False) -> None:
        """Restore the values.

        Args:
            is_last: whether no experiment follows: the functions that Keras compiled are restored, too.
        """
        weights = {id(each) for each in self._model.weights}
        for each in _variables(self._model):
            if id(each) in self._values:
                each.assign(self._values[id(each)])
            elif id(each) not in weights:
                each.assign(np.full(each.shape, self._first_value, np.asarray(each).dtype))
        random.setstate(self._random)
        np.random.set_state(self._numpy)
        _global_generator().state.assign(self._global_seed)
        if is_last:
            for name, value in self._attributes.items():
                setattr(self._model, name, value)


def has_keras_step(model: keras.Model) -> bool:
    """Return whether the model has Keras's own training step."""
    return type(model).train_step is keras.Model.train_step


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Return all variables of a model that a training step may change, each once."""
    seeds = [
        value.state
        for layer in every_layer(model)
        for value in vars(layer).values()
        if isinstance(value, keras.random.SeedGenerator)
    ]
    metrics = [variable for metric in model.metrics for variable in metric.variables]
    taken = [variable for each in optimizers(model) for variable in each.variables]
    every = [*model.variables, *seeds, *metrics, *taken, *states(model)]
    return list({id(each): each for each in every}.values())


def _global_generator() -> keras.random.SeedGenerator:
    from keras.src.random.seed_generator import global_seed_generator  # Keras has no public name for it

    generator: keras.random.SeedGenerator = global_seed_generator()
    return generator
