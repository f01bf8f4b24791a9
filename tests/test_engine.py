"""Test the stacked engine: a replica is the same alone or with others, and the same as Keras would train it."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from conftest import ReportKeeper, training, variant
from oracles import Traced, assert_close, engine, initial, keras_steps, measured, stacked_steps

from examples import BINARY
from pipeline.data.split.samples import Split
from pipeline.foundations.seeds import Shuffles
from pipeline.foundations.tensorflow import keras
from pipeline.history import record
from pipeline.history.record import Layer
from pipeline.history.recorded_epochs import is_recorded
from pipeline.models import keras_objects
from pipeline.models.network import Network, build
from pipeline.params.variant_params import KerasObject
from pipeline.training.common.train_replicas import Trained, stacked, train
from pipeline.training.common.trainer import curve_names
from pipeline.training.stacked import objectives
from pipeline.training.stacked.forward import Forward
from pipeline.training.stacked.measuring import Measures

# An adaptive optimizer, one with weight decay, and one with a state that all entries share. The slow tests have all
# others, and further tests here have SGD.
QUICK_OPTIMIZERS = ("AdamW", "Nadam")
OPTIMIZER_CONFIGS = {"Adadelta": {"learning_rate": 1.0}, "Ftrl": {"learning_rate": 0.1}}


@pytest.fixture(scope="module")
def traced(circles: Split) -> Traced:
    """Return the trainer of the recipe."""
    return Traced(variant(), circles, training())


@pytest.fixture(scope="module")
def whole(traced: Traced) -> Trained:
    """Return the training of five replicas in one chunk."""
    return traced.train(training(replicas=5, chunk=5))


@pytest.fixture(scope="module")
def anew(circles: Split) -> Traced:
    """Return a second trainer of the same recipe, which shares nothing with the first."""
    return Traced(variant(), circles, training())


@pytest.fixture(scope="module")
def small(circles: Split) -> tuple[Network, dict[str, np.ndarray], np.ndarray]:
    """Return a smooth network; for replicas 0, 1 and 2, also their initial weights and the orders of an epoch."""
    network = build(variant(hidden_layers=1, activation="tanh", kernel_initializer="glorot_uniform"), 2, BINARY, "v")
    return network, initial(network, [0, 1, 2]), Shuffles(7, [0, 1, 2], len(circles.train)).next_epochs(1)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK_OPTIMIZERS else pytest.mark.slow)
        for name in keras_objects.EXACT_OPTIMIZERS
    ],
)
def test_an_epoch_takes_the_same_steps_as_keras_for_every_exact_optimizer(
    name: str, small: tuple, circles: Split
) -> None:
    spec = KerasObject(class_name=name, config=OPTIMIZER_CONFIGS.get(name, {"learning_rate": 0.05}))
    network, stacks, orders = small
    ours = stacked_steps(network, stacks, spec, circles, orders)
    optimizer, _ = keras_objects.optimizer(spec, "optimizer")
    assert_close(ours, keras_steps(network, stacks, optimizer, circles, orders))
    for row in range(3):
        assert any((ours[path][row] != stacks[path][row]).any() for path in stacks)


@pytest.fixture(scope="module")
def unclipped(small: tuple, circles: Split) -> dict[str, np.ndarray]:
    """Return the weights after an epoch of large steps."""
    network, stacks, orders = small
    return keras_steps(network, stacks, keras.optimizers.SGD(0.5), circles, orders)


@pytest.mark.slow
@pytest.mark.parametrize(
    "option", [{"clipnorm": 0.05}, {"global_clipnorm": 0.05}, pytest.param({"clipvalue": 0.01}, marks=pytest.mark.slow)]
)
def test_each_replica_is_clipped_by_its_own_norm(
    option: dict[str, float], small: tuple, unclipped: dict[str, np.ndarray], circles: Split
) -> None:
    config = {"learning_rate": 0.5, **option}
    network, stacks, orders = small
    clipped = stacked_steps(network, stacks, KerasObject(class_name="SGD", config=config), circles, orders)
    alone = keras_steps(network, stacks, keras.optimizers.SGD(**config), circles, orders)
    assert_close(clipped, alone)
    for row in range(3):
        assert np.abs(alone["output/kernel"] - unclipped["output/kernel"])[row].max() > 1e-3


@pytest.mark.slow
def test_a_replica_is_the_same_trained_alone_or_with_others(whole: Trained, traced: Traced) -> None:
    alone = traced.train(training(chunk=1), replicas=[3, 0, 4])
    assert_close({path: stack[[3, 0, 4]] for path, stack in whole.weights.items()}, alone.weights)
    xr.testing.assert_allclose(whole.history.isel(replica=[3, 0, 4]), alone.history, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_chunks_change_no_replica_and_progress_is_reported_after_every_epoch_of_each(
    whole: Trained, traced: Traced
) -> None:
    observer = ReportKeeper()
    chunked = traced.train(training(replicas=5, chunk=2), observers=[observer])
    assert observer.epochs == [(replicas, epoch) for replicas in (2, 2, 1) for epoch in range(4)]
    assert_close(whole.weights, chunked.weights)
    assert (chunked.history.replica.values == np.arange(5)).all()
    xr.testing.assert_allclose(whole.predictions, chunked.predictions, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_permuting_the_replicas_permutes_the_results(whole: Trained, traced: Traced) -> None:
    back = traced.train(training(chunk=5), replicas=[2, 0, 1, 4, 3])
    assert_close({path: stack[[2, 0, 1, 4, 3]] for path, stack in whole.weights.items()}, back.weights)
    assert (back.history.replica.values == [2, 0, 1, 4, 3]).all()


@pytest.mark.slow
def test_measuring_changes_no_weight_by_a_bit(whole: Trained, traced: Traced, circles: Split) -> None:
    seldom, always = traced.train(training(replicas=5, chunk=5, record_every=100)), whole
    assert seldom.history.recorded_epoch.values.tolist() == [0, 3]
    assert always.history.recorded_epoch.values.tolist() == [0, 1, 2, 3]
    for path, stack in seldom.weights.items():
        assert (stack == always.weights[path]).all()
    for name in curve_names(circles):
        np.testing.assert_array_equal(seldom.history[name], always.history[name])
    for name in record.LAYER_VALUES:
        last = [each.history[name].isel(recorded_epoch=-1).values for each in (seldom, always)]
        np.testing.assert_array_equal(*last)


@pytest.mark.slow
def test_a_second_training_is_the_same_to_the_bit(whole: Trained, traced: Traced, anew: Traced) -> None:
    for trainer in (anew, traced):
        again = trainer.train(training(replicas=5, chunk=5))
        xr.testing.assert_identical(whole.history, again.history)
        xr.testing.assert_identical(whole.predictions, again.predictions)
        assert all((stack == again.weights[path]).all() for path, stack in whole.weights.items())


def test_more_epochs_do_not_change_earlier_epochs(whole: Trained, traced: Traced) -> None:
    long = traced.train(training(replicas=5, chunk=5, epochs=5))
    np.testing.assert_array_equal(whole.history.train_loss, long.history.train_loss.isel(epoch=slice(4)))


@pytest.mark.slow
def test_gradients_are_those_of_finite_differences_in_float64(circles: Split) -> None:
    """The probe's mean |g| of every kernel is compared with central differences of a NumPy network."""
    network = build(variant(activation="tanh", kernel_initializer="glorot_uniform"), 2, BINARY, "v")
    stacks = initial(network, [3])
    actual = measured(network, circles, stacks)["probe_gradient_mean_abs"][0]
    weights = {path: stack[0].astype(np.float64) for path, stack in stacks.items()}

    def loss() -> float:
        signal = circles.train.inputs
        for layer in ("hidden_01", "hidden_02"):
            signal = np.tanh(signal @ weights[f"{layer}/kernel"] + weights[f"{layer}/bias"])
        logits = (signal @ weights["output/kernel"] + weights["output/bias"])[:, 0]
        return float(np.mean(np.logaddexp(0, logits) - circles.train.targets * logits))

    expected = [mean_abs_difference(loss, weights[path]) for path in network.kernels]
    np.testing.assert_allclose(actual, expected, rtol=1e-4)


