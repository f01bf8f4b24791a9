"""What keeps the callback cheap: one trace for any number of rows, fewer dear rows, and the limit of its time."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipeline.recorder.budget import seconds_after_start
from pipeline.recorder.dear_rows import FEWEST, probe_limit
from pipeline.recorder.layers import rows
from pipeline.recorder.one_trace import OneTrace
from pipeline.recorder.probe import Probe, Rows


class Calls(layers.Layer):
    """Counts how often Python calls it: once for each trace."""

    def __init__(self, count_rows: bool) -> None:
        super().__init__()
        self.count_rows = count_rows
        self.calls = 0

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the inputs, so that Keras makes no symbolic call."""
        return input_shape

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the inputs; `count_rows` needs the number of rows while the call is traced."""
        self.calls += 1
        if self.count_rows and inputs.shape[0] is None:
            raise ValueError("the number of rows is unknown")
        return inputs


@pytest.mark.parametrize(("count_rows", "traces"), [(False, 1), (True, 4)])  # the failed one counts, too
def test_one_trace_serves_any_number_of_rows_unless_the_model_needs_to_know_it(count_rows: bool, traces: int) -> None:
    counting = Calls(count_rows)
    model = keras.Sequential([keras.Input((3,)), counting, layers.Dense(1)])
    model.compile("sgd", "mse")
    probe = Probe(model, rows(model), histograms=False)
    inputs = np.random.default_rng(0).normal(size=(9, 3)).astype("float32")
    calls = counting.calls
    for count in (9, 4, 5):
        forward = probe.evaluate(probe.state(), Rows.of(inputs[:count], np.zeros(count, np.float32), None))
        expected = inputs[:count] @ model.weights[0].numpy()
        np.testing.assert_allclose(forward.outputs, expected, rtol=1e-5)
        assert forward.loss == pytest.approx((expected**2).mean(), rel=1e-5)
    assert counting.calls - calls == traces


def test_an_error_that_is_not_about_the_rows_comes_through() -> None:
    def fail(weights: list[tf.Tensor], states: list[tf.Tensor], data: Rows) -> tf.Tensor:
        raise ValueError("of the user's")

    with pytest.raises(ValueError, match="of the user's"):
        OneTrace(fail)([], [], Rows(tf.zeros((2, 1)), None, None))


def test_only_dear_rows_are_fewer() -> None:
    dense = keras.Sequential([keras.Input((20,)), layers.Dense(64, "relu"), layers.Dense(1)])
    pictures = keras.Sequential([keras.Input((16, 16, 1)), layers.Conv2D(8, 3), layers.Flatten(), layers.Dense(1)])
    steps = keras.Sequential([keras.Input((40, 4)), layers.LSTM(8), layers.Dense(1)])
    for model, limits in ((dense, [1024] * 3), (pictures, [FEWEST, 500, 1024]), (steps, [FEWEST, 500, 1024])):
        assert [probe_limit(model, count, 1024) for count in (2_000, 8_000, 60_000)] == limits
        assert probe_limit(model, None, 100) == 100


def test_the_start_counts_and_a_short_training_keeps_some_time() -> None:
    assert seconds_after_start(0.1, training=100, start=1) == pytest.approx(9)
    assert seconds_after_start(0.1, training=5, start=1) == pytest.approx(1)
    assert seconds_after_start(1e-9, training=5, start=1) == pytest.approx(1e-8)
