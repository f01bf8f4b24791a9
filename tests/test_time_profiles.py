"""Gradients by time step of recurrent layers: theory, an independent computation, and layers of every kind."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import recurrent_oracles as oracles
import tensorflow as tf
import xarray as xr
from keras import layers

from pipeline.history.time_profiles import MOST_STEPS, Reach, RecurrentCall, reach, with_time_profiles
from pipeline.recorder.layers import rows
from pipeline.recorder.probe import Probe, Rows

ROWS = 1000  # theory is about many rows
NORM = "gradient_norm_by_time"


class Measured:
    """The profiles of a model on some rows, by the recorder's probe, without a training."""

    def __init__(self, model: keras.Model, inputs: np.ndarray, targets: np.ndarray) -> None:
        if not model.compiled:
            model.compile("sgd", "mse")
        self.model = model
        self.probe = Probe(model, rows(model), histograms=False)
        self.data = Rows.of(inputs, targets, None)

    def __call__(self, **weights: np.ndarray) -> dict[str, np.ndarray]:
        """Return [call, step] by name, with other values of the weights of these names."""
        state = self.probe.state()
        for place, variable in enumerate(self.model.weights):
            if variable.name in weights:
                state[place] = tf.constant(weights[variable.name], tf.float32)
        return self.probe.measure(state, self.data, None)[1]

    @property
    def calls(self) -> list[RecurrentCall]:
        return self.probe.recurrence.calls


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def orthogonal(units: int) -> np.ndarray:
    return np.linalg.qr(noise(units, units, seed=5))[0].astype("float32")


# Theory


def test_a_linear_layer_keeps_the_norm_with_an_orthogonal_kernel_and_else_changes_it_by_the_spectral_radius() -> None:
    units, steps = 16, 100
    cell = layers.SimpleRNN(units, activation=None, kernel_initializer="identity", use_bias=False)
    measured = Measured(
        keras.Sequential([keras.Input((steps, units)), cell]), noise(ROWS, steps, units), noise(ROWS, units, seed=1)
    )
    kernel = orthogonal(units)
    norms = measured(recurrent_kernel=kernel)[NORM][0]
    np.testing.assert_allclose(norms / norms[-1], 1, rtol=2e-5)
    norms = measured(recurrent_kernel=0.8 * kernel)[NORM][0]
    np.testing.assert_allclose(np.diff(np.log(norms)), -np.log(0.8), rtol=1e-4)
    # A kernel that is not normal has the slope far back, where its largest eigenvalue alone is left.
    other = noise(units, units, seed=2)
    other *= 0.95 / np.abs(np.linalg.eigvals(other)).max()
    norms = measured(recurrent_kernel=other)[NORM][0]
    far = slice(0, steps - 40)
    slope = np.polyfit(np.arange(steps)[far], np.log(norms)[far], 1)[0]
    np.testing.assert_allclose(slope, -np.log(0.95), rtol=0.05)


def test_an_lstm_without_recurrent_kernel_forgets_by_the_sigmoid_of_its_bias() -> None:
    units, steps = 8, 30
    cell = layers.LSTM(units, recurrent_initializer="zeros")
    small = 1e-3 * noise(ROWS, steps, 4)
    measured = Measured(keras.Sequential([keras.Input((steps, 4)), cell]), small, noise(ROWS, units, seed=1))
    for forget in (-1.0, 1.0, 3.0):
        bias = np.zeros(4 * units, "float32")
        bias[units : 2 * units] = forget
        factors = np.exp(np.diff(np.log(measured(bias=bias)[NORM][0])))
        np.testing.assert_allclose(factors, 1 + np.exp(-forget), rtol=2e-3)


def test_chrono_biases_keep_the_gradient_within_two_and_a_half_decades_over_120_steps() -> None:
    """Over 16 draws of all weights, with 64 rows each; with a forget bias of 1, all of 3 draws lose more."""
    units, steps = 16, 120
    model = keras.Sequential([keras.Input((steps, 2)), layers.LSTM(units), layers.Dense(1)])
    measured, random = Measured(model, noise(64, steps, 2), noise(64, 1, seed=1)), np.random.default_rng(3)

    def decades(draw: int, enter: np.ndarray, forget: np.ndarray) -> float:
        biases = np.concatenate([enter, forget, np.zeros(2 * units)])
        kernel = keras.initializers.GlorotUniform(seed=draw)((2, 4 * units))
        recurrent = keras.initializers.Orthogonal(seed=draw + 100)((units, 4 * units))
        state = measured.probe.state()
        for place, value in enumerate((kernel, recurrent, biases)):  # the weights of the LSTM come first
            state[place] = tf.constant(np.asarray(value), tf.float32)
        norms = measured.probe.measure(state, measured.data, None)[1][NORM][0]
        return reach(measured.calls[0].steps, norms).decades

    chrono = [np.log(random.uniform(1, steps - 1, units)) for _ in range(16)]
    assert np.median([decades(draw, -forget, forget) for draw, forget in enumerate(chrono)]) <= 2.5
    assert min(decades(draw, np.zeros(units), np.ones(units)) for draw in range(3)) > 2.5