def mean_abs_difference(loss: Callable[[], float], kernel: np.ndarray, step: float = 1e-5) -> float:
    slopes = []
    for index in np.ndindex(kernel.shape):
        kept = kernel[index]
        ends = []
        for sign in (1, -1):
            kernel[index] = kept + sign * step
            ends.append(loss())
        kernel[index] = kept
        slopes.append((ends[0] - ends[1]) / (2 * step))
    return float(np.mean(np.abs(slopes)))


@pytest.mark.slow
def test_the_recorded_gradients_are_those_before_each_step(circles: Split) -> None:
    """With one batch per epoch and plain SGD, the gradient is the change divided by the learning rate."""
    optimizer = KerasObject(class_name="SGD", config={"learning_rate": 0.5})
    recipe, params = variant(optimizer=optimizer), training(epochs=1, batch_size=52)
    result = train(recipe, "v", circles, params, choose=stacked)
    first = result.history.isel(recorded_epoch=1)
    network = build(variant(), 2, BINARY, "v")
    start = initial(network, [0, 1, 2, 3])
    gradients = [(start[path] - result.weights[path]).reshape(4, -1) / 0.5 for path in network.kernels]
    for name, oracle in {
        "gradient_mean_abs": lambda g: np.abs(g).mean(axis=1),
        "gradient_norm": lambda g: np.linalg.norm(g, axis=1),
        "gradient_zero_share": lambda g: (g == 0).mean(axis=1),
        "weight_change_l1": lambda g: 0.5 * np.abs(g).sum(axis=1),
    }.items():
        expected = np.stack([oracle(gradient) for gradient in gradients], axis=1)
        np.testing.assert_allclose(first[name], expected, rtol=1e-4, atol=1e-6, err_msg=name)
    # The one batch holds all samples, so its gradient equals the probe's gradient at the state before.
    probe = result.history.probe_gradient_mean_abs.isel(recorded_epoch=0)
    np.testing.assert_allclose(first.gradient_mean_abs, probe, rtol=1e-4, atol=1e-7)
    l1 = np.stack([np.abs(result.weights[path]).sum(axis=(1, 2)) for path in network.kernels], axis=1)
    np.testing.assert_allclose(first.weight_l1, l1, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [pytest.param({}, marks=pytest.mark.slow), {"batch_normalization": True, "residual": True}],
    ids=str,
)
def test_curves_and_predictions_equal_those_of_keras(changes: dict, whole: Trained, circles: Split) -> None:
    result = train(variant(**changes), "v", circles, training(), choose=stacked) if changes else whole
    model = build(variant(**changes), 2, BINARY, "v").model
    model.compile(loss="binary_crossentropy", metrics=["accuracy"])
    for row in (0, 3):
        for variable in model.variables:
            variable.assign(result.weights[variable.path][row])
        final = result.history.isel(replica=row, epoch=-1)
        for part, points in (("train", circles.train), ("test", circles.test)):
            loss, accuracy = model.evaluate(points.inputs, points.targets[:, None], batch_size=100, verbose=0)
            assert float(final[f"{part}_loss"]) == pytest.approx(loss, rel=1e-4)
            assert float(final[f"{part}_accuracy"]) == pytest.approx(accuracy, abs=1e-6)
            predicted = model.predict(points.inputs, verbose=0)[:, 0]
            recorded = result.predictions[f"{part}_prediction"].isel(replica=row, output=0)
            np.testing.assert_allclose(predicted, recorded, rtol=1e-5, atol=1e-6)
        x1, x2 = result.predictions.x1.values, result.predictions.x2.values
        corner = model.predict(np.array([[x1[0], x2[-1]]]), verbose=0)[0, 0]
        assert float(result.predictions.surface.isel(replica=row, x1=0, x2=-1, output=0)) == pytest.approx(
            corner, abs=1e-5
        )


