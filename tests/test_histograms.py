"""The histograms of gradients and weights: NumPy's own counts, complete, and recorded without touching anything."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from conftest import training, variant

from examples import BINARY
from pipeline.data.split.samples import Split
from pipeline.foundations.tensorflow import tf
from pipeline.history import record
from pipeline.models import initial_weights
from pipeline.models.network import build
from pipeline.training.common.train_replicas import Trained, stacked, train, trainer_of
from pipeline.training.common.trainer import Trainer
from pipeline.training.stacked.quantities import histogram

EDGES = {name: np.array([-np.inf, *edges, np.inf]) for name, (_, edges, _) in record.HISTOGRAMS.items()}


RECIPE = variant(activation="tanh", kernel_initializer="glorot_uniform")
Choose = Callable[..., Trainer]


def trained(circles: Split, choose: Choose, **changes: object) -> Trained:
    return train(RECIPE, "v", circles, training(**changes), choose=choose)


@pytest.fixture(scope="module", params=[trainer_of, stacked], ids=["dense", "stacked"])
def choose(request: pytest.FixtureRequest) -> Choose:
    """Either way of training."""
    return request.param


@pytest.fixture(scope="module")
def result(circles: Split, choose: Choose) -> Trained:
    """Four replicas, two at a time."""
    return trained(circles, choose, epochs=2, chunk=2)


def gradients(weights: dict[str, np.ndarray], circles: Split) -> dict[str, np.ndarray]:
    """Backpropagation by hand in float64: a tanh network's kernel gradients on the full training set."""
    layers = ["hidden_01", "hidden_02", "output"]
    signals = [circles.train.inputs]
    for layer in layers:
        before = signals[-1] @ weights[f"{layer}/kernel"].astype(np.float64) + weights[f"{layer}/bias"]
        signals.append(np.tanh(before) if layer != "output" else 1 / (1 + np.exp(-before)))
    error, found = (signals[-1] - circles.train.targets[:, None]) / len(circles.train), {}
    for layer, signal in zip(reversed(layers), reversed(signals[:-1]), strict=True):
        found[f"{layer}/kernel"] = signal.T @ error
        error = (error @ weights[f"{layer}/kernel"].T) * (1 - signal**2)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [0, 2])
@pytest.mark.parametrize("replica", [0, 3])
def test_they_are_numpys_histograms_of_each_kernel_and_its_gradient(
    epoch: int, replica: int, result: Trained, circles: Split
) -> None:
    network = build(RECIPE, 2, BINARY, "v")
    stacks = initial_weights.draw(network, training().seed, [0, 1, 2, 3]) if epoch == 0 else result.weights
    weights = {path: stack[replica] for path, stack in stacks.items()}
    for name, values in {"weight_histogram": weights, "gradient_histogram": gradients(weights, circles)}.items():
        found = result.history[name].sel(recorded_epoch=epoch, replica=replica)
        for layer, path in enumerate(network.kernels):
            expected, _ = np.histogram(values[path], EDGES[name])
            np.testing.assert_array_equal(found[layer], expected, err_msg=f"{name} of {path}")


def test_every_entry_is_counted_once(result: Trained) -> None:
    sizes = [stack[0].size for path, stack in result.weights.items() if path.endswith("kernel")]
    assert sizes == [6, 9, 3]
    for name, (bins, edges, _) in record.HISTOGRAMS.items():
        counted = result.history[name]
        assert counted.dims == ("replica", "recorded_epoch", "layer", bins)
        assert (counted.sum(bins) == sizes).all()
        assert (counted > 0).any(["replica", "recorded_epoch", "layer"]).sum() > 3  # and not all in one bin
        np.testing.assert_array_equal(result.history[bins], np.array([-np.inf, *edges], np.float32))


def test_the_outermost_bins_are_open_and_what_is_not_a_number_is_in_none() -> None:
    values = np.array([[-np.inf, -9, -1, -0.5, 0, 1, 9, np.inf, np.nan]], np.float32)
    assert histogram([tf.constant(values)], (-1.0, 0.0, 1.0)).numpy().tolist() == [[[2, 2, 1, 3]]]
    broken = np.full((1, 4), np.nan, np.float32)
    both = histogram([tf.constant(broken), tf.constant(values[:, 4:6])], (0.5,)).numpy()
    assert both.tolist() == [[[0, 0], [1, 1]]]


def test_edges_are_in_order_and_mirror_images_around_zero() -> None:
    for edges in (record.GRADIENT_EDGES, record.WEIGHT_EDGES):
        assert (np.diff(edges) > 0).all()
        np.testing.assert_array_equal(edges, -np.flip(edges))
    decades = np.log10(record.GRADIENT_EDGES[len(record.GRADIENT_EDGES) // 2 :])
    np.testing.assert_allclose(decades, np.arange(-12, 2.1, 0.5), atol=1e-6)


@pytest.mark.parametrize(
    ("entries", "kind"), [(127, "int8"), (128, "int16"), (32767, "int16"), (32768, "int32"), (10**6, "int32")]
)
def test_a_count_takes_the_smallest_type_that_holds_the_largest_kernel(entries: int, kind: str) -> None:
    assert np.dtype(record.count_type(entries)) == kind
    if entries <= 32768:  # all entries in one bin, beside a small kernel
        found = histogram([tf.zeros((1, 2)), tf.zeros((1, entries))], (-1.0, 1.0)).numpy()
        assert (found.dtype, found.tolist()) == (kind, [[[0, 2, 0], [0, entries, 0]]])


@pytest.mark.slow
def test_switched_off_nothing_else_changes_by_a_bit(result: Trained, circles: Split, choose: Choose) -> None:
    without = trained(circles, choose, epochs=2, chunk=2, histograms=False)
    assert not set(record.HISTOGRAMS) & set(without.history)
    assert not {"gradient_bin", "weight_bin"} & set(without.history.coords)
    for path, stack in result.weights.items():
        assert stack.tobytes() == without.weights[path].tobytes()
    bins = [bins for bins, _, _ in record.HISTOGRAMS.values()]
    xr.testing.assert_identical(result.history.drop_dims(bins), without.history)
    xr.testing.assert_identical(result.predictions, without.predictions)


def test_chunks_of_replicas_join(result: Trained, choose: Choose, circles: Split) -> None:
    """The first and the last of four, which are in chunks of two, are held to NumPy above."""
    for name in record.HISTOGRAMS:
        assert result.history[name].dtype == np.int8
        assert result.history[name].sizes["replica"] == 4
    if choose is trainer_of:
        whole = trained(circles, choose, epochs=2).history
        for name in record.HISTOGRAMS:
            np.testing.assert_array_equal(result.history[name], whole[name])


@pytest.mark.slow
def test_a_training_that_explodes_is_recorded(circles: Split, choose: Choose) -> None:
    recipe = variant(activation="linear", optimizer={"class_name": "SGD", "config": {"learning_rate": 1e30}})
    history = train(recipe, "v", circles, training(), choose=choose).history
    assert record.diverged(history).all()
    assert (history.sizes["epoch"], history.sizes["replica"]) == (4, 4)
    for name, (bins, _, _) in record.HISTOGRAMS.items():
        counted = history[name].sum(bins)
        assert (counted.isel(recorded_epoch=0) == [6, 9, 3]).all()
        assert (counted <= [6, 9, 3]).all()
    assert (history.weight_histogram.sum("weight_bin").isel(recorded_epoch=-1) == 0).any()  # NaN by now
