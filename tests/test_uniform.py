"""Test the drawing of Keras's uniform initialisers without Keras: all bits are the same."""

import numpy as np
import pytest

from pipeline.foundations.tensorflow import keras
from pipeline.models import uniform
from pipeline.params.variant_params import KerasObject

SEEDS = np.array([[0, 1, 7], [2**31 - 2, 2**31 - 1, 2**32 - 1]])  # Keras wraps the last ones around


@pytest.mark.parametrize("shape", [(2, 5), (5, 5), (5, 1), (7, 3), (40, 30)])
@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("he_uniform", {}),
        ("HeUniform", {}),
        ("glorot_uniform", {}),
        ("LecunUniform", {}),
        ("RandomUniform", {"minval": 0.0, "maxval": 1.0}),
        ("random_uniform", {"minval": -0.3, "maxval": 0.1}),
    ],
)
def test_draws_equal_those_of_keras_to_the_bit(name: str, config: dict, shape: tuple[int, int]) -> None:
    drawn = uniform.draw(uniform.limits(KerasObject(class_name=name, config=config), shape), shape, SEEDS)
    assert (drawn.dtype, drawn.shape) == (np.float32, (2, 3, *shape))
    for place in np.ndindex(2, 3):
        own = keras.initializers.get({"class_name": name, "config": {**config, "seed": int(SEEDS[place])}})
        np.testing.assert_array_equal(drawn[place], np.asarray(own(shape)))


@pytest.mark.parametrize(
    "spec",
    [
        {"class_name": "he_normal"},
        {"class_name": "orthogonal"},
        {"class_name": "random_walk", "config": {"gain": "relu"}},
        {"class_name": "he_uniform", "config": {"seed": 3}},
        {"class_name": "RandomUniform", "config": {"minval": "low", "maxval": 1.0}},
        {"class_name": "RandomUniform", "config": {"maxval": True, "minval": 0.0}},
        {"class_name": "RandomUniform"},
        {"class_name": "no_such"},
    ],
    ids=str,
)
def test_other_initialisers_are_left_to_keras(spec: dict) -> None:
    assert uniform.limits(KerasObject.model_validate(spec), (2, 5)) is None