@pytest.mark.slow
def test_no_epochs_record_the_untrained_networks(traced: Traced) -> None:
    result = traced.train(training(epochs=0, replicas=5, chunk=5))
    assert (result.history.sizes["epoch"], result.history.sizes["recorded_epoch"]) == (1, 1)
    assert np.isnan(result.history.gradient_mean_abs).all()
    assert np.isfinite(result.history.probe_gradient_mean_abs).all()
    start = initial(build(variant(), 2, BINARY, "v"), [0, 1, 2, 3, 4])
    assert all((start[path] == stack).all() for path, stack in result.weights.items())


@pytest.mark.parametrize(
    "batch_size", [13, pytest.param(26, marks=pytest.mark.slow), pytest.param(52, marks=pytest.mark.slow), 100]
)
def test_any_batch_size_works(batch_size: int, small: tuple, circles: Split) -> None:
    network, stacks, orders = small
    chunk = engine(network, circles, stacks, variant().optimizer, batch_size)
    for _ in range(2):
        before = chunk.stacks(chunk.state)
        values = chunk.train_epoch(orders, record=True)
        assert all(np.isfinite(each).all() for each in values.values())
        assert ((before["output/kernel"] != chunk.stacks(chunk.state)["output/kernel"]).any(axis=(1, 2))).all()


