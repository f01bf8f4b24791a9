"""Test the remedies for recurrent layers: what each changes in a model, what it keeps, and where it does not apply."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from watched_models import compiled, dense

from pipeline.remedies.on_keras.keras_compile import is_traced, remembering_compile
from pipeline.remedies.on_keras.keras_remedies import apply, inapplicable
from pipeline.remedies.on_keras.trial import TRAIN, InapplicableError, Trial

STEPS, UNITS = 12, 4
INPUTS = np.random.default_rng(0).normal(size=(48, STEPS, 2)).astype("float32")
LABELS = (INPUTS[:, -1, 0] > 0).astype("int32")
NAMES = (
    *("chrono_bias", "orthogonal_recurrent", "identity_recurrent", "gated_cell", "mean_over_time"),
    *("shorter_sequences_first", "truncated_sequences"),
)


def trial(*recurrent: layers.Layer, steps: int | None = STEPS, may_rebuild: bool = True, **arguments: Any) -> Trial:
    """Return the trial of a model with these layers and a sigmoid unit."""
    model = keras.Sequential([keras.Input((steps, 2)), *recurrent, layers.Dense(1, "sigmoid")])
    parts = {TRAIN: (INPUTS, LABELS), "test": (INPUTS[:8], None)}
    # Eager, because tracing a loop over steps takes far longer than these few steps.
    return Trial(compiled(model, run_eagerly=True), parts, {"epochs": 2, **arguments}, may_rebuild)


def applied(name: str, made: Trial) -> keras.Model:
    """Apply a remedy, and return the model."""
    with remembering_compile():
        words = apply([name], made)
    assert words
    assert not words.endswith(".")
    assert made.model.compiled
    assert np.isfinite(made.model(made.data[0])).all()
    return made.model


def test_chrono_biases_fit_the_length_of_the_sequences() -> None:
    keras.utils.set_random_seed(1)
    made = trial(layers.LSTM(200))
    others = np.array(made.model.layers[0].cell.bias)[400:]
    inputs, forget, candidate, output = np.split(np.array(applied("chrono_bias", made).layers[0].cell.bias), 4)
    np.testing.assert_array_equal(inputs, -forget)
    np.testing.assert_array_equal(np.concatenate([candidate, output]), others)
    # exp(bias) is uniform from 1 to 11, so its mean is 6 with a standard error of 0.2.
    assert (np.exp(forget).min(), np.exp(forget).max()) == pytest.approx((1, STEPS - 1), abs=0.3)
    assert np.exp(forget).mean() == pytest.approx(6, abs=0.8)


def test_chrono_biases_of_a_gru_are_those_of_its_update_gate() -> None:
    bias = np.array(applied("chrono_bias", trial(layers.GRU(UNITS))).layers[0].cell.bias)
    assert (bias[0, :UNITS] > 0).all()
    assert not bias[0, UNITS:].any()
    assert not bias[1].any()


def test_an_orthogonal_recurrent_kernel_keeps_lengths() -> None:
    model = applied("orthogonal_recurrent", trial(layers.SimpleRNN(UNITS, recurrent_initializer="glorot_uniform")))
    kernel = np.array(model.layers[0].cell.recurrent_kernel)
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(UNITS), atol=1e-5)


def test_an_identity_kernel_copies_the_state() -> None:
    model = applied("identity_recurrent", trial(layers.SimpleRNN(UNITS)))
    cell = model.layers[0].cell
    np.testing.assert_array_equal(cell.recurrent_kernel, np.eye(UNITS))
    assert 0 < np.abs(cell.kernel).max() < 0.01
    assert not np.any(cell.bias)
    assert model.layers[0].get_config()["activation"] == "relu"  # so a saved model has it, too


@pytest.mark.parametrize("wrap", [lambda layer: layer, layers.Bidirectional])
def test_a_gru_replaces_a_simple_layer_and_the_others_keep_their_weights(
    wrap: Callable[[layers.Layer], layers.Layer],
) -> None:
    made = trial(wrap(layers.SimpleRNN(UNITS, return_sequences=True)), layers.LSTM(UNITS))
    before = [each.get_weights() for each in made.model.layers[1:]]
    model = applied("gated_cell", made)
    replacement = model.layers[-3]
    gru = getattr(replacement, "forward_layer", replacement)
    assert isinstance(gru, layers.GRU)
    assert (gru.units, gru.return_sequences) == (UNITS, True)
    after = [each.get_weights() for each in model.layers[-2:]]
    keras.tree.map_structure(np.testing.assert_array_equal, before, after)


@pytest.mark.parametrize("wrap", [lambda layer: layer, layers.Bidirectional])
def test_the_mean_over_time_is_that_of_the_same_layers_outputs(wrap: Callable[[layers.Layer], layers.Layer]) -> None:
    made = trial(wrap(layers.GRU(UNITS)))
    layer, output = made.model.layers
    model = applied("mean_over_time", made)
    for each in (layer, getattr(layer, "forward_layer", layer), getattr(layer, "backward_layer", layer)):
        each.return_sequences = True
    expected = output(keras.ops.mean(layer(INPUTS), axis=1))
    np.testing.assert_allclose(model(INPUTS), expected, rtol=1e-5)


@pytest.mark.parametrize("steps", [STEPS, None])
def test_shorter_sequences_come_before_fit_and_change_only_weights(steps: int | None) -> None:
    made = trial(layers.SimpleRNN(UNITS), steps=steps, may_rebuild=False, batch_size=48)
    model, before = made.model, made.model.get_weights()
    with remembering_compile():
        words = apply(["shorter_sequences_first"], made)
    assert words == "`model.fit(..., epochs=5)` on `x[:, -3:]`, then on `x[:, -6:]`, before `fit` on all steps"
    assert made.model is model
    assert not is_traced(model)
    assert made.data[0].shape == INPUTS.shape
    assert all((one != other).any() for one, other in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("steps", [STEPS, None])
def test_truncated_sequences_are_the_last_steps_in_all_parts(steps: int | None) -> None:
    made = trial(layers.LSTM(UNITS), steps=steps, may_rebuild=steps is not None)
    before = np.array(keras.Sequential(made.model.layers)(INPUTS[:8, -3:]))
    model = applied("truncated_sequences", made)
    np.testing.assert_array_equal(made.parts[TRAIN][0], INPUTS[:, -3:])
    np.testing.assert_allclose(model(made.parts["test"][0]), before, rtol=1e-5)


PADDED = np.where(np.arange(STEPS)[:, None] < 6, INPUTS, 0)
REFUSED: dict[str, tuple[str, Callable[[], Trial], str]] = {
    **{name: (name, lambda: Trial(dense()[0], {TRAIN: dense()[1:]}, {}, True), "recurrent") for name in NAMES},
    "gates": ("chrono_bias", lambda: trial(layers.SimpleRNN(UNITS)), "it has no LSTM or GRU layer with biases"),
    "orthogonal": ("orthogonal_recurrent", lambda: trial(layers.LSTM(UNITS)), "are orthogonal already"),
    "gated": ("identity_recurrent", lambda: trial(layers.LSTM(UNITS)), "it has no simple recurrent layer"),
    "script": ("gated_cell", lambda: trial(layers.SimpleRNN(UNITS), may_rebuild=False), "it needs another model"),
    "fixed": ("truncated_sequences", lambda: trial(layers.GRU(UNITS), may_rebuild=False), "it needs another model"),
    "every step": (
        "mean_over_time",
        lambda: trial(layers.GRU(UNITS, return_sequences=True), layers.Flatten()),
        "no recurrent layer passes on its last step alone",
    ),
    "weights": (
        "shorter_sequences_first",
        lambda: trial(layers.GRU(UNITS), sample_weight=np.ones(48)),
        "its rows have weights",
    ),
    "padding": (
        "truncated_sequences",
        lambda: Trial(trial(layers.GRU(UNITS)).model, {TRAIN: (PADDED, LABELS)}, {}, True),
        "its rows have padding at their end",
    ),
    "targets": (
        "truncated_sequences",
        lambda: Trial(trial(layers.GRU(UNITS)).model, {TRAIN: (INPUTS, INPUTS)}, {}, True),
        "its targets have time steps, too",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_remedy_that_does_not_apply_gives_the_reason(kind: str) -> None:
    name, make, reason = REFUSED[kind]
    with remembering_compile():
        made = make()
        assert reason in inapplicable(made, was_traced=False)[name]
        with pytest.raises(InapplicableError, match=reason):
            apply([name], made)


def test_no_feed_forward_remedy_changes_a_recurrent_layer() -> None:
    """Not even one with relu, where leaky relu would let the state grow."""
    with remembering_compile():
        reasons = inapplicable(trial(layers.SimpleRNN(UNITS, activation="relu")), was_traced=False)
    feed_forward = {"batch_normalization", "residual", "rectified_units", "leaky_units", "wider_layers", "dropout"}
    assert feed_forward <= set(reasons)
