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

    A variable that an experiment creates, such as those of an optimizer of the model's own training step, is set to 0.
    """

    def __init__(self, model: keras.Model) -> None:
        """Keep the present state; an optimizer that has no variables yet gets them."""
        self._model = model
        if model.built and model.optimizer is not None and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        self._values = {id(each): np.array(each) for each in _variables(model)}
        self._random = random.getstate()
        self._numpy = np.random.get_state()
        self._global_seed = np.array(_global_generator().state)
        self._attributes: Attributes = {name: getattr(model, name, None) for name in COMPILED}

    def restore(self, is_last: bool = False) -> None:
        """Restore the values.

        Args:
            is_last: whether no experiment follows: the functions that Keras compiled are restored, too.
        """
        for each in _variables(self._model):
            value = self._values.get(id(each))
            each.assign(np.zeros(each.shape, np.array(each).dtype) if value is None else value)
        random.setstate(self._random)
        np.random.set_state(self._numpy)
        _global_generator().state.assign(self._global_seed)
        if is_last:
            for name, value in self._attributes.items():
                setattr(self._model, name, value)


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