@pytest.mark.slow
def test_a_diverged_replica_does_not_affect_others(circles: Split) -> None:
    network = build(variant(), 2, BINARY, "v")
    stacks = initial(network, [0, 1, 2])
    spoiled = {path: stack.copy() for path, stack in stacks.items()}
    spoiled["hidden_01/kernel"][1, 0, 0] = np.nan
    orders = Shuffles(7, [0, 1, 2], len(circles.train)).next_epochs(1)[0]
    chunk = engine(network, circles, stacks, variant().optimizer)
    values, ended = [chunk.train_epoch(orders, record=True)], [chunk.stacks(chunk.state)]
    chunk.restart(spoiled, objectives.of_task(circles.task, circles.train))
    values.append(chunk.train_epoch(orders, record=True))
    ended.append(chunk.stacks(chunk.state))
    for others in (0, 2):
        for key in values[0]:
            np.testing.assert_array_equal(values[0][key][others], values[1][key][others])
        for path, stack in ended[0].items():
            np.testing.assert_array_equal(stack[others], ended[1][path][others])
    measures = Measures(Forward(network), circles, histograms=True)
    assert np.isnan(measures.curves(chunk.state)["train_loss"].numpy()).tolist() == [False, True, False]


@pytest.mark.slow
def test_a_dead_layer_is_recorded_and_a_tanh_at_zero_is_not_dead(circles: Split) -> None:
    for activation, dead in (("relu", 1), ("tanh", 0)):
        network = build(variant(activation=activation), 2, BINARY, "v")
        stacks = {path: stack.copy() for path, stack in initial(network, [0, 1]).items()}
        stacks["hidden_02/kernel"][1] = 0.0
        stacks["hidden_02/bias"][1] = -1.0 if activation == "relu" else 0.0
        values = measured(network, circles, stacks)
        assert values["dead"].astype(int).tolist() == [[0, 0, 0], [0, dead, 0]]
        assert values["dead_unit_share"][1, 1] == dead
        if dead:  # no gradient passes below it, and the output layer gets zeros
            assert values["probe_gradient_mean_abs"][1].tolist() == [0, 0, 0]


def with_batch_normalisation() -> Network:
    """Return a variant with a state that is not trained, and an activation with weights."""
    return build(variant(batch_normalization=True, activation="PReLU"), 2, BINARY, "v")


@pytest.mark.slow
def test_batch_normalisation_and_weighted_activations_follow_keras(circles: Split) -> None:
    network = with_batch_normalisation()
    stacks = initial(network, [0, 1])
    orders = Shuffles(7, [0, 1], len(circles.train)).next_epochs(1)[0]
    chunk = engine(network, circles, stacks, variant().optimizer)
    chunk.train_epoch(orders, record=True)
    together = chunk.stacks(chunk.state)
    for number in (1, 2):
        moved = [together[f"hidden_{number:02d}_normalisation/moving_{name}"] for name in ("mean", "variance")]
        assert all((value != start).all() for value, start in zip(moved, (0, 1), strict=True))
    assert_close(together, keras_steps(network, stacks, keras.optimizers.SGD(0.1, momentum=0.9), circles, orders))
    assert measured(network, circles, together)["dead"].tolist() == [[False, False, False]] * 2