@pytest.mark.parametrize("initial", ["orthogonal", "glorot_uniform"])
def test_a_tanh_layer_is_as_an_independent_computation_says(initial: str) -> None:
    units, steps, features = 12, 40, 3
    keras.utils.set_random_seed(4)
    cell = layers.SimpleRNN(units, recurrent_initializer=initial, bias_initializer="normal")
    inputs, targets = 2 * noise(ROWS, steps, features), noise(ROWS, units, seed=1)
    found = Measured(keras.Sequential([keras.Input((steps, features)), cell]), inputs, targets)()
    gradients, states = oracles.simple(inputs, *map(np.asarray, cell.cell.weights), targets)
    np.testing.assert_allclose(found["gradient_by_time"][0], np.abs(gradients).mean(axis=(0, 2)), rtol=1e-4)
    np.testing.assert_allclose(found[NORM][0], np.linalg.norm(gradients, axis=2).mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(found["state_norm"][0], np.linalg.norm(states, axis=2).mean(axis=0), rtol=1e-5)
    every = ROWS // 64  # each so many rows measure the gates
    expected = (1 - states[::every] ** 2 < 0.06).mean(axis=(0, 2))
    assert expected.max() > 0.1
    np.testing.assert_allclose(found["saturated_gates"][0], expected, atol=0.002)


def test_gates_are_as_an_independent_computation_says() -> None:
    """Of an LSTM that reads rows of different lengths, and backwards; and of a GRU."""
    steps, features = 9, 3
    keras.utils.set_random_seed(2)
    mask = np.arange(steps) < np.array([9, 4, 1, 7, 9, 2] * 10)[:, None]
    inputs = np.where(mask[:, :, None], 6 * noise(60, steps, features), 0).astype("float32")
    start = keras.Input((steps, features))
    lstm, back, gru = layers.LSTM(5), layers.LSTM(5, go_backwards=True), layers.GRU(4)
    masked = layers.Masking()(start)
    ends = layers.Concatenate()([lstm(masked), back(masked), gru(start)])
    model = keras.Model(start, layers.Dense(1)(ends))
    model.compile("sgd", "mse", run_eagerly=True)
    found = Measured(model, inputs, noise(60, 1, seed=1))()

    def aligned(values: np.ndarray, read: np.ndarray) -> list[np.ndarray]:
        """Return by step the values of the rows that have it, each row aligned at its last step that is read."""
        last = [np.flatnonzero(row)[-1] for row in read]
        places = {step: [(row, end - step) for row, end in enumerate(last)] for step in reversed(range(steps))}
        return [
            np.stack([values[row, at] for row, at in pairs if at >= 0 and read[row, at]])
            if any(at >= 0 and read[row, at] for row, at in pairs)
            else values[:0, 0]
            for pairs in places.values()
        ]

    for number, (cell, read, x) in enumerate(((lstm, mask, inputs), (back, mask[:, ::-1], inputs[:, ::-1]))):
        gates, states = oracles.lstm_gates(x, *map(np.asarray, cell.cell.weights), read)
        expected = [oracles.saturated(each[:, None])[0] for each in aligned(gates, read)]
        assert 0.1 < np.mean(expected) < 0.9
        np.testing.assert_allclose(found["saturated_gates"][number], expected, atol=1e-6)
        norms = [np.linalg.norm(each, axis=1).mean() for each in aligned(states, read)]
        np.testing.assert_allclose(found["state_norm"][number], norms, rtol=1e-5)
    gates = oracles.gru_gates(inputs, *map(np.asarray, gru.cell.weights))
    np.testing.assert_allclose(found["saturated_gates"][2], oracles.saturated(gates), atol=1e-6)


# Layers of every kind


def test_padding_that_is_masked_changes_nothing_wherever_it_is() -> None:
    """Rows of 6 steps; the same with 5 masked steps before them, or behind them: three calls of one layer."""
    keras.utils.set_random_seed(1)
    starts, mask = [keras.Input((6, 2)), keras.Input((11, 2)), keras.Input((11, 2))], layers.Masking()
    cell, end = layers.GRU(4), layers.Dense(1)
    model = keras.Model(starts, [end(cell(start if place == 0 else mask(start))) for place, start in enumerate(starts)])
    model.compile("sgd", ["mse"] * 3, run_eagerly=True)
    inputs, targets = noise(20, 6, 2), noise(20, 1, seed=1)
    padded = [np.pad(inputs, ((0, 0), each, (0, 0))) for each in ((0, 0), (5, 0), (0, 5))]
    measured = Measured(model, padded, [targets] * 3)
    found = measured()
    lengths = [call.length for call in measured.calls]
    assert sorted(lengths) == [6, 11, 11]  # Keras chooses the order of the calls
    for name in ("gradient_by_time", NORM, "saturated_gates", "state_norm"):
        expected = found[name][lengths.index(6), :6]
        for values in (found[name][place] for place, length in enumerate(lengths) if length == 11):
            np.testing.assert_allclose(values[-6:], expected, rtol=1e-5, err_msg=name)
            assert np.isnan(values[:-6]).all()


def many_kinds() -> keras.Model:
    """A layer that is called twice, both directions, a stack of cells in `RNN`, a layer within another one."""
    start, other = keras.Input((7, 3)), keras.Input((5, 3))
    twice = layers.GRU(4, name="twice")
    both = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both")(start)
    cells = layers.RNN([layers.LSTMCell(3), layers.SimpleRNNCell(4)], name="cells")(both)
    framed = layers.TimeDistributed(layers.SimpleRNN(2), name="framed")(layers.Reshape((3, 7, 1))(start))
    ends = [twice(start), twice(other), cells, layers.Flatten()(framed)]
    return keras.Model([start, other], layers.Dense(1)(layers.Concatenate()(ends)))


@pytest.mark.long
def test_each_call_of_each_recurrent_layer_has_its_profile() -> None:
    keras.utils.clear_session(free_memory=False)
    measured = Measured(many_kinds(), [noise(24, 7, 3), noise(24, 5, 3, seed=1)], noise(24, 1, seed=2))
    found = measured()
    known = {call.path: call.length for call in measured.calls if "framed" not in call.path}
    assert known == {
        "twice/gru_cell": 7,
        "twice/gru_cell (call 2)": 5,
        "both/forward_lstm/lstm_cell": 7,
        "both/backward_lstm/lstm_cell": 7,
        "cells/stacked_rnn_cells/lstm_cell": 7,
    }
    for number, call in enumerate(measured.calls):
        assert (found[NORM][number, : call.length] > 0).all()
        assert np.isnan(found[NORM][number, call.length :]).all()
        assert np.isfinite(found["saturated_gates"][number, : call.length]).all() != call.path.startswith("cells")


def test_steps_of_a_long_sequence_are_thinned_and_small_gradients_are_no_zeros() -> None:
    cell = layers.SimpleRNN(8, activation=None, kernel_initializer="identity", use_bias=False)
    measured = Measured(keras.Sequential([keras.Input((331, 8)), cell]), noise(8, 331, 8), noise(8, 8, seed=1))
    norms = measured(recurrent_kernel=0.8 * np.eye(8))[NORM][0]
    steps = measured.calls[0].steps
    assert (len(steps), steps[0], steps[-1]) == (MOST_STEPS, 1, 331)
    np.testing.assert_allclose(np.log(norms), np.log(norms[-1]) + (331 - steps) * np.log(0.8), rtol=1e-3)
    assert norms[0] < 1e-30


# The record


def history(profiles: dict[str, np.ndarray], lengths: tuple[int, ...]) -> xr.Dataset:
    empty = xr.Dataset(coords={"replica": [0], "recorded_epoch": [0]})
    calls = [RecurrentCall(f"layer_{length}", length) for length in lengths]
    return with_time_profiles(empty, calls, {name: each[None, None] for name, each in profiles.items()})


def test_layers_of_different_lengths_share_an_axis_of_steps() -> None:
    values = np.full((2, 100), np.nan)
    values[0], values[1, :4] = np.arange(100), (7, 8, 9, 10)
    found = history({NORM: values}, (300, 4))
    assert found[NORM].dims == ("replica", "recorded_epoch", "recurrent", "time")
    assert found[NORM].sel(recurrent=2, time=[1, 2, 3, 4]).values.ravel().tolist() == [7, 8, 9, 10]
    assert np.isnan(found[NORM].sel(recurrent=2, time=300)).all()
    assert float(found[NORM].sel(recurrent=1, time=300).item()) == 99
    assert history({}, ()).equals(xr.Dataset(coords={"replica": [0], "recorded_epoch": [0]}))


@pytest.mark.parametrize(
    ("norms", "expected", "words"),
    [
        (lambda steps: 0.5 ** (120 - steps), Reach(111, 119 * np.log10(2), 0.5, 120), "halves every 1 steps"),
        (lambda steps: 0.5 ** (steps - 1.0), Reach(1, -119 * np.log10(2), 2.0, 120), "doubles every 1 steps"),
        (lambda steps: np.ones(120), Reach(1, 0.0, 1.0, 120), "hardly changes"),
        # Zero before step 101: nothing is known about its course there.
        (lambda steps: np.where(steps > 100, 10.0 ** (steps - 120), 0), Reach(117, 19, 0.1, 120), "halves every 0.3"),
        (lambda steps: np.where(steps > 60, np.nan, 1.0), Reach(1, 0.0, 1.0, 60), "hardly changes"),
    ],
)
def test_the_reach_of_a_profile(norms: Callable[[np.ndarray], np.ndarray], expected: Reach, words: str) -> None:
    steps = np.arange(1, 121)
    found = reach(steps, np.asarray(norms(steps), float))
    assert found is not None
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    assert words in found.in_words


@pytest.mark.parametrize("norms", [np.zeros(5), np.full(5, np.nan), np.array([np.nan, np.nan, 1, np.nan, np.nan])])
def test_without_two_steps_or_any_gradient_there_is_no_reach(norms: np.ndarray) -> None:
    assert reach(np.arange(1, 6), norms) is None
