"""Statistics of the gradients that the optimizer gets, against NumPy: dense and sparse, large and small, and XLA."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.recorder.guard import Guard
from pipeline.recorder.step_gradients import StepGradients

SHAPES = ((2, 5), (100, 100), (5, 5), (50, 4))


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "XLA"])
def test_as_numpy(compiled: bool) -> None:
    kernels = [keras.Variable(np.zeros(shape, "float32")) for shape in SHAPES]
    taken, random = StepGradients(lambda: kernels, compiled, lambda: None, Guard()), np.random.default_rng(0)
    gradients = [random.normal(size=shape).astype("float32") for shape in SHAPES[:3]]
    gradients[0][0, 0] = 0
    rows = random.normal(size=(3, 4)).astype("float32")
    sparse = tf.IndexedSlices(tf.constant(rows), tf.constant([1, 7, 1]), tf.constant([50, 4]))

    @tf.function(jit_compile=compiled, autograph=False)
    def step(*dense: tf.Tensor) -> None:
        taken._add([*dense, sparse], kernels)

    for _ in range(2):
        step(*map(tf.constant, gradients))
    every = [*gradients, np.asarray(tf.convert_to_tensor(sparse))]
    found = taken.read()
    np.testing.assert_allclose(found["gradient_mean_abs"], [np.abs(each).mean() for each in every], rtol=1e-5)
    np.testing.assert_allclose(found["gradient_norm"], [np.linalg.norm(each) for each in every], rtol=1e-5)
    np.testing.assert_allclose(found["gradient_zero_share"], [(each == 0).mean() for each in every], rtol=1e-5)
    # As of a slice of a kernel whose length a step knows only when it runs.
    unknown = tf.function(lambda gradient: taken._add([gradient, None, None, None], kernels), autograph=False)
    taken.restart(is_recorded=True)
    unknown.get_concrete_function(tf.TensorSpec((None, None)))(tf.constant(gradients[0]))
    np.testing.assert_allclose(taken.read()["gradient_norm"][0], np.linalg.norm(gradients[0]), rtol=1e-5)
    taken.restart(is_recorded=True)
    taken._add([None, tf.constant(gradients[1]), None, None], kernels)
    assert np.isnan(taken.read()["gradient_norm"]).tolist() == [True, False, True, True]
    taken.restart(is_recorded=False)  # sums stay as they are
    step(*map(tf.constant, gradients))
    assert np.isnan(taken.read()["gradient_norm"]).tolist() == [True, False, True, True]