@pytest.mark.slow
def test_residual_connections_follow_keras(circles: Split) -> None:
    network = build(variant(residual=True, hidden_layers=3), 2, BINARY, "v")
    stacks = initial(network, [0, 1])
    orders = Shuffles(7, [0, 1], len(circles.train)).next_epochs(1)[0]
    together = stacked_steps(network, stacks, variant().optimizer, circles, orders)
    assert_close(together, keras_steps(network, stacks, keras.optimizers.SGD(0.1, momentum=0.9), circles, orders))


@pytest.mark.slow
def test_a_dead_layer_with_a_skip_connection_blocks_no_gradient(circles: Split) -> None:
    for residual in (False, True):
        network = build(variant(residual=residual, hidden_layers=3), 2, BINARY, "v")
        stacks = {path: stack.copy() for path, stack in initial(network, [0]).items()}
        stacks["hidden_02/kernel"][:] = 0.0
        stacks["hidden_02/bias"][:] = -1.0
        values = measured(network, circles, stacks)
        assert values["dead"].tolist() == [[False, True, not residual, False]]
        assert (values["probe_gradient_mean_abs"][0, 0] > 0) == residual
        assert values["probe_gradient_mean_abs"][0, 1] == 0


@pytest.mark.slow
def test_probes_update_no_statistics(circles: Split) -> None:
    network = with_batch_normalisation()
    chunk = engine(network, circles, initial(network, [0, 1]), variant().optimizer)
    measures, before = Measures(Forward(network), circles, histograms=True), chunk.stacks(chunk.state)
    for _ in range(2):
        curves, _ = measures.all(chunk.state)
        np.testing.assert_array_equal(curves["train_loss"], measures.curves(chunk.state)["train_loss"])
    after = chunk.stacks(chunk.state)
    assert all((before[path] == after[path]).all() for path in before)


@pytest.mark.parametrize(
    ("first", "every", "expected"),
    [(0, 1, [0, 1, 2, 3, 4, 5, 6, 7]), (0, 2, [0, 2, 4, 6, 7]), (2, 3, [0, 1, 2, 3, 6, 7]), (0, 9, [0, 7])],
)
def test_which_epochs_are_recorded(first: int, every: int, expected: list[int]) -> None:
    params = training(epochs=7, record_first=first, record_every=every)
    assert [epoch for epoch in range(8) if is_recorded(epoch, params)] == expected


class Quux(keras.layers.Layer):
    """An activation whose name is in no list."""

    def __init__(self, function: Callable, **arguments: object) -> None:
        super().__init__(**arguments)
        self._function = function

    def call(self, signal: object) -> object:
        return self._function(signal)


@pytest.mark.slow
@pytest.mark.parametrize(
    "activation", ["relu", *(pytest.param(name, marks=pytest.mark.slow) for name in ("tanh", "sigmoid", "elu"))]
)
def test_probes_depend_on_value_and_slope_and_not_on_names(activation: str, circles: Split) -> None:
    """If every layer, activation and the model are renamed, the measurements stay the same."""
    known = build(variant(activation=activation), 2, BINARY, "v")
    source = keras.Input((2,))
    dense = [keras.layers.Dense(units, name=f"foo{number}") for number, units in enumerate((3, 3, 1))]
    functions = [keras.activations.get(activation)] * 2 + [keras.activations.sigmoid]
    renamed = [Quux(function, name=f"bar{number}") for number, function in enumerate(functions)]
    signal, before, behind = source, [], []
    for layer, quux in zip(dense, renamed, strict=True):
        before.append(layer(signal))
        signal = quux(before[-1])
        behind.append(signal)
    model = keras.Model(source, signal, name="baz")
    kernels = tuple(layer.kernel.path for layer in dense)
    table = tuple(Layer(layer.name, "Foo", role, layer.units) for layer, role in zip(dense, "abc", strict=True))
    unknown = Network(model, keras.Model(source, before + behind), tuple(renamed), kernels, table, {})
    stacks = {path: stack * 4 for path, stack in initial(known, [0, 1, 2]).items()}
    new_paths = [variable.path for variable in unknown.taps.variables]
    other = dict(zip(new_paths, (stacks[variable.path] for variable in known.taps.variables), strict=True))
    left, right = measured(known, circles, stacks), measured(unknown, circles, other)
    for name, values in left.items():
        np.testing.assert_array_equal(values, right[name], err_msg=name)
